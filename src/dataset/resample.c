// Converts features to features: every k-th row, or a fixed number of rows per video, or other names and kinds of
// files.
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "annotations.h"
#include "atomic_file.h"
#include "fail.h"
#include "feature_array.h"
#include "feature_folder.h"
#include "feature_writer.h"
#include "group_writer.h"
#include "json.h"
#include "name_text.h"
#include "out_folder.h"
#include "params.h"
#include "row_resampler.h"

// A file that waits for its name. They are listed in the order in which they get their names.
typedef struct tub_pending {
    struct tub_pending *next;
    char *name;
    int64_t rows_in, rows_out;
} tub_pending;

typedef struct tub_resampling {
    const tub_resample_params *params;
    tub_resample_totals *totals;
    tub_feature_folder in, there; // there: what the output folder had before
    tub_feature_place out;
    tub_settings asked;
    tub_grid grid; // of the new rows
    int64_t step;
    char *manifest;
    char *swept; // the subfolder of the output folder that was swept last, NULL: none
    tub_out_folder folder;
    tub_group_writer *publisher;
    tub_pending *first, **last;
} tub_resampling;

static tub_status choose_step(tub_resampling *r, tub_error *err)
{
    const tub_resample_params *p = r->params;
    if (p->stride && p->length)
        return tub_fail(err, TUB_ERROR_ARGUMENT, "a stride or a length: both at once make no sense");
    if (p->length < 0 || p->length > 65536)
        return tub_fail(err, TUB_ERROR_ARGUMENT, "a length must be between 1 and 65536");
    r->step = 1;
    bool known = tub_feature_folder_grid(&r->in, &r->grid);
    if (r->in.fixed_rows && (p->stride || p->length))
        return tub_fail(err, TUB_ERROR_ARGUMENT,
                        "%s: its rows were resized to %lld a video: resample what they came from", p->in,
                        (long long)r->in.fixed_rows);
    if (!p->stride)
        return TUB_OK;
    int64_t stride = known ? (int64_t)r->grid.stride : 0;
    if (!known || p->stride % stride != 0)
        return tub_fail(err, TUB_ERROR_ARGUMENT, "stride %d: not a multiple of the %lld that these rows have",
                        p->stride, (long long)stride);
    r->step = p->stride / stride;
    r->grid.stride = p->stride;
    return TUB_OK;
}

// Centered windows keep the offset of the stride they were made with. Other windows are what extraction with the larger
// stride gives.
static int note_step(tub_resampling *r, json_t *settings)
{
    if (r->in.sampling.align == TUB_ALIGN_CENTER)
        return json_object_set_new(settings, "every", json_integer(r->in.step * r->step));
    return json_object_set_new(settings, "stride", json_integer(r->params->stride));
}

static tub_status make_settings(tub_resampling *r, tub_error *err)
{
    const tub_resample_params *p = r->params;
    json_t *root = json_deep_copy(r->in.settings.root), *settings = json_object_get(root, "settings");
    r->asked.root = root;
    if (!root)
        return tub_fail_memory(err, "the settings");
    int failed = r->step > 1 ? note_step(r, settings) : 0;
    if (p->length)
        failed |= json_object_set_new(
            settings, "resized",
            json_pack("{s:i, s:s, s:b}", "rows", p->length, "method", "linear", "align_corners", 0));
    int64_t fixed = p->length ? p->length : r->in.fixed_rows;
    failed |= json_object_set_new(root, "files", tub_layout_json(&r->out.layout));
    failed |= json_object_set_new(
        root, "consumers", tub_settings_consumers(fixed ? NULL : &r->grid, fixed, r->in.dim, r->in.sampling.fps));
    json_object_set_new(json_object_get(root, "about"), "resampled_from", json_string(r->in.settings.settings));
    if (failed)
        return tub_fail_memory(err, "the settings");
    return tub_settings_hash(&r->asked, "the settings", err);
}

static bool same_folder(const char *a, const char *b)
{
    struct stat x, y;
    return stat(a, &x) == 0 && stat(b, &y) == 0 && x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

static tub_status open_out(tub_resampling *r, tub_error *err)
{
    const tub_resample_params *p = r->params;
    if (same_folder(p->in, p->out))
        return tub_fail(err, TUB_ERROR_ARGUMENT, "%s: both the input and the output: choose another output folder",
                        p->out);
    TUB_TRY(tub_make_folder(p->out, err));
    TUB_TRY(tub_settings_agree(p->out, &r->asked, true, err));
    tub_atomic_sweep(p->out);
    TUB_TRY(tub_out_folder_hold(p->out, &r->folder, err));
    r->manifest = tub_format("%s/manifest.jsonl", p->out);
    if (!r->manifest)
        return tub_fail_memory(err, p->out);
    return tub_feature_folder_open(p->out, false, &r->there, err);
}

static tub_status complete_layout(tub_resampling *r, tub_error *err)
{
    const tub_resample_params *p = r->params;
    if (p->layout.name && tub_layout_has_split(p->layout.name))
        return tub_fail(err, TUB_ERROR_ARGUMENT, "file name \"%s\": only an extraction knows the splits",
                        p->layout.name);
    r->out = (tub_feature_place){.folder = p->out, .layout = p->layout};
    return tub_layout_complete(&r->out.layout, r->in.settings.root, p->in, err);
}

// The new file's name: the same as the old one's, unless another template was asked for.
static char *name_of(const tub_resampling *r, const tub_told *told, const char *file, tub_error *err)
{
    char name[1024];
    const char *base;
    if (!r->params->layout.name)
        return tub_format("%.*s", (int)strlen(file) - 4, file);
    size_t length = tub_stem_of(told->video, &base);
    char *stem = tub_format("%.*s", (int)length, base);
    tub_status status = stem ? tub_layout_file_name(r->out.layout.name, stem, NULL, name, sizeof name, err)
                             : tub_fail_memory(err, file);
    tub_free(stem);
    return status == TUB_OK ? tub_strdup(name) : NULL;
}

// A line keeps its source line's time and video.
static bool same_source(const tub_told *there, const tub_told *source)
{
    return strcmp(there->time, source->time) == 0 && there->video_bytes == source->video_bytes;
}

// Whether the line is about another video that still exists unchanged: two folders may have equal names.
static bool is_of_another(const tub_told *there, const tub_told *source)
{
    struct stat other, ours;
    return strcmp(there->video, source->video) && there->video_bytes != source->video_bytes &&
           stat(there->video, &other) == 0 && other.st_size == there->video_bytes &&
           (stat(source->video, &ours) != 0 || other.st_dev != ours.st_dev || other.st_ino != ours.st_ino);
}

// The line about the file of this name, if the file is whole and as asked for. NULL: there is none.
static const tub_told *told_there(const tub_resampling *r, const char *name)
{
    char *file = tub_format("%s%s", name, tub_layout_extension(&r->out.layout));
    tub_arena arena;
    tub_arena_init(&arena);
    const char *text = file ? tub_name_text(&arena, file) : NULL;
    const tub_told *told = text ? tub_told_find(&r->there.told, text) : NULL;
    struct stat info;
    char *path = tub_feature_path(&r->out, name);
    bool whole = told && path && strcmp(told->settings, r->asked.settings) == 0 && stat(path, &info) == 0 &&
                 info.st_size == told->bytes && tub_feature_file_whole(&r->out, name);
    tub_free(path);
    tub_free(file);
    tub_arena_finish(&arena);
    return whole ? told : NULL;
}

static void fill_row(const tub_resampling *r, const float *values, const tub_feature_array *a, int64_t count, int64_t i,
                     float *row)
{
    if (r->params->length)
        tub_rows_linear(values, a->rows, a->dim, count, i, row);
    else
        memcpy(row, values + tub_rows_every_at(a->rows, r->step, i) * a->dim, (size_t)a->dim * sizeof *row);
}

// Many rows per call, since an hour may have a hundred thousand.
static tub_status write_rows(const tub_resampling *r, tub_feature_writer *w, const float *values,
                             const tub_feature_array *a, int64_t count, tub_error *err)
{
    enum { VALUES = 1 << 16 };
    const int64_t most = a->dim > 0 && a->dim < VALUES ? VALUES / a->dim : 1;
    float *block = tub_alloc_aligned((size_t)(most * a->dim), sizeof *block);
    if (!block)
        return tub_fail_memory(err, "rows");
    tub_status status = TUB_OK;
    for (int64_t i = 0, some; status == TUB_OK && i < count; i += some) {
        some = count - i < most ? count - i : most;
        for (int64_t k = 0; k < some; k++)
            fill_row(r, values, a, count, i + k, block + k * a->dim);
        status = tub_feature_append(w, block, some, err);
    }
    tub_free(block);
    return status;
}

typedef struct tub_written {
    char checksum[TUB_HASH_TEXT];
    int64_t bytes, rows, mtime;
} tub_written;

static tub_status overflowed(const tub_feature_writer *w, const char *file, tub_error *err)
{
    int64_t row;
    float value;
    if (!tub_feature_overflowed(w, &row, &value))
        return TUB_OK;
    return tub_fail(err, TUB_ERROR_INPUT, "%s: row %lld has the value %g, more than float16 holds", file,
                    (long long)row, (double)value);
}

static tub_status write_file(const tub_resampling *r, const char *name, const float *values, const tub_feature_array *a,
                             tub_written *out, tub_atomic_file **sealed, tub_error *err)
{
    bool keep_last = r->in.sampling.align == TUB_ALIGN_BACKPAD;
    tub_feature_writer *w;
    TUB_TRY(tub_out_folder_check(&r->folder, err)); // else a lost folder would be made again
    char *path = tub_feature_path(&r->out, name);
    if (!path)
        return tub_fail_memory(err, name);
    out->rows = r->params->length ? r->params->length : tub_rows_every(a->rows, r->step, keep_last);
    tub_status status = tub_feature_begin(path, &r->out.layout, a->dim, &w, err);
    if (status == TUB_OK)
        status = write_rows(r, w, values, a, out->rows, err);
    if (status == TUB_OK)
        status = overflowed(w, name, err);
    if (status == TUB_OK)
        status = tub_feature_seal(&w, out->checksum, &out->bytes, sealed, err);
    else
        tub_feature_abandon(&w);
    tub_free(path);
    out->mtime = status == TUB_OK ? tub_atomic_mtime(*sealed) : -1;
    return status;
}

// The old line, updated with what has changed; NULL: out of memory.
static char *make_line(const tub_resampling *r, const tub_told *told, const char *name, const tub_written *w)
{
    tub_arena arena;
    tub_arena_init(&arena);
    json_t *line = json_loads(told->line, 0, NULL), *root = r->asked.root;
    const json_t *settings = json_object_get(root, "settings"), *grid = json_object_get(root, "consumers");
    const char *file = tub_arena_format(&arena, "%s%s", name, tub_layout_extension(&r->out.layout));
    const char *output = file ? tub_name_text(&arena, file) : NULL;
    json_object_set_new(line, "source_T", json_integer(told->rows));
    json_object_set_new(line, "output", output ? json_string(output) : NULL);
    json_object_set_new(line, "T", json_integer(w->rows));
    json_object_set_new(line, "bytes", json_integer(w->bytes));
    json_object_set_new(line, "checksum", json_string(w->checksum));
    json_object_set_new(line, "mtime_ns", json_integer(w->mtime));
    json_object_set_new(line, "settings", json_string(r->asked.settings));
    json_object_set_new(line, "file_dtype", json_string(r->out.layout.dtype == TUB_F16 ? "float16" : "float32"));
    json_object_set(line, "stride", json_object_get(settings, "stride"));
    json_object_set(line, "num_frames", json_object_get(grid, "num_frames"));
    json_object_set(line, "offset_frames", json_object_get(grid, "offset_frames"));
    char *text = output ? tub_json_text(line, JSON_COMPACT | JSON_REAL_PRECISION(12)) : NULL;
    json_decref(line);
    tub_arena_finish(&arena);
    return text;
}

static void forget(tub_pending *p)
{
    tub_free(p->name);
    tub_free(p);
}

// Reports the files that got their names meanwhile.
static void tell_published(tub_resampling *r)
{
    for (tub_pending *p; (p = tub_group_writer_take(r->publisher)); forget(p)) {
        r->first = p->next;
        r->totals->written++;
        r->totals->rows_in += p->rows_in;
        r->totals->rows_out += p->rows_out;
        if (r->params->on_file)
            r->params->on_file(r->params->user, p->name, p->rows_in, p->rows_out, NULL);
    }
    if (!r->first)
        r->last = &r->first;
}

// The publisher takes over the file and the line in every case.
static tub_status publish(tub_resampling *r, tub_atomic_file *file, char *line, tub_pending *p, tub_error *err)
{
    while (!tub_group_writer_has_room(r->publisher)) {
        tub_group_writer_wait(r->publisher);
        tell_published(r);
    }
    *r->last = p;
    r->last = &p->next;
    tub_status status = tub_group_writer_put(r->publisher, file, line, p, err);
    tell_published(r);
    return status;
}

static tub_status hand_over(tub_resampling *r, const tub_told *told, const char *name, const tub_written *w,
                            tub_atomic_file *file, tub_error *err)
{
    tub_pending *p = tub_calloc(1, sizeof *p);
    char *copy = tub_strdup(name), *line = make_line(r, told, name, w);
    if (p && copy && line) {
        *p = (tub_pending){.name = copy, .rows_in = told->rows, .rows_out = w->rows};
        return publish(r, file, line, p, err);
    }
    tub_atomic_abandon(&file);
    tub_free(line);
    tub_free(copy);
    tub_free(p);
    return tub_fail_memory(err, name);
}

static tub_status resample(tub_resampling *r, const tub_told *told, const char *file, const char *name, tub_error *err)
{
    tub_feature_array array;
    float *values;
    tub_written written = {0};
    tub_atomic_file *sealed = NULL;
    char *path = tub_format("%s/%s", r->in.place.folder, file);
    if (!path)
        return tub_fail_memory(err, file);
    tub_status status = tub_feature_array_read(path, r->in.place.layout.key, &array, &values, err);
    tub_free(path);
    TUB_TRY(status);
    if (array.rows != told->rows || array.dim != told->dim || !array.rows)
        status = tub_fail(err, TUB_ERROR_INPUT, "%s: it isn't as its manifest tells: verify the folder", file);
    if (status == TUB_OK)
        status = write_file(r, name, values, &array, &written, &sealed, err);
    tub_free(values);
    TUB_TRY(status);
    return hand_over(r, told, name, &written, sealed, err);
}

// If the name leads into a subfolder, removes what killed runs left there. Names of one subfolder come one after the
// other.
static void sweep_beside(tub_resampling *r, const char *name)
{
    const char *slash = strrchr(name, '/');
    const size_t length = slash ? (size_t)(slash - name) : 0;
    if (!slash || (r->swept && strncmp(r->swept, name, length) == 0 && !r->swept[length]))
        return;
    tub_free(r->swept);
    r->swept = tub_format("%.*s", (int)length, name);
    char *path = r->swept ? tub_format("%s/%s", r->params->out, r->swept) : NULL;
    if (path)
        tub_atomic_sweep(path);
    tub_free(path);
}

static tub_status resample_unless_done(tub_resampling *r, const tub_told *told, const char *file, const char *name,
                                       tub_error *err)
{
    const tub_told *there = told_there(r, name);
    sweep_beside(r, name);
    if (there && is_of_another(there, told))
        return tub_fail(err, TUB_ERROR_INPUT,
                        "%s: the features of this name in %s are of another video, %s: choose another output folder",
                        file, r->params->out, there->video);
    if (!there || !same_source(there, told))
        return resample(r, told, file, name, err);
    r->totals->done_before++;
    return TUB_OK;
}

static const tub_told *told_of(tub_resampling *r, const char *file)
{
    const char *text = tub_name_text(&r->in.arena, file);
    return text ? tub_told_find(&r->in.told, text) : NULL;
}

static tub_status add_name(tub_resampling *r, tub_stem_map *names, size_t i, tub_error *err)
{
    const char *const *files = r->in.listing.files;
    const tub_told *told = told_of(r, files[i]);
    char *name = told ? name_of(r, told, files[i], NULL) : NULL;
    const char *kept = name ? tub_arena_strdup(&r->in.arena, name) : NULL;
    const bool nameless = !name; // reported when it is its turn
    size_t before;
    tub_free(name);
    if (nameless)
        return TUB_OK;
    if (!kept || !tub_stem_map_add(names, kept, i, &before))
        return tub_fail_memory(err, "the names of files");
    if (before == (size_t)TUB_NO_STEM)
        return TUB_OK;
    return tub_fail(err, TUB_ERROR_ARGUMENT, "%s: %s and %s would both become %s%s: choose another file name",
                    r->params->in, files[before], files[i], kept, tub_layout_extension(&r->out.layout));
}

// Two files of one name would overwrite each other.
static tub_status check_names(tub_resampling *r, tub_error *err)
{
    tub_stem_map names = {0};
    tub_status status = TUB_OK;
    for (size_t i = 0; status == TUB_OK && i < r->in.listing.count; i++)
        status = add_name(r, &names, i, err);
    tub_stem_map_finish(&names);
    return status;
}

static tub_status take_file(tub_resampling *r, const char *file, tub_error *err)
{
    const tub_told *told = told_of(r, file);
    tub_error why = {0};
    tub_status status = TUB_OK;
    if (!told)
        status = tub_fail(&why, TUB_ERROR_INPUT, "%s: no line of the manifest tells of it", file);
    else if (strcmp(told->settings, r->in.settings.settings) || strcmp(told->model, r->in.settings.model))
        status = tub_fail(&why, TUB_ERROR_INPUT, "%s: made with other settings or another model", file);
    char *name = status == TUB_OK ? name_of(r, told, file, &why) : NULL;
    if (status == TUB_OK && !name)
        status = why.status < 0 ? why.status : tub_fail_memory(&why, file);
    if (name)
        status = resample_unless_done(r, told, file, name, &why);
    tub_free(name);
    if (status == TUB_ERROR_INPUT) { // concerns only this file
        r->totals->failed++;
        if (r->params->on_file)
            r->params->on_file(r->params->user, file, 0, 0, why.text);
        return TUB_OK;
    }
    if (status != TUB_OK && err)
        *err = why;
    return status;
}

static tub_status copy_missing(const tub_resampling *r, tub_error *err)
{
    enum { MOST = 1 << 28 };
    char *text, *path = tub_format("%s/missing_files.txt", r->params->in);
    size_t bytes;
    tub_status status = path ? tub_read_file(path, MOST, &text, &bytes, NULL) : TUB_ERROR_INPUT;
    tub_free(path);
    if (status != TUB_OK)
        return TUB_OK; // there is none
    status = tub_missing_save(r->params->out, text, bytes, err);
    tub_free(text);
    return status;
}

static tub_status each_file(tub_resampling *r, tub_error *err)
{
    for (size_t i = 0; i < r->in.listing.count; i++) {
        if (r->params->stop && *r->params->stop)
            return tub_fail(err, TUB_ERROR_CANCELLED, "stopped: the same command goes on");
        TUB_TRY(take_file(r, r->in.listing.files[i], err));
    }
    return TUB_OK;
}

// Complete files get their names, however the loop ended. If the folder is gone, that is reported rather than its
// consequences.
static tub_status take_files(tub_resampling *r, tub_error *err)
{
    tub_error error;
    r->totals->files = r->in.listing.count;
    r->last = &r->first;
    TUB_TRY(tub_group_writer_open(r->manifest, &r->publisher, err));
    tub_status status = each_file(r, err), published = tub_group_writer_wait_all(r->publisher, &error);
    tell_published(r);
    tub_group_writer_close(&r->publisher);
    for (tub_pending *p; (p = r->first); forget(p))
        r->first = p->next;
    if (published == TUB_OK && status != TUB_ERROR_OUTPUT)
        return status;
    TUB_TRY(tub_out_folder_check(&r->folder, err));
    if (published != TUB_OK && (status == TUB_OK || status == TUB_ERROR_CANCELLED)) {
        status = published;
        if (err)
            *err = error;
    }
    return status;
}

static tub_status run(tub_resampling *r, tub_error *err)
{
    const tub_resample_params *p = r->params;
    TUB_TRY(tub_feature_folder_open(p->in, true, &r->in, err));
    if (!r->in.settings.root || !r->in.sampling.clip_length)
        return tub_fail(err, TUB_ERROR_ARGUMENT, "%s: no features.json in it says what these rows stand on", p->in);
    TUB_TRY(choose_step(r, err));
    TUB_TRY(complete_layout(r, err));
    TUB_TRY(check_names(r, err));
    TUB_TRY(make_settings(r, err));
    TUB_TRY(open_out(r, err));
    TUB_TRY(take_files(r, err));
    TUB_TRY(tub_out_folder_check(&r->folder, err));
    return copy_missing(r, err);
}

tub_status tub_features_resample(const tub_resample_params *params, tub_resample_totals *totals, tub_error *err)
{
    if (!params || !params->out || !params->out[0])
        return tub_fail(err, TUB_ERROR_ARGUMENT, "resample: no output folder was given");
    TUB_TRY(tub_check_size("tub_resample_params", params->size, sizeof *params, err));
    TUB_TRY(tub_check_given("tub_resample_params.in", params->in, err));
    TUB_TRY(tub_check_count("tub_resample_params.stride", params->stride, err));
    tub_resample_totals unwanted;
    tub_resampling r = {.params = params, .totals = totals ? totals : &unwanted, .folder.fd = -1};
    *r.totals = (tub_resample_totals){0};
    tub_status status = run(&r, err);
    tub_out_folder_release(&r.folder);
    tub_free(r.manifest);
    tub_free(r.swept);
    tub_settings_finish(&r.asked);
    tub_feature_folder_finish(&r.there);
    tub_feature_folder_finish(&r.in);
    return status;
}
