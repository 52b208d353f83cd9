#include "fake_encoder.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fail.h"
#include "fake_source.h"

void fake_encoder_row(const void *const *frames, int count, size_t bytes, int dim, float *row)
{
    uint64_t state = 14695981039346656037u;
    for (int i = 0; i < count; i++) {
        const unsigned char *pixels = frames[i];
        for (size_t j = 0; j < bytes; j++)
            state = (state ^ pixels[j]) * 1099511628211u;
    }
    for (int d = 0; d < dim; d++) {
        state = (state ^ (uint64_t)d) * 1099511628211u;
        row[d] = (float)((double)(state >> 40) / (1 << 23) - 1);
    }
}

// Whether a frame of the poisonous video is among them. Its pixels were noted when it was parsed.
static bool is_poisoned(const fake_encoder *e, const void *const *frames, int count)
{
    if (!e->params.poison)
        return false;
    char path[64];
    unsigned char pixels[64 * 64 * 3];
    snprintf(path, sizeof path, "fake:seed=%d,frames=1000", e->params.poison - 1);
    const fake_video video = fake_video_parse(path);
    for (int64_t f = 0; f < 40; f++) {
        fake_video_pixels(&video, f, pixels);
        for (int i = 0; i < count; i++)
            if (memcmp(pixels, frames[i], e->base.info.pixel_bytes) == 0)
                return true;
    }
    return false;
}

static bool is_within(const void *frame, const char *memory, size_t bytes)
{
    return memory && (const char *)frame >= memory && (const char *)frame < memory + bytes;
}

// ---- made frames: each byte is followed by its complement ----

static size_t fake_frame_bytes(const tub_encoder *encoder)
{
    return ((const fake_encoder *)encoder)->params.makes_frames ? 2 * encoder->info.pixel_bytes : 0;
}

static void to_made(const unsigned char *pixels, size_t bytes, unsigned char *made)
{
    for (size_t i = 0; i < bytes; i++) {
        made[2 * i] = pixels[i];
        made[2 * i + 1] = 255 - pixels[i];
    }
}

static bool to_pixels(const unsigned char *made, size_t bytes, unsigned char *pixels)
{
    for (size_t i = 0; i < bytes; i++) {
        if (made[2 * i + 1] + made[2 * i] != 255)
            return false;
        pixels[i] = made[2 * i];
    }
    return true;
}

// The same frames, all as pixels. The caller frees both.
static bool all_as_pixels(const fake_encoder *e, const void *const *frames, const bool *made, int count,
                          const void ***out, unsigned char **memory)
{
    const size_t bytes = e->base.info.pixel_bytes;
    *out = calloc((size_t)count, sizeof **out);
    *memory = malloc((size_t)count * bytes);
    for (int i = 0; i < count; i++) {
        unsigned char *pixels = *memory + (size_t)i * bytes;
        (*out)[i] = made && made[i] ? pixels : frames[i];
        if (made && made[i] && !to_pixels(frames[i], bytes, pixels))
            return false;
    }
    return true;
}

static void fill_rows(const fake_encoder *e, const void *const *frames, int items, float *rows, float *tokens)
{
    const tub_encoder_info *info = &e->base.info;
    for (int i = 0; i < items; i++) {
        const void *const *item = frames + i * info->frames;
        fake_encoder_row(item, info->frames, info->pixel_bytes, info->dim, rows + i * info->dim);
        if (tokens)
            fake_encoder_row(item, info->frames, info->pixel_bytes, info->tokens * info->token_dim,
                             tokens + i * info->tokens * info->token_dim);
    }
}

static tub_status encode(fake_encoder *e, int lane, const void *const *frames, const bool *made, int items, float *rows,
                         float *tokens, tub_error *err)
{
    const int count = items * e->base.info.frames;
    const void **pixels = NULL;
    unsigned char *memory = NULL;
    tub_status status = TUB_OK;
    if (!all_as_pixels(e, frames, made, count, &pixels, &memory))
        status = tub_fail(err, TUB_ERROR_INTERNAL, "a frame that wasn't made is said to be");
    else if (is_poisoned(e, pixels, count))
        status = tub_fail(err, TUB_ERROR_DEVICE, "fake device %d choked", lane);
    else
        fill_rows(e, pixels, items, rows, tokens);
    free(pixels);
    free(memory);
    return status;
}

static int runs_of_others(fake_encoder *e, int lane)
{
    int runs = 0;
    for (int i = 0; i < FAKE_LANES; i++)
        runs += i == lane ? 0 : atomic_load(&e->lane_runs[i]);
    return runs;
}

// The others' first runs begin no sooner. The wait ends eventually, so that a failing test can report its counts.
static void wait_for_others(fake_encoder *e, int lane)
{
    const int *waits = e->params.lane_waits;
    int waiting = 0;
    for (int i = 0; i < FAKE_LANES; i++)
        waiting += waits[i] > 0;
    e->met += waits[lane] > 0;
    for (int i = 0; e->met < waiting || runs_of_others(e, lane) < waits[lane]; i++) {
        if (i == 20000) {
            e->in_vain++;
            return;
        }
        usleep(1000);
    }
}

static tub_status fake_run_lane(tub_encoder *encoder, int lane, const tub_lane_run *run, float *tokens, tub_error *err)
{
    const void *const *frames = run->frames;
    const bool *made = run->made;
    const int items = run->items;
    fake_encoder *e = (fake_encoder *)encoder;
    const tub_encoder_info *info = &e->base.info;
    if (e->params.delay)
        usleep((useconds_t)e->params.delay);
    if (atomic_load(&e->lane_runs[lane]) == 0)
        wait_for_others(e, lane);
    const int lane_run = atomic_fetch_add(&e->lane_runs[lane], 1) + 1;
    if (e->params.lane_fail[lane] && lane_run >= e->params.lane_fail[lane])
        return tub_fail(err, TUB_ERROR_DEVICE, "fake device %d is out of order", lane);
    for (int i = 0; e->pinned && i < items * info->frames; i++) {
        const bool own = is_within(frames[i], e->held[lane], e->held_bytes);
        if (!own && !is_within(frames[i], e->pinned, e->pinned_bytes))
            return tub_fail(err, TUB_ERROR_INTERNAL, "a frame outside of the pinned memory and the device's");
        if (own && !made[i])
            return tub_fail(err, TUB_ERROR_INTERNAL, "a frame of the device's that it hasn't made");
        e->own += own;
    }
    if (atomic_fetch_add(&e->runs, 1) + 1 == e->params.fail)
        return tub_fail(err, TUB_ERROR_DEVICE, "the fake device is out of order");
    if (items < 1 || items > info->batch)
        return tub_fail(err, TUB_ERROR_INTERNAL, "%d items", items);
    e->items += items;
    e->full += items == info->batch;
    return encode(e, lane, frames, made, items, run->rows, tokens, err);
}

static tub_status fake_run(tub_encoder *encoder, const void *const *frames, int items, float *rows, float *tokens,
                           tub_error *err)
{
    const tub_lane_run all = {.frames = frames, .items = items, .rows = rows};
    return fake_run_lane(encoder, 0, &all, tokens, err);
}

static bool fake_overlaps(const tub_encoder *encoder)
{
    return ((const fake_encoder *)encoder)->params.overlaps;
}

static tub_status fake_begin_lane(tub_encoder *encoder, int lane, const tub_lane_run *run, tub_error *err)
{
    fake_encoder *e = (fake_encoder *)encoder;
    if (e->begun_count[lane] == TUB_LANE_RUNS)
        return tub_fail(err, TUB_ERROR_INTERNAL, "too many runs at once");
    e->ahead += e->begun_count[lane] > 0;
    e->begun[lane][e->begun_count[lane]++] = *run;
    return TUB_OK;
}

static tub_status fake_end_lane(tub_encoder *encoder, int lane, tub_error *err)
{
    fake_encoder *e = (fake_encoder *)encoder;
    const tub_lane_run run = e->begun[lane][0];
    if (e->begun_count[lane] == 0)
        return tub_fail(err, TUB_ERROR_INTERNAL, "no run was begun");
    e->begun[lane][0] = e->begun[lane][1];
    e->begun_count[lane]--;
    return fake_run_lane(encoder, lane, &run, NULL, err);
}

static tub_status fake_pin(tub_encoder *encoder, void *memory, size_t bytes, tub_error *err)
{
    fake_encoder *e = (fake_encoder *)encoder;
    e->pins++;
    if (e->params.no_pinning)
        return tub_fail(err, TUB_ERROR_DEVICE, "the fake device pins nothing");
    e->pinned = memory;
    e->pinned_bytes = bytes;
    return TUB_OK;
}

static void fake_unpin(tub_encoder *encoder, void *memory)
{
    fake_encoder *e = (fake_encoder *)encoder;
    e->unpins += memory == e->pinned;
}

static tub_status fake_hold_frames(tub_encoder *encoder, int lane, size_t bytes, void **out, tub_error *err)
{
    fake_encoder *e = (fake_encoder *)encoder;
    if (!e->params.makes_frames)
        return TUB_END;
    if (e->params.no_frames == lane + 1)
        return tub_fail(err, TUB_ERROR_MEMORY, "fake device %d has no memory", lane);
    *out = e->held[lane] = malloc(bytes);
    e->held_bytes = bytes;
    return TUB_OK;
}

static void fake_drop_frames(tub_encoder *encoder, int lane)
{
    fake_encoder *e = (fake_encoder *)encoder;
    free(e->held[lane]);
    e->held[lane] = NULL;
}

static tub_status fake_make_frame(tub_encoder *encoder, int lane, const tub_frame_recipe *recipe,
                                  const tub_frame_planes *planes, void *at, void *host, tub_error *err)
{
    fake_encoder *e = (fake_encoder *)encoder;
    const int frame = atomic_fetch_add(&e->made[lane], 1);
    if (e->params.frame_fail[lane] && frame + 1 >= e->params.frame_fail[lane]) {
        e->made[lane]--;
        return tub_fail(err, TUB_ERROR_DEVICE, "fake device %d is blind", lane);
    }
    if (!recipe || !is_within(at, e->held[lane], e->held_bytes))
        return tub_fail(err, TUB_ERROR_INTERNAL, "a frame outside of the device's memory");
    to_made(planes->planes[0], e->base.info.pixel_bytes, at);
    if (host)
        memcpy(host, at, fake_frame_bytes(encoder));
    e->copied += host != NULL;
    return TUB_OK;
}

static void fake_close(tub_encoder *encoder)
{
    free(encoder);
}

static const tub_encoder_ops fake_ops = {
    .run = fake_run,
    .close = fake_close,
    .run_lane = fake_run_lane,
    .overlaps = fake_overlaps,
    .begin_lane = fake_begin_lane,
    .end_lane = fake_end_lane,
    .pin = fake_pin,
    .unpin = fake_unpin,
    .frame_bytes = fake_frame_bytes,
    .hold_frames = fake_hold_frames,
    .drop_frames = fake_drop_frames,
    .make_frame = fake_make_frame,
};

fake_encoder *fake_encoder_create(const fake_encoder_params *params)
{
    fake_encoder *e = calloc(1, sizeof *e);
    e->params = *params;
    e->params.overlaps |= getenv("FAKE_ENCODER_OVERLAPS") != NULL;
    e->base.ops = &fake_ops;
    tub_encoder_info *info = &e->base.info;
    info->family = "fake";
    info->device = "a fake";
    info->per_frame = params->per_frame;
    info->frames = params->per_frame ? 1 : params->frames ? params->frames : 4;
    info->dim = params->dim ? params->dim : 5;
    info->tokens = 3;
    info->token_dim = 2;
    info->height = params->height ? params->height : 4;
    info->width = params->width ? params->width : 6;
    info->pixel_bytes = (size_t)(info->height * info->width * 3);
    info->batch = params->batch ? params->batch : 4;
    info->eager = params->eager;
    info->dtype = TUB_F32;
    info->lanes = params->lanes ? params->lanes : 1;
    memcpy(info->gpus, params->gpus, sizeof params->gpus);
    return e;
}
