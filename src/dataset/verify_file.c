#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <tubelet/video.h>

#include "hash.h"
#include "inputs.h"
#include "memory.h"
#include "verify_impl.h"

// The file being checked.
typedef struct tub_subject {
    tub_verify *v;
    const char *file, *path, *id;
    const tub_told *told; // NULL: nothing
    const tub_fact *fact; // likewise
    tub_feature_array array;
    float *values; // NULL: not read
} tub_subject;

#define TELL(s, kind, ...) tub_verify_tell((s)->v, kind, (s)->file, (s)->id, __VA_ARGS__)

static const char *after_path(const tub_subject *s, const char *text)
{
    size_t length = strlen(s->path);
    return strncmp(text, s->path, length) == 0 && strncmp(text + length, ": ", 2) == 0 ? text + length + 2 : text;
}

// In pieces, as a file for hours of video may have gigabytes.
static tub_status hash_file(const char *path, char out[TUB_HASH_TEXT], tub_error *err)
{
    tub_hash *hash = tub_hash_create();
    if (!hash)
        return tub_fail_memory(err, path);
    tub_status status = tub_hash_file(hash, path, TUB_ERROR_INPUT, err);
    tub_hash_text(hash, out);
    tub_hash_destroy(&hash);
    return status;
}

// A file that the system can't read now may still be intact.
static tub_status tell_lost(tub_subject *s, const tub_error *why, tub_error *err)
{
    char hash[TUB_HASH_TEXT];
    struct stat info;
    tub_error unread;
    const bool is_file = stat(s->path, &info) == 0 ? S_ISREG(info.st_mode) : errno != ENOENT;
    const tub_status status = is_file ? hash_file(s->path, hash, &unread) : TUB_OK;
    if (status == TUB_OK)
        TELL(s, TUB_FINDING_BROKEN, "%s", after_path(s, why->text));
    else if (status == TUB_ERROR_INPUT)
        TELL(s, TUB_FINDING_UNREADABLE, "%s", after_path(s, unread.text));
    else
        return tub_fail(err, status, "%s", unread.text);
    return TUB_OK;
}

// False: there is no array to check.
static bool read_array(tub_subject *s, tub_status *status, tub_error *err)
{
    const char *key = s->v->folder.place.layout.key;
    tub_error why;
    *status = s->v->params->quick ? tub_feature_array_stat(s->path, key, &s->array, &why)
                                  : tub_feature_array_read(s->path, key, &s->array, &s->values, &why);
    if (*status == TUB_ERROR_INPUT) {
        *status = tell_lost(s, &why, err);
        return false;
    }
    if (*status != TUB_OK && err)
        *err = why;
    return *status == TUB_OK;
}

static const char *dtype_text(tub_dtype dtype)
{
    return dtype == TUB_F16 ? "float16" : "float32";
}

static void check_kind(tub_subject *s)
{
    const tub_verify *v = s->v;
    if (s->array.dtype != v->dtype)
        TELL(s, TUB_FINDING_DTYPE, "its values are %s, the folder's %s", dtype_text(s->array.dtype),
             dtype_text(v->dtype));
    if (v->dim && s->array.dim != v->dim)
        TELL(s, TUB_FINDING_DIM, "C is %lld, the folder's %lld: another model's file", (long long)s->array.dim,
             (long long)v->dim);
}

static void check_finite(tub_subject *s)
{
    int64_t count = s->array.rows * s->array.dim, first = -1, wrong = 0;
    for (int64_t i = 0; s->values && i < count; i++)
        if (!isfinite(s->values[i])) {
            first = first < 0 ? i : first;
            wrong++;
        }
    if (wrong)
        TELL(s, TUB_FINDING_NOT_FINITE, "%lld of its values aren't finite, the first %g in row %lld", (long long)wrong,
             (double)s->values[first], (long long)(first / s->array.dim));
}

static void say_settings(tub_subject *s)
{
    const tub_told *t = s->told;
    const tub_sampling *f = &s->v->folder.sampling;
    char text[200] = "";
    size_t used = 0;
    const struct {
        const char *name;
        int64_t there, folder;
    } parts[] = {{"clip length", t->clip_length, f->clip_length},
                 {"stride", t->stride, f->stride},
                 {"interval", t->interval, f->interval}};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        if (parts[i].there > 0 && parts[i].there != parts[i].folder)
            used += (size_t)snprintf(text + used, sizeof text - used, ": %s %lld, the folder's %lld", parts[i].name,
                                     (long long)parts[i].there, (long long)parts[i].folder);
    if (t->align[0] && strcmp(t->align, tub_align_name(f->align)))
        snprintf(text + used, sizeof text - used, ": align %.40s, the folder's %s", t->align, tub_align_name(f->align));
    TELL(s, TUB_FINDING_SETTINGS, "made with other settings than features.json says%s", text);
}

static void check_rows(tub_subject *s, bool same_settings)
{
    const tub_told *t = s->told;
    const tub_feature_folder *f = &s->v->folder;
    long long rows = (long long)s->array.rows;
    if (t->rows >= 0 && t->rows != s->array.rows) {
        TELL(s, TUB_FINDING_ROWS, "T is %lld, the manifest tells %lld", rows, (long long)t->rows);
        return;
    }
    // Older lines tell only the frames that were decoded.
    int64_t frames = t->frames_used >= 0 ? t->frames_used : f->sampling.fps > 0 ? -1 : t->frames;
    if (!same_settings || frames < 0 || !f->sampling.clip_length)
        return;
    int64_t expected = tub_feature_folder_rows(f, frames);
    if (expected != s->array.rows)
        TELL(s, TUB_FINDING_ROWS, "T is %lld, %lld frames give %lld", rows, (long long)frames, (long long)expected);
}

static tub_status check_bytes(tub_subject *s, tub_error *err)
{
    const tub_told *t = s->told;
    if (t->bytes >= 0 && t->bytes != s->array.bytes) {
        TELL(s, TUB_FINDING_CHECKSUM, "it has %lld bytes, %lld were written", (long long)s->array.bytes,
             (long long)t->bytes);
        return TUB_OK;
    }
    if (s->v->params->quick || !t->checksum[0])
        return TUB_OK;
    char hash[TUB_HASH_TEXT];
    tub_error why;
    tub_status status = hash_file(s->path, hash, &why);
    if (status == TUB_ERROR_INPUT) {
        TELL(s, TUB_FINDING_UNREADABLE, "%s", after_path(s, why.text));
        return TUB_OK;
    }
    if (status != TUB_OK)
        return tub_fail(err, status, "%s", why.text);
    if (strcmp(hash, t->checksum))
        TELL(s, TUB_FINDING_CHECKSUM, "not the bytes that were written: changed since, or another run's file");
    return TUB_OK;
}

static tub_status check_frames(tub_subject *s, tub_error *err)
{
    const tub_told *t = s->told;
    tub_video_info video;
    tub_error why;
    const tub_video_params params = {.size = sizeof params, .stream = s->v->folder.video_stream};
    const tub_status status = tub_video_probe(t->video, &params, true, &video, &why);
    if (status == TUB_ERROR_MEMORY) // says nothing about the video
        return tub_fail(err, status, "%s", why.text);
    if (status != TUB_OK)
        TELL(s, TUB_FINDING_STALE, "its video can't be decoded again: %s", why.text);
    else if (t->frames >= 0 && video.frames != t->frames)
        TELL(s, TUB_FINDING_STALE, "its video gave %lld frames and gives %lld now: %s", (long long)t->frames,
             (long long)video.frames, t->video);
    return TUB_OK;
}

static tub_status check_video(tub_subject *s, tub_error *err)
{
    const tub_told *t = s->told;
    struct stat info;
    if (!t->video[0] || strstr(t->video, "\xef\xbf\xbd")) // not a name that can be opened
        return TUB_OK;
    bool there = stat(t->video, &info) == 0;
    if (there && t->video_bytes >= 0 && info.st_size != t->video_bytes) {
        if (t->video_bytes == TUB_CHANGED)
            TELL(s, TUB_FINDING_STALE, "its video was written to while it was read: %s", t->video);
        else
            TELL(s, TUB_FINDING_STALE, "its video had %lld bytes and has %lld now: %s", (long long)t->video_bytes,
                 (long long)info.st_size, t->video);
        return TUB_OK;
    }
    return s->v->params->deep ? check_frames(s, err) : TUB_OK;
}

static tub_status check_told(tub_subject *s, tub_error *err)
{
    const tub_told *t = s->told;
    const tub_settings *there = &s->v->folder.settings;
    if (!t) {
        if (s->v->folder.told.count)
            TELL(s, TUB_FINDING_EXTRA,
                 "no line of the manifest tells of it: of a run that is under way or was killed, or another's file");
        return TUB_OK;
    }
    bool same = !there->root || !t->settings[0] || strcmp(t->settings, there->settings) == 0;
    if (!same)
        say_settings(s);
    if (there->root && t->model[0] && strcmp(t->model, there->model))
        TELL(s, TUB_FINDING_MODEL, "made with another model than features.json says");
    check_rows(s, same);
    TUB_TRY(check_video(s, err));
    return check_bytes(s, err);
}

// Seconds that the rows stand for; 0 = not known.
static double seconds_of(const tub_subject *s)
{
    const tub_told *t = s->told;
    const tub_feature_folder *f = &s->v->folder;
    tub_grid grid;
    if (t && t->fps > 0 && t->frames_used >= 0)
        return (double)t->frames_used / t->fps;
    if (t && t->fps > 0 && f->sampling.fps == 0 && t->frames >= 0)
        return (double)t->frames / t->fps;
    double fps = f->sampling.fps > 0 ? f->sampling.fps : s->fact->fps;
    if (fps == 0 && s->fact->frames > 0 && s->fact->duration > 0)
        fps = s->fact->frames / s->fact->duration;
    if (fps == 0 || !tub_feature_folder_grid(f, &grid))
        return 0;
    return ((double)(s->array.rows - 1) * grid.stride + fmax(grid.num_frames, grid.stride)) / fps;
}

// The lengths of container, decoder and annotators always differ a little.
static void check_duration(tub_subject *s)
{
    const double share = 0.02, seconds = 1;
    const tub_fact *fact = s->fact;
    if (!fact)
        return;
    double length = fact->duration;
    if (length == 0 && fact->frames > 0 && fact->fps > 0)
        length = fact->frames / fact->fps;
    double there = seconds_of(s);
    if (length == 0 || there == 0) {
        s->v->totals->without_length++;
        return;
    }
    tub_grid grid = {0};
    tub_feature_folder_grid(&s->v->folder, &grid);
    double fps = s->told && s->told->fps > 0 ? s->told->fps : s->v->folder.sampling.fps;
    double allowed = fmax(seconds, share * length) + (fps > 0 ? grid.stride / fps : 0);
    if (fabs(there - length) > allowed)
        TELL(s, TUB_FINDING_DURATION, "its %lld rows are of %.2f s, the annotations say %.2f s",
             (long long)s->array.rows, there, length);
}

static tub_status check(tub_subject *s, tub_error *err)
{
    tub_status status;
    if (!read_array(s, &status, err))
        return status;
    s->v->totals->rows += s->array.rows;
    s->v->totals->bytes += s->array.bytes;
    check_kind(s);
    check_finite(s);
    status = check_told(s, err);
    check_duration(s);
    tub_free(s->values);
    return status;
}

tub_status tub_verify_file(tub_verify *v, size_t file, tub_error *err)
{
    const char *name = v->folder.listing.files[file];
    char *path = tub_format("%s/%s", v->folder.place.folder, name);
    if (!path)
        return tub_fail_memory(err, name);
    tub_subject s = {.v = v, .file = name, .path = path, .told = tub_verify_told(v, name), .fact = v->fact[file]};
    s.id = s.fact ? s.fact->id : NULL;
    v->found = 0;
    tub_status status = check(&s, err);
    v->totals->good += !v->found;
    tub_free(path);
    return status;
}
