#include "records.h"

#include <string.h>

#include "fail.h"

// The fields of both kinds of lines.
enum { TIME, REASON, VIDEO, SETTINGS, MODEL, ROWS, DIM, BYTES, VIDEO_BYTES, MTIME, STATUS, OUTPUT, STEM, FIELDS };
static const char *const keys[FIELDS] = {"time",  "reason",      "video",    "settings", "model",  "T",   "C",
                                         "bytes", "video_bytes", "mtime_ns", "status",   "output", "stem"};

static int64_t number_of(const tub_field *field)
{
    return field->kind == TUB_FIELD_INTEGER ? field->number : -1;
}

static bool is_text(const tub_field *field, const char *text)
{
    return field->kind == TUB_FIELD_TEXT && field->bytes == strlen(text) && !memcmp(field->text, text, field->bytes);
}

// "" if there is none. Repeated texts (hashes) are kept once.
static const char *keep(tub_records *r, const tub_field *field, const char *last)
{
    if (field->kind != TUB_FIELD_TEXT || !field->bytes)
        return "";
    return last && is_text(field, last) ? last : tub_arena_text(&r->arena, field->text, field->bytes);
}

static bool newer(const tub_record *a, const tub_record *b)
{
    return a->file == b->file || strcmp(a->time, b->time) >= 0;
}

// The record that counts comes first. The feature file may know better which one that is.
static bool keep_both(tub_records *r, tub_record *there, const tub_record *record)
{
    tub_record *behind = tub_arena_alloc_raw(&r->arena, 1, sizeof *behind);
    if (!behind)
        return false;
    const tub_record *others = there->others;
    if (newer(record, there)) {
        *behind = *there;
        *there = *record;
    } else {
        *behind = *record;
    }
    behind->others = others;
    there->others = behind;
    return true;
}

// The key is owned by the arena.
static bool store(tub_records *r, const char *key, const tub_record *record)
{
    size_t at;
    if (!tub_stem_map_add(&r->map, key, r->count, &at))
        return false;
    if (at != (size_t)TUB_NO_STEM) {
        r->replaced = true;
        return keep_both(r, &r->items[at], record);
    }
    void *items = r->items;
    if (!tub_grow(&items, &r->capacity, r->count + 1, sizeof *r->items))
        return false;
    r->items = items;
    r->items[r->count++] = *record;
    return true;
}

static bool complete(const tub_record *record)
{
    return record->time && record->reason && record->settings && record->model && record->video;
}

static tub_record common(tub_records *r, const tub_field *f)
{
    const tub_record *last = r->count ? &r->items[r->count - 1] : NULL;
    return (tub_record){
        .time = keep(r, &f[TIME], last ? last->time : NULL),
        .reason = keep(r, &f[REASON], NULL),
        .video = keep(r, &f[VIDEO], NULL),
        .settings = keep(r, &f[SETTINGS], last ? last->settings : NULL),
        .model = keep(r, &f[MODEL], last ? last->model : NULL),
        .rows = number_of(&f[ROWS]),
        .dim = number_of(&f[DIM]),
        .bytes = number_of(&f[BYTES]),
        .video_bytes = number_of(&f[VIDEO_BYTES]),
        .mtime = number_of(&f[MTIME]),
        .file = r->file,
        .partial = is_text(&f[STATUS], "partial"),
    };
}

static bool take(tub_records *r, const tub_field *f, const char *name, size_t bytes)
{
    char *key = tub_arena_text(&r->arena, name, bytes);
    tub_record record = common(r, f);
    return key && complete(&record) && store(r, key, &record);
}

static bool is_features(const char *extension)
{
    return memcmp(extension, ".npy", 4) == 0 || memcmp(extension, ".npz", 4) == 0;
}

static bool take_manifest(void *user, const tub_field *f, const char *line, size_t bytes)
{
    (void)line, (void)bytes;
    const tub_field *output = &f[OUTPUT];
    if (output->kind != TUB_FIELD_TEXT || output->bytes < 5 || number_of(&f[ROWS]) < 0 ||
        !is_features(output->text + output->bytes - 4))
        return true;
    return take(user, f, output->text, output->bytes - 4);
}

static bool take_failure(void *user, const tub_field *f, const char *line, size_t bytes)
{
    (void)line, (void)bytes;
    const tub_field *stem = &f[STEM];
    return stem->kind != TUB_FIELD_TEXT || !stem->bytes || take(user, f, stem->text, stem->bytes);
}

static tub_status read_all(const tub_paths *files, tub_json_line each, tub_records *out, tub_error *err)
{
    *out = (tub_records){0};
    tub_arena_init(&out->arena);
    for (; out->file < files->count; out->file++)
        TUB_TRY(tub_json_lines_read(files->items[out->file], keys, FIELDS, each, out, err));
    return TUB_OK;
}

tub_status tub_records_read_manifests(const tub_paths *files, tub_records *out, tub_error *err)
{
    return read_all(files, take_manifest, out, err);
}

tub_status tub_records_read_failures(const tub_paths *files, tub_records *out, tub_error *err)
{
    return read_all(files, take_failure, out, err);
}

const tub_record *tub_records_find(const tub_records *records, const char *key)
{
    size_t at = tub_stem_map_get(&records->map, key);
    return at == (size_t)TUB_NO_STEM ? NULL : &records->items[at];
}

void tub_records_finish(tub_records *records)
{
    tub_stem_map_finish(&records->map);
    tub_free(records->items);
    tub_arena_finish(&records->arena);
    *records = (tub_records){0};
}
