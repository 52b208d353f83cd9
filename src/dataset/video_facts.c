#include "video_facts.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "atomic_file.h"
#include "fail.h"
#include "json.h"
#include "json_scan.h"
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

// False: the id is there already, or there is no memory.
static bool add(tub_video_facts *f, const char *id, size_t bytes, const json_t *video)
{
    const char *split = json_string_value(json_object_get(video, "subset"));
    void *items = f->items;
    size_t before;
    if (!tub_grow(&items, &f->capacity, f->count + 1, sizeof *f->items))
        return false;
    f->items = items;
    tub_fact *fact = &f->items[f->count];
    *fact = (tub_fact){
        .id = tub_arena_text(&f->arena, id, bytes),
        .split = split ? tub_arena_strdup(&f->arena, split) : NULL,
        .duration = number_of(json_object_get(video, "duration")),
        .fps = number_of(json_object_get(video, "fps")),
        .frames = number_of(json_object_get(video, "frame")),
        .last_end = last_end(json_object_get(video, "annotations")),
    };
    return fact->id && (!split || fact->split) && tub_stem_map_add(&f->map, fact->id, f->count, &before) &&
           before == (size_t)TUB_NO_STEM && ++f->count;
}

// One video at a time, because a whole file as objects would be ten times as large as its text.
static bool take_video(void *user, const tub_field *id, const tub_field *value)
{
    const bool is_object = value->kind == TUB_FIELD_OTHER && value->text;
    json_t *video = is_object ? json_loadb(value->text, value->bytes, JSON_REJECT_DUPLICATES, NULL) : NULL;
    bool taken = (!is_object || video) && add(user, id->text, id->bytes, video);
    json_decref(video);
    return taken;
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
        if (!add(out, id, strlen(id), video))
            return tub_fail_memory(err, "the annotations");
    }
    return TUB_OK;
}

// Anything unusual is left to the parser, which starts from the beginning.
static tub_status take_text(tub_video_facts *out, const char *path, const char *text, size_t bytes, tub_error *err)
{
    if (tub_json_members_of(text, bytes, "database", take_video, out) == TUB_SCAN_OBJECT && out->count)
        return TUB_OK;
    json_t *root = NULL;
    tub_video_facts_finish(out);
    TUB_TRY(tub_json_parse(text, bytes, path, TUB_ERROR_ARGUMENT, &root, err));
    tub_status status = take(out, path, root, err);
    json_decref(root);
    return status;
}

tub_status tub_annotations_text(const char *path, char **out, size_t *bytes, tub_error *err)
{
    enum { MOST = 1 << 30 };
    tub_status status = tub_read_file(path, MOST, out, bytes, err);
    if (status == TUB_ERROR_INPUT && err)
        err->status = TUB_ERROR_ARGUMENT;
    return status == TUB_ERROR_INPUT ? TUB_ERROR_ARGUMENT : status;
}

tub_status tub_video_facts_read(const char *path, tub_video_facts *out, tub_error *err)
{
    char *text;
    size_t bytes;
    *out = (tub_video_facts){0};
    tub_arena_init(&out->arena);
    TUB_TRY(tub_annotations_text(path, &text, &bytes, err));
    tub_status status = take_text(out, path, text, bytes, err);
    tub_free(text);
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
