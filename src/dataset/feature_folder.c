#include "feature_folder.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fail.h"
#include "json_lines.h"
#include "name_text.h"
#include "out_listing.h"
#include "row_resampler.h"
#include "shortage.h"

typedef struct tub_telling {
    tub_feature_folder *folder;
    tub_told_list *list;
    size_t file; // the one being read
    size_t *files;
    bool failures, lines; // lines: they are kept
} tub_telling;

// Repeated texts (hashes) are kept once: `last` is the text of the line before, or NULL.
static const char *text_of(tub_arena *arena, const json_t *line, const char *key, const char *last)
{
    const char *text = json_string_value(json_object_get(line, key));
    if (!text || !*text)
        return "";
    return last && strcmp(last, text) == 0 ? last : tub_arena_strdup(arena, text);
}

static int64_t number_of(const json_t *line, const char *key)
{
    const json_t *value = json_object_get(line, key);
    return json_is_integer(value) ? json_integer_value(value) : -1;
}

static tub_told told_of(tub_arena *arena, const json_t *line, const char *name, const tub_told *last)
{
    const json_t *fps = json_object_get(line, "fps");
    const char *status = json_string_value(json_object_get(line, "status"));
    return (tub_told){
        .file = text_of(arena, line, name, NULL),
        .video = text_of(arena, line, "video", NULL),
        .reason = text_of(arena, line, "reason", NULL),
        .settings = text_of(arena, line, "settings", last ? last->settings : NULL),
        .model = text_of(arena, line, "model", last ? last->model : NULL),
        .checksum = text_of(arena, line, "checksum", NULL),
        .time = text_of(arena, line, "time", last ? last->time : NULL),
        .align = text_of(arena, line, "align", last ? last->align : NULL),
        .rows = number_of(line, "T"),
        .dim = number_of(line, "C"),
        .bytes = number_of(line, "bytes"),
        .mtime = number_of(line, "mtime_ns"),
        .video_bytes = number_of(line, "video_bytes"),
        .frames = number_of(line, "frames"),
        .frames_used = number_of(line, "frames_used"),
        .clip_length = number_of(line, "clip_length"),
        .stride = number_of(line, "stride"),
        .interval = number_of(line, "interval"),
        .fps = json_is_number(fps) ? json_number_value(fps) : 0,
        .partial = status && strcmp(status, "partial") == 0,
        .is_short = json_is_true(json_object_get(line, "short")),
    };
}

static bool complete(const tub_told *t)
{
    return t->file && t->video && t->reason && t->settings && t->model && t->checksum && t->time && t->align;
}

// If there are several lines about one file, the latest comes first (records.h).
static bool put_over(tub_arena *arena, tub_told *there, const tub_told *told, size_t file, size_t *there_file)
{
    tub_told *behind = tub_arena_alloc_raw(arena, 1, sizeof *behind);
    if (!behind)
        return false;
    const tub_told *others = there->others;
    const bool newer = *there_file == file || strcmp(told->time, there->time) >= 0;
    *behind = newer ? *there : *told;
    *there = newer ? *told : *there;
    *there_file = newer ? file : *there_file;
    there->others = behind;
    behind->others = others;
    return true;
}

static bool store(tub_arena *arena, tub_told_list *list, const tub_told *told, size_t file, size_t **files)
{
    size_t at = tub_stem_map_get(&list->map, told->file);
    if (at != (size_t)TUB_NO_STEM)
        return put_over(arena, &list->items[at], told, file, &(*files)[at]);
    void *items = list->items, *numbers = *files;
    size_t capacity = list->capacity;
    bool grown = tub_grow(&items, &list->capacity, list->count + 1, sizeof *list->items);
    list->items = items;
    grown = grown && tub_grow(&numbers, &capacity, list->count + 1, sizeof **files);
    *files = numbers;
    if (!grown || !tub_stem_map_set(&list->map, told->file, list->count))
        return false;
    (*files)[list->count] = file;
    list->items[list->count++] = *told;
    return true;
}

static bool take(void *user, const tub_field *fields, const char *text, size_t bytes)
{
    (void)fields;
    tub_telling *t = user;
    tub_shortage_watch();
    json_t *line = json_loadb(text, bytes, 0, NULL);
    if (!line)
        return !tub_shortage_may_be(); // if memory wasn't short, it is a torn line
    const tub_told *last = t->list->count ? &t->list->items[t->list->count - 1] : NULL;
    tub_told told = told_of(&t->folder->arena, line, t->failures ? "stem" : "output", last);
    told.line = t->lines ? tub_arena_text(&t->folder->arena, text, bytes) : NULL;
    json_decref(line);
    if (!complete(&told) || (t->lines && !told.line))
        return false;
    return !told.file[0] || store(&t->folder->arena, t->list, &told, t->file, &t->files);
}

static tub_status read_lines(const tub_paths *paths, tub_telling t, tub_error *err)
{
    tub_status status = TUB_OK;
    for (; status == TUB_OK && t.file < paths->count; t.file++)
        status = tub_json_lines_read(paths->items[t.file], NULL, 0, take, &t, err);
    tub_free(t.files);
    return status;
}

static int by_file(const void *a, const void *b)
{
    return strcmp(((const tub_told *)a)->file, ((const tub_told *)b)->file);
}

// The lines are in the order in which videos were done, which differs from run to run.
static bool sort(tub_told_list *list)
{
    if (list->count)
        qsort(list->items, list->count, sizeof *list->items, by_file);
    tub_stem_map_finish(&list->map);
    bool kept = true;
    for (size_t i = 0; kept && i < list->count; i++)
        kept = tub_stem_map_set(&list->map, list->items[i].file, i);
    return kept;
}

static tub_status read_told(tub_feature_folder *folder, const char *path, bool lines, tub_error *err)
{
    tub_out_listing listing;
    tub_status status = tub_out_listing_read(path, &listing, err);
    if (status == TUB_OK)
        status =
            read_lines(&listing.manifests, (tub_telling){.folder = folder, .list = &folder->told, .lines = lines}, err);
    if (status == TUB_OK)
        status = read_lines(&listing.failures,
                            (tub_telling){.folder = folder, .list = &folder->failed, .failures = true}, err);
    tub_out_listing_finish(&listing);
    if (status == TUB_OK && (!sort(&folder->told) || !sort(&folder->failed)))
        status = tub_fail_memory(err, path);
    return status;
}

// Chooses, among several lines, the one that was written with the present file.
static void choose_told(int folder, tub_told *told, const char *file)
{
    for (const tub_told *t = told; t; t = t->others)
        if (tub_feature_file_is(folder, file, t->bytes, t->mtime)) {
            *told = *t;
            break;
        }
    told->others = NULL;
}

static tub_status choose_all_told(tub_feature_folder *f, tub_error *err)
{
    bool named = true;
    const int folder = open(f->place.folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    for (size_t i = 0; named && i < f->listing.count; i++) {
        const char *text = tub_name_text(&f->arena, f->listing.files[i]);
        const size_t at = text ? tub_stem_map_get(&f->told.map, text) : (size_t)TUB_NO_STEM;
        named = text != NULL;
        if (at != (size_t)TUB_NO_STEM && f->told.items[at].others)
            choose_told(folder, &f->told.items[at], f->listing.files[i]);
    }
    if (folder >= 0)
        close(folder);
    return named ? TUB_OK : tub_fail_memory(err, f->place.folder);
}

static int whole(const json_t *settings, const char *key)
{
    const json_t *value = json_object_get(settings, key);
    json_int_t number = json_is_integer(value) ? json_integer_value(value) : 0;
    return number > 0 && number <= 65536 ? (int)number : 0;
}

static int stream_of(const json_t *settings)
{
    const json_t *value = json_object_get(settings, "video_stream");
    const json_int_t number = json_is_integer(value) ? json_integer_value(value) : -1;
    return number >= 0 && number < INT_MAX ? (int)number + 1 : 0;
}

// What can't be read is left at 0. Then nothing is predicted from it.
static void take_settings(tub_feature_folder *f)
{
    const json_t *settings = json_object_get(f->settings.root, "settings"), *fps = json_object_get(settings, "fps");
    tub_sampling s = {.size = sizeof s,
                      .clip_length = whole(settings, "clip_length"),
                      .stride = whole(settings, "stride"),
                      .interval = whole(settings, "interval"),
                      .fps = json_is_number(fps) ? json_number_value(fps) : 0};
    const char *align = json_string_value(json_object_get(settings, "align"));
    f->step = whole(settings, "every") ? whole(settings, "every") : 1;
    f->fixed_rows = whole(json_object_get(settings, "resized"), "rows");
    f->video_stream = stream_of(settings);
    f->dim = whole(json_object_get(f->settings.root, "model"), "dim");
    if (s.clip_length && s.stride && s.interval && tub_align_parse(align, &s.align, NULL) == TUB_OK &&
        tub_sampling_resolve(&s, 0, &s, NULL) == TUB_OK)
        f->sampling = s;
}

static tub_status read_settings(tub_feature_folder *f, const char *path, tub_error *err)
{
    char *file = tub_format("%s/features.json", path);
    tub_status status = file ? tub_settings_load(path, &f->settings, err) : tub_fail_memory(err, path);
    if (status == TUB_OK)
        status = tub_layout_complete(&f->place.layout, f->settings.root, file, err);
    tub_free(file);
    if (status == TUB_OK)
        take_settings(f);
    return status;
}

tub_status tub_feature_folder_open(const char *path, bool lines, tub_feature_folder *out, tub_error *err)
{
    struct stat info;
    *out = (tub_feature_folder){.step = 1};
    tub_arena_init(&out->arena);
    if (!path || stat(path, &info) != 0)
        return tub_fail(err, TUB_ERROR_ARGUMENT,
                        "%s: %s: a folder of features is needed, as tubelet extract --out makes", path ? path : "",
                        strerror(path ? errno : ENOENT));
    if (!S_ISDIR(info.st_mode))
        return tub_fail(err, TUB_ERROR_ARGUMENT, "%s: not a folder of features", path);
    out->place.folder = tub_arena_strdup(&out->arena, path);
    if (!out->place.folder)
        return tub_fail_memory(err, path);
    TUB_TRY(read_settings(out, path, err));
    TUB_TRY(read_told(out, path, lines, err));
    TUB_TRY(tub_feature_listing_read(path, &out->listing, err));
    return choose_all_told(out, err);
}

static void finish_list(tub_told_list *list)
{
    tub_stem_map_finish(&list->map);
    tub_free(list->items);
}

void tub_feature_folder_finish(tub_feature_folder *f)
{
    tub_feature_listing_finish(&f->listing);
    finish_list(&f->told);
    finish_list(&f->failed);
    tub_settings_finish(&f->settings);
    tub_arena_finish(&f->arena);
    *f = (tub_feature_folder){0};
}

const tub_told *tub_told_find(const tub_told_list *list, const char *file)
{
    size_t at = tub_stem_map_get(&list->map, file);
    return at == (size_t)TUB_NO_STEM ? NULL : &list->items[at];
}

int64_t tub_feature_folder_rows(const tub_feature_folder *f, int64_t frames)
{
    if (f->fixed_rows)
        return f->fixed_rows;
    return tub_rows_every(tub_sampling_rows(&f->sampling, frames), f->step, false);
}

bool tub_feature_folder_grid(const tub_feature_folder *f, tub_grid *out)
{
    if (!f->sampling.clip_length || f->fixed_rows)
        return false;
    tub_sampling_grid(&f->sampling, out);
    out->stride *= (double)f->step;
    return true;
}
