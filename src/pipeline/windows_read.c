#include <string.h>

#include "fail.h"
#include "frame_walk.h"
#include "memory.h"
#include "pixel_plan.h"
#include "team.h"

enum { MOST_DECODING_THREADS = 16 };

typedef struct reader {
    tub_slot_pool *pool;
    const void **frames;
    int clip_length;
    tub_deliver_clip deliver;
    void *user;
    int64_t rows;
} reader;

static bool deliver_window(void *user, int64_t row, const int *slots)
{
    reader *r = user;
    for (int i = 0; i < r->clip_length; i++)
        r->frames[i] = tub_slot_pool_memory(r->pool, slots[i]);
    if (!r->deliver(r->user, r->frames, row))
        return false;
    r->rows++;
    return true;
}

static const tub_walk_sink window_sink = {.window = deliver_window};

// The walk pins the windower's frames and, with resampling, the candidate and the last frame decided.
static tub_status open_pool(const tub_sampling *s, size_t bytes, tub_slot_pool **out, tub_error *err)
{
    int64_t slots = tub_windower_most_held(s) + 2;
    if (slots < 1 || slots > 1 << 24)
        return tub_fail(err, TUB_ERROR_MEMORY, "clips of %d frames, interval %d, stride %d hold too many frames",
                        s->clip_length, s->interval, s->stride);
    return tub_slot_pool_open((int)slots, bytes, out, err);
}

static tub_status read_all(const tub_source_ops *source, void *video, const tub_sampling *s, reader *r, tub_error *err)
{
    int height = 0, width = 0;
    bool is_float = false;
    size_t bytes = 0;
    source->pixels(video, &height, &width, &is_float, &bytes);
    r->clip_length = s->clip_length;
    r->frames = tub_calloc((size_t)s->clip_length, sizeof *r->frames);
    if (!r->frames)
        return tub_fail_memory(err, "a clip");
    TUB_TRY(open_pool(s, bytes, &r->pool, err));
    tub_walk walk = {.ops = source, .source = video, .sampling = s, .pool = r->pool, .sink = &window_sink, .user = r};
    tub_status status = tub_walk_run(&walk, err);
    return status == TUB_END ? TUB_OK : status;
}

static tub_status check(const char *path, const tub_transform *transform, tub_deliver_clip deliver, tub_error *err)
{
    int height = 0, width = 0;
    if (!path || !deliver)
        return tub_fail(err, TUB_ERROR_ARGUMENT, "windows: no path, or nobody to deliver to");
    if (!transform || !tub_transform_fixed_size(transform, &height, &width))
        return tub_fail(err, TUB_ERROR_ARGUMENT, "windows: the transform must fix the size: resize exactly, or crop");
    return TUB_OK;
}

tub_status tub_windows_read_source(const tub_source_ops *source, const char *path, const tub_sampling *sampling,
                                   const tub_transform *transform, int video_stream, tub_deliver_clip deliver,
                                   void *user, int64_t *out_rows, tub_error *err)
{
    tub_sampling s;
    reader r = {.deliver = deliver, .user = user};
    void *video = NULL;
    int threads = tub_usable_processors();
    tub_video_params params = {.size = sizeof params, .stream = video_stream, .transform = transform};
    params.threads = threads < MOST_DECODING_THREADS ? threads : MOST_DECODING_THREADS;

    if (out_rows)
        *out_rows = 0;
    TUB_TRY(check(path, transform, deliver, err));
    TUB_TRY(tub_sampling_resolve(sampling, 0, &s, err));
    tub_walk_tell_wants(&s, &params);
    TUB_TRY(source->open(path, &params, &video, err));
    tub_status status = read_all(source, video, &s, &r, err);
    if (status < 0 && err && !strstr(err->text, path))
        tub_fail_within(err, status, "%s", path);
    if (out_rows)
        *out_rows = r.rows;
    tub_slot_pool_close(&r.pool);
    tub_free(r.frames);
    source->close(&video);
    return status;
}

tub_status tub_windows_read(const char *path, const tub_sampling *sampling, const tub_transform *transform,
                            int video_stream, tub_deliver_clip deliver, void *user, int64_t *out_rows, tub_error *err)
{
    return tub_windows_read_source(&tub_source_video, path, sampling, transform, video_stream, deliver, user, out_rows,
                                   err);
}
