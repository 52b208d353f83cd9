#include "annotations.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "atomic_file.h"
#include "fail.h"
#include "feature_listing.h"
#include "json.h"
#include "json_scan.h"

typedef struct tub_taking {
    tub_arena *arena;
    tub_annotations *out;
    size_t capacity;
    bool failed; // out of memory
} tub_taking;

// False: the id is there already, or there is no memory.
static bool take_id(void *user, const tub_field *id, const tub_field *video)
{
    (void)video;
    tub_taking *t = user;
    tub_annotations *a = t->out;
    void *ids = a->ids;
    char *copy = tub_arena_text(t->arena, id->text, id->bytes);
    bool is_new = copy && tub_stem_map_get(&a->map, copy) == (size_t)TUB_NO_STEM;
    t->failed |= !copy || !tub_grow(&ids, &t->capacity, a->count + 1, sizeof *a->ids) ||
                 !tub_stem_map_set(&a->map, copy, a->count);
    a->ids = ids;
    if (!t->failed && is_new)
        a->ids[a->count++] = copy;
    return is_new && !t->failed;
}

// Takes the ids of a file in the usual form. False: the file is left to the parser, and nothing was taken.
static bool scan_ids(tub_taking *t, const char *text, size_t bytes)
{
    bool usual = tub_json_members_of(text, bytes, "database", take_id, t) == TUB_SCAN_OBJECT && t->out->count > 0;
    if (!usual)
        tub_annotations_finish(t->out);
    return usual;
}

static tub_status take_ids(tub_taking *t, json_t *database, tub_error *err)
{
    const char *id;
    json_t *video;
    json_object_foreach(database, id, video)
    {
        const tub_field name = {.kind = TUB_FIELD_TEXT, .text = id, .bytes = strlen(id)};
        if (!take_id(t, &name, NULL))
            return tub_fail_memory(err, "the annotations");
    }
    return TUB_OK;
}

static tub_status take_parsed(tub_taking *t, const char *path, json_t *root, tub_error *err)
{
    json_t *database = json_object_get(root, "database");
    if (json_is_object(database) && json_object_size(database))
        return take_ids(t, database, err);
    if (json_is_object(database))
        return tub_fail(err, TUB_ERROR_ARGUMENT, "%s: its key `database` holds no video", path);
    return tub_fail(err, TUB_ERROR_ARGUMENT,
                    "%s: not an annotation file: expected an object with the key `database` (an object by video id), "
                    "found %s",
                    path,
                    json_is_array(root)     ? "a list"
                    : !json_is_object(root) ? "a bare value"
                    : database              ? "a `database` that is no object"
                                            : "no such key");
}

static tub_status take_text(tub_taking *t, const char *path, const char *text, size_t bytes, tub_error *err)
{
    json_t *root = NULL;
    if (scan_ids(t, text, bytes))
        return TUB_OK;
    *t = (tub_taking){.arena = t->arena, .out = t->out};
    TUB_TRY(tub_json_parse(text, bytes, path, TUB_ERROR_ARGUMENT, &root, err));
    tub_status status = take_parsed(t, path, root, err);
    json_decref(root);
    return status;
}

tub_status tub_annotations_read(tub_arena *arena, const char *path, tub_annotations *out, tub_error *err)
{
    tub_taking t = {.arena = arena, .out = out};
    char *text;
    size_t bytes;
    *out = (tub_annotations){0};
    TUB_TRY(tub_annotations_text(path, &text, &bytes, err));
    tub_status status = take_text(&t, path, text, bytes, err);
    tub_free(text);
    if (status != TUB_OK)
        tub_annotations_finish(out);
    return status;
}

void tub_annotations_finish(tub_annotations *a)
{
    tub_free(a->ids);
    tub_stem_map_finish(&a->map);
    *a = (tub_annotations){0};
}

// An id with "v_" before it, in `room`. NULL: it doesn't fit.
static const char *prefixed(const char *id, char room[256])
{
    int length = snprintf(room, 256, "v_%s", id);
    return length < 256 ? room : NULL;
}

tub_status tub_annotations_select(const tub_annotations *a, const char *path, tub_entries *list, tub_error *err)
{
    size_t kept = 0, all = list->count;
    char first[200] = "";
    if (all)
        snprintf(first, sizeof first, "%s", list->items[0].stem);
    for (size_t i = 0; i < all; i++)
        if (tub_stem_map_find(&a->map, list->items[i].stem) != (size_t)TUB_NO_STEM)
            list->items[kept++] = list->items[i];
    list->count = kept;
    if (kept)
        return TUB_OK;
    return tub_fail(err, TUB_ERROR_ARGUMENT,
                    "%s: names none of the %zu videos (its first id is %.200s, the first video %s)", path, all,
                    a->ids[0], first);
}

bool tub_annotations_names(const tub_layout *layout, const char *id, const char *split,
                           bool (*each)(void *user, const char *name), void *user)
{
    char room[256], name[PATH_MAX];
    const char *stems[] = {id, prefixed(id, room), strncmp(id, "v_", 2) == 0 ? id + 2 : NULL};
    for (size_t i = 0; i < sizeof stems / sizeof *stems; i++)
        if (stems[i] && tub_layout_file_name(layout->name, stems[i], split, name, sizeof name, NULL) == TUB_OK &&
            each(user, name))
            return true;
    return false;
}

typedef struct tub_looking {
    const tub_feature_place *place;
    const tub_feature_listing *listing; // listed once, so that most missing ids cost no system call
    const tub_stem_map *done;
} tub_looking;

static bool is_there(void *user, const char *name)
{
    const tub_looking *look = user;
    char file[PATH_MAX + 8];
    snprintf(file, sizeof file, "%s%s", name, tub_layout_extension(&look->place->layout));
    if (tub_stem_map_get(&look->listing->map, file) == (size_t)TUB_NO_STEM)
        return false;
    return tub_stem_map_get(look->done, name) != (size_t)TUB_NO_STEM || tub_feature_file_whole(look->place, name);
}

tub_status tub_missing_save(const char *folder, const char *text, size_t bytes, tub_error *err)
{
    char *path = tub_format("%s/missing_files.txt", folder);
    if (!path)
        return tub_fail_memory(err, "missing_files.txt");
    tub_status status = tub_atomic_save(path, text, bytes, err);
    tub_free(path);
    return status;
}

static tub_status write_missing(const tub_annotations *a, tub_looking *look, const tub_video_facts *facts,
                                tub_error *err)
{
    size_t room = 1, bytes = 0;
    for (size_t i = 0; i < a->count; i++)
        room += strlen(a->ids[i]) + 1;
    char *text = tub_calloc(room, 1);
    if (!text)
        return tub_fail_memory(err, "missing_files.txt");
    for (size_t i = 0; i < a->count; i++) {
        const tub_fact *fact = tub_video_facts_find(facts, a->ids[i]);
        if (!tub_annotations_names(&look->place->layout, a->ids[i], fact ? fact->split : NULL, is_there, look))
            bytes += (size_t)snprintf(text + bytes, room - bytes, "%s\n", a->ids[i]);
    }
    tub_status status = tub_missing_save(look->place->folder, text, bytes, err);
    tub_free(text);
    return status;
}

tub_status tub_annotations_write_missing(const tub_annotations *a, const tub_feature_place *place,
                                         const tub_video_facts *facts, const tub_stem_map *done, tub_error *err)
{
    tub_feature_listing listing;
    tub_looking look = {.place = place, .listing = &listing, .done = done};
    tub_status status = tub_feature_listing_read(place->folder, &listing, err);
    if (status == TUB_OK)
        status = write_missing(a, &look, facts, err);
    tub_feature_listing_finish(&listing);
    return status;
}
