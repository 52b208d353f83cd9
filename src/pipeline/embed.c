// tub_encoder_embed(): frames in memory through media's pixels and an encoder.
#include <string.h>
#include <tubelet/encoder.h>

#include "fail.h"
#include "memory.h"
#include "pixel_ops.h"
#include "unit_row.h"
#include "window_mean.h"

typedef struct embedding {
    tub_encoder *encoder;
    const tub_encoder_info *info;
    tub_pixels *pixels;
    int frames_per_clip, item_frames, batch;
    unsigned char *slots; // batch * item_frames frames, transformed
    const void **pointers;
    float *rows;        // rows of a batch
    const float **clip; // frame models: pointers into clip_rows
    float *clip_rows;   // frame models: the rows of the current clip
    double *sum;
    float (*tables)[256]; // what a level becomes, by channel
} embedding;

static void finish(embedding *e)
{
    tub_pixels_close(&e->pixels);
    tub_free(e->slots);
    tub_free(e->pointers);
    tub_free(e->rows);
    tub_free(e->clip);
    tub_free(e->clip_rows);
    tub_free(e->sum);
    tub_free(e->tables);
}

static tub_status check_request(const tub_encoder_info *info, const uint8_t *frames, int64_t clips, int frames_per_clip,
                                tub_error *err)
{
    if (!frames || clips < 0 || frames_per_clip < 1 || clips > INT64_MAX / frames_per_clip)
        return tub_fail(err, TUB_ERROR_ARGUMENT, "embed: %lld clips of %d frames", (long long)clips, frames_per_clip);
    if (!info->per_frame && frames_per_clip != info->frames)
        return tub_fail(err, TUB_ERROR_MODEL, "embed: the clips have %d frames, but the %s model takes %d",
                        frames_per_clip, info->family ? info->family : "", info->frames);
    return TUB_OK;
}

static tub_status check_pixels(const embedding *e, int height, int width, tub_error *err)
{
    const tub_pixel_plan *plan = tub_pixels_plan(e->pixels);
    const tub_encoder_info *info = e->info;
    if (plan->out_height != info->height || plan->out_width != info->width || plan->bytes != info->pixel_bytes)
        return tub_fail(
            err, TUB_ERROR_ARGUMENT,
            "embed: frames of %dx%d become %dx%d in the transform, but the model takes %dx%d: choose a size "
            "or a crop",
            height, width, plan->out_height, plan->out_width, info->height, info->width);
    return TUB_OK;
}

static tub_status prepare(embedding *e, int height, int width, tub_error *err)
{
    const tub_encoder_info *info = e->info;
    e->item_frames = info->per_frame ? 1 : info->frames;
    e->batch = info->batch > 0 ? info->batch : 1;
    TUB_TRY(tub_pixels_open(&info->transform, height, width, &e->pixels, err));
    TUB_TRY(check_pixels(e, height, width, err));
    size_t frames = (size_t)e->batch * (size_t)e->item_frames, dim = (size_t)info->dim;
    size_t clip_frames = info->per_frame ? (size_t)e->frames_per_clip : 0, clip_values = 0;
    if (!tub_size_mul(clip_frames, dim, &clip_values))
        return tub_fail_memory(err, "the rows of a clip");
    e->slots = tub_alloc_aligned(frames, info->pixel_bytes);
    e->pointers = tub_calloc(frames, sizeof *e->pointers);
    e->rows = tub_calloc((size_t)e->batch * dim, sizeof *e->rows);
    e->clip = tub_calloc(clip_frames, sizeof *e->clip);
    e->clip_rows = tub_calloc(clip_values, sizeof *e->clip_rows);
    e->sum = tub_calloc(dim, sizeof *e->sum);
    e->tables = tub_calloc(3, sizeof *e->tables);
    if (!e->slots || !e->pointers || !e->rows || !e->clip || !e->clip_rows || !e->sum || !e->tables)
        return tub_fail_memory(err, "a batch of clips");
    for (size_t i = 0; i < frames; i++)
        e->pointers[i] = e->slots + i * info->pixel_bytes;
    for (size_t i = 0; i < clip_frames; i++)
        e->clip[i] = e->clip_rows + i * dim;
    for (int c = 0; c < 3; c++)
        tub_transform_table(&info->transform, c, e->tables[c]);
    return TUB_OK;
}

// Writes what enters the patch embedding: planar float32, normalized.
static void write_pixels(const embedding *e, const unsigned char *slot, float *out)
{
    size_t plane = (size_t)e->info->height * (size_t)e->info->width;
    if (e->info->pixels_are_float) {
        memcpy(out, slot, 3 * plane * sizeof *out);
        return;
    }
    for (int c = 0; c < 3; c++)
        for (size_t i = 0; i < plane; i++)
            out[(size_t)c * plane + i] = e->tables[c][slot[3 * i + (size_t)c]];
}

// Frame models: a row is one frame's. The clip's feature follows its last frame.
static void collect_frames(embedding *e, int64_t first, int items, float *feature)
{
    size_t dim = (size_t)e->info->dim;
    for (int i = 0; i < items; i++) {
        int64_t clip = (first + i) / e->frames_per_clip;
        int frame = (int)((first + i) % e->frames_per_clip);
        memcpy(e->clip_rows + (size_t)frame * dim, e->rows + (size_t)i * dim, dim * sizeof *e->rows);
        if (frame != e->frames_per_clip - 1)
            continue;
        tub_window_mean(e->clip, e->frames_per_clip, e->info->dim, e->sum, feature + (size_t)clip * dim);
        if (e->info->l2_normalize)
            tub_make_unit(feature + (size_t)clip * dim, dim);
    }
}

static tub_status encode(embedding *e, int64_t first, int items, float *feature, float *tokens, tub_error *err)
{
    size_t item_tokens = (size_t)e->info->tokens * (size_t)e->info->token_dim, dim = (size_t)e->info->dim;
    float *out = tokens ? tokens + (size_t)first * item_tokens : NULL;
    TUB_TRY(tub_encoder_run(e->encoder, e->pointers, items, e->rows, out, err));
    if (feature && e->info->per_frame)
        collect_frames(e, first, items, feature);
    else if (feature)
        memcpy(feature + (size_t)first * dim, e->rows, (size_t)items * dim * sizeof *feature);
    return TUB_OK;
}

static tub_status embed_all(embedding *e, const uint8_t *frames, int64_t items, int height, int width, float *feature,
                            float *tokens, float *pixels, tub_error *err)
{
    size_t frame_bytes = (size_t)height * (size_t)width * 3;
    size_t values = 3 * (size_t)e->info->height * (size_t)e->info->width;
    for (int64_t first = 0; first < items; first += e->batch) {
        int count = items - first < e->batch ? (int)(items - first) : e->batch;
        size_t from = (size_t)first * (size_t)e->item_frames;
        for (size_t i = 0; i < (size_t)count * (size_t)e->item_frames; i++) {
            unsigned char *slot = e->slots + i * e->info->pixel_bytes;
            tub_pixels_run(e->pixels, frames + (from + i) * frame_bytes, (ptrdiff_t)width * 3, slot);
            if (pixels)
                write_pixels(e, slot, pixels + (from + i) * values);
        }
        if (feature || tokens)
            TUB_TRY(encode(e, first, count, feature, tokens, err));
    }
    return TUB_OK;
}

tub_status tub_encoder_embed(tub_encoder *encoder, const uint8_t *frames, int64_t clips, int frames_per_clip,
                             int height, int width, float *feature, float *tokens, float *pixels, tub_error *err)
{
    if (!encoder)
        return tub_fail(err, TUB_ERROR_ARGUMENT, "embed: no encoder");
    embedding e = {.encoder = encoder, .info = tub_encoder_get_info(encoder), .frames_per_clip = frames_per_clip};
    TUB_TRY(check_request(e.info, frames, clips, frames_per_clip, err));
    tub_status status = prepare(&e, height, width, err);
    if (status == TUB_OK) {
        int64_t items = e.info->per_frame ? clips * frames_per_clip : clips;
        status = embed_all(&e, frames, items, height, width, feature, tokens, pixels, err);
    }
    finish(&e);
    return status;
}
