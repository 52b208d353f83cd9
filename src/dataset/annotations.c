#include "annotations.h"

#include <stdio.h>
#include <string.h>

#include "atomic_file.h"
#include "fail.h"
#include "feature_file.h"
#include "json.h"

static tub_status take_ids(tub_arena *arena, json_t *database, tub_annotations *out, tub_error *err)
{
    out->ids = tub_calloc(json_object_size(database), sizeof *out->ids);
    if (!out->ids)
        return tub_fail_memory(err, "the annotations");
    const char *id;
    json_t *video;
    json_object_foreach(database, id, video)
    {
        char *copy = tub_arena_strdup(arena, id);
        if (!copy || !tub_stem_map_set(&out->map, copy, out->count))
            return tub_fail_memory(err, "the annotations");
        out->ids[out->count++] = copy;
    }
    return TUB_OK;
}

tub_status tub_annotations_read(tub_arena *arena, const char *path, tub_annotations *out, tub_error *err)
{
    *out = (tub_annotations){0};
    json_t *root = NULL;
    TUB_TRY(tub_json_load(path, TUB_ERROR_ARGUMENT, &root, err));
    json_t *database = json_object_get(root, "database");
    tub_status status;
    if (json_is_object(database) && json_object_size(database))
        status = take_ids(arena, database, out, err);
    else if (json_is_object(database))
        status = tub_fail(err, TUB_ERROR_ARGUMENT, "%s: its key `database` holds no video", path);
    else
        status = tub_fail(err, TUB_ERROR_ARGUMENT,
                          "%s: not an annotation file: expected an object with the key `database` (an object by video "
                          "id), found %s",
                          path,
                          json_is_array(root)     ? "a list"
                          : !json_is_object(root) ? "a bare value"
                          : database              ? "a `database` that is no object"
                                                  : "no such key");
    json_decref(root);
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

static bool has(const tub_annotations *a, const char *id)
{
    return tub_stem_map_get(&a->map, id) != (size_t)TUB_NO_STEM;
}

// An id with "v_" before it, in `room`; NULL where it doesn't fit.
static const char *prefixed(const char *id, char room[256])
{
    int length = snprintf(room, 256, "v_%s", id);
    return length < 256 ? room : NULL;
}

static bool names(const tub_annotations *a, const char *stem)
{
    char room[256];
    const char *longer = prefixed(stem, room);
    return has(a, stem) || (longer && has(a, longer)) || (strncmp(stem, "v_", 2) == 0 && has(a, stem + 2));
}

tub_status tub_annotations_select(const tub_annotations *a, const char *path, tub_entries *list, tub_error *err)
{
    size_t kept = 0, all = list->count;
    char first[200] = "";
    if (all)
        snprintf(first, sizeof first, "%s", list->items[0].stem);
    for (size_t i = 0; i < all; i++)
        if (names(a, list->items[i].stem))
            list->items[kept++] = list->items[i];
    list->count = kept;
    if (kept)
        return TUB_OK;
    return tub_fail(err, TUB_ERROR_ARGUMENT,
                    "%s: names none of the %zu videos (its first id is %.200s, the first video %s)", path, all,
                    a->ids[0], first);
}

// Under its own name, or with "v_" more or less.
static bool has_features(const char *folder, const char *id)
{
    char room[256];
    const char *longer = prefixed(id, room);
    return tub_feature_file_whole(folder, id) || (longer && tub_feature_file_whole(folder, longer)) ||
           (strncmp(id, "v_", 2) == 0 && tub_feature_file_whole(folder, id + 2));
}

static tub_status save(const char *folder, const char *text, size_t bytes, tub_error *err)
{
    char *path = tub_format("%s/missing_files.txt", folder);
    if (!path)
        return tub_fail_memory(err, "missing_files.txt");
    tub_status status = tub_atomic_save(path, text, bytes, err);
    tub_free(path);
    return status;
}

tub_status tub_annotations_write_missing(const tub_annotations *a, const char *folder, tub_error *err)
{
    size_t room = 1, bytes = 0;
    for (size_t i = 0; i < a->count; i++)
        room += strlen(a->ids[i]) + 1;
    char *text = tub_calloc(room, 1);
    if (!text)
        return tub_fail_memory(err, "missing_files.txt");
    for (size_t i = 0; i < a->count; i++)
        if (!has_features(folder, a->ids[i]))
            bytes += (size_t)snprintf(text + bytes, room - bytes, "%s\n", a->ids[i]);
    tub_status status = save(folder, text, bytes, err);
    tub_free(text);
    return status;
}
