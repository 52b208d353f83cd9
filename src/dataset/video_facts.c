#include "video_facts.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "fail.h"
#include "json.h"
#include "plain_numbers.h"

// A number, or text that is one.
static double number_of(const json_t *value)
{
    double number = json_number_value(value);
    if (json_is_string(value)) {
        char *end;
        const tub_plain_numbers before = tub_plain_numbers_begin();
        number = strtod(json_string_value(value), &end);
        tub_plain_numbers_end(before);
        number = *end ? 0 : number;
    }
    return isfinite(number) && number > 0 ? number : 0;
}

static double last_end(const json_t *annotations)
{
    double last = 0;
    size_t i;
    json_t *annotation;
    json_array_foreach(annotations, i, annotation)
    {
        last = fmax(last, number_of(json_array_get(json_object_get(annotation, "segment"), 1)));
    }
    return last;
}

static bool add(tub_video_facts *f, const char *id, const json_t *video)
{
    const char *split = json_string_value(json_object_get(video, "subset"));
    void *items = f->items;
    if (!tub_grow(&items, &f->capacity, f->count + 1, sizeof *f->items))
        return false;
    f->items = items;
    tub_fact *fact = &f->items[f->count];
    *fact = (tub_fact){
        .id = tub_arena_strdup(&f->arena, id),
        .split = split ? tub_arena_strdup(&f->arena, split) : NULL,
        .duration = number_of(json_object_get(video, "duration")),
        .fps = number_of(json_object_get(video, "fps")),
        .frames = number_of(json_object_get(video, "frame")),
        .last_end = last_end(json_object_get(video, "annotations")),
    };
    return fact->id && (!split || fact->split) && tub_stem_map_set(&f->map, fact->id, f->count++);
}

static tub_status take(tub_video_facts *out, const char *path, const json_t *root, tub_error *err)
{
    json_t *database = json_object_get(root, "database"), *video;
    const char *id;
    if (!json_is_object(database) || !json_object_size(database))
        return tub_fail(err, TUB_ERROR_ARGUMENT,
                        "%s: not an annotation file: expected an object with the key `database` (videos by id)", path);
    json_object_foreach(database, id, video)
    {
        if (!add(out, id, video))
            return tub_fail_memory(err, "the annotations");
    }
    return TUB_OK;
}

tub_status tub_video_facts_read(const char *path, tub_video_facts *out, tub_error *err)
{
    *out = (tub_video_facts){0};
    tub_arena_init(&out->arena);
    json_t *root = NULL;
    TUB_TRY(tub_json_load_named(path, TUB_ERROR_ARGUMENT, &root, err));
    tub_status status = take(out, path, root, err);
    json_decref(root);
    return status;
}

void tub_video_facts_finish(tub_video_facts *facts)
{
    tub_stem_map_finish(&facts->map);
    tub_free(facts->items);
    tub_arena_finish(&facts->arena);
    *facts = (tub_video_facts){0};
}

const tub_fact *tub_video_facts_find(const tub_video_facts *facts, const char *stem)
{
    size_t at = tub_stem_map_find(&facts->map, stem);
    return at == (size_t)TUB_NO_STEM ? NULL : &facts->items[at];
}
