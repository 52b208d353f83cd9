#include "records.h"

#include <string.h>

#include "fail.h"

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text ? text : "";
}

static int64_t number_of(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    return json_is_integer(value) ? json_integer_value(value) : -1;
}

// The same text again and again (hashes): kept once.
static const char *keep(tub_records *r, const char *text, const char *last)
{
    return last && strcmp(text, last) == 0 ? last : text[0] ? tub_arena_strdup(&r->arena, text) : "";
}

static bool newer(const tub_record *a, const tub_record *b)
{
    return a->file == b->file || strcmp(a->time, b->time) >= 0;
}

static bool store(tub_records *r, const char *key, const tub_record *record)
{
    size_t at = tub_stem_map_get(&r->map, key);
    if (at != (size_t)TUB_NO_STEM) {
        if (newer(record, &r->items[at]))
            r->items[at] = *record;
        return true;
    }
    void *items = r->items;
    if (!tub_grow(&items, &r->capacity, r->count + 1, sizeof *r->items))
        return false;
    r->items = items;
    const char *copy = tub_arena_strdup(&r->arena, key);
    if (!copy || !tub_stem_map_set(&r->map, copy, r->count))
        return false;
    r->items[r->count++] = *record;
    return true;
}

static bool complete(const tub_record *record)
{
    return record->time && record->reason && record->settings && record->model && record->video;
}

static tub_record common(tub_records *r, const json_t *object)
{
    const tub_record *last = r->count ? &r->items[r->count - 1] : NULL;
    return (tub_record){
        .time = keep(r, text_of(object, "time"), NULL),
        .reason = keep(r, text_of(object, "reason"), NULL),
        .video = keep(r, text_of(object, "video"), NULL),
        .settings = keep(r, text_of(object, "settings"), last ? last->settings : NULL),
        .model = keep(r, text_of(object, "model"), last ? last->model : NULL),
        .rows = number_of(object, "T"),
        .dim = number_of(object, "C"),
        .bytes = number_of(object, "bytes"),
        .video_bytes = number_of(object, "video_bytes"),
        .file = r->file,
        .partial = strcmp(text_of(object, "status"), "partial") == 0,
    };
}

static bool take_manifest(void *user, const json_t *object, const char *line)
{
    (void)line;
    tub_records *r = user;
    const char *output = text_of(object, "output");
    size_t length = strlen(output);
    if (length < 5 || strcmp(output + length - 4, ".npy"))
        return true;
    tub_record record = common(r, object);
    char *key = tub_format("%.*s", (int)length - 4, output);
    bool kept = key && complete(&record) && (record.rows < 0 || store(r, key, &record));
    tub_free(key);
    return kept;
}

static bool take_failure(void *user, const json_t *object, const char *line)
{
    (void)line;
    tub_records *r = user;
    const char *stem = text_of(object, "stem");
    tub_record record = common(r, object);
    return complete(&record) && (!stem[0] || store(r, stem, &record));
}

static tub_status read_all(const char *folder, const char *prefix, tub_json_line take, tub_records *out, tub_error *err)
{
    *out = (tub_records){0};
    tub_arena_init(&out->arena);
    tub_status status = tub_json_lines_find(folder, prefix, &out->files, err);
    for (; status == TUB_OK && out->file < out->files.count; out->file++)
        status = tub_json_lines_read(out->files.items[out->file], take, out, err);
    if (status != TUB_OK)
        tub_records_finish(out);
    return status;
}

tub_status tub_records_read_manifests(const char *folder, tub_records *out, tub_error *err)
{
    return read_all(folder, "manifest", take_manifest, out, err);
}

tub_status tub_records_read_failures(const char *folder, tub_records *out, tub_error *err)
{
    return read_all(folder, "failures", take_failure, out, err);
}

const tub_record *tub_records_find(const tub_records *records, const char *key)
{
    size_t at = tub_stem_map_get(&records->map, key);
    return at == (size_t)TUB_NO_STEM ? NULL : &records->items[at];
}

void tub_records_finish(tub_records *records)
{
    tub_paths_finish(&records->files);
    tub_stem_map_finish(&records->map);
    tub_free(records->items);
    tub_arena_finish(&records->arena);
    *records = (tub_records){0};
}
