#include "frame_yuv.h"

#include <string.h>

#include "cpu.h"
#include "frame_rgb.h"
#include "memory.h"
#include "pixel_kernels.h"

enum { NOISE_ROWS = 4, DEEP_ROWS = 16 };

static bool shape_of(const AVFrame *frame, int format, tub_picture *out)
{
    bool jpeg = format == AV_PIX_FMT_YUVJ420P || format == AV_PIX_FMT_YUVJ422P || format == AV_PIX_FMT_YUVJ444P;
    bool full = frame->color_range == AVCOL_RANGE_UNSPECIFIED ? jpeg : frame->color_range == AVCOL_RANGE_JPEG;
    *out = (tub_picture){.matrix = tub_matrix_make(tub_colour_coefficients(frame->colorspace), full)};
    out->kind = TUB_PICTURE_HALF;
    if (format == AV_PIX_FMT_YUV420P || format == AV_PIX_FMT_YUVJ420P)
        out->chroma_shift = 1;
    else if (format == AV_PIX_FMT_YUV444P || format == AV_PIX_FMT_YUVJ444P)
        out->kind = TUB_PICTURE_FULL;
    else
        return format == AV_PIX_FMT_YUV422P || format == AV_PIX_FMT_YUVJ422P;
    return true;
}

static void point_at(tub_picture *picture, const AVFrame *frame)
{
    for (int i = 0; i < 3; i++) {
        picture->planes[i] = frame->data[i];
        picture->pitches[i] = frame->linesize[i];
    }
}

static void fill_noise(const AVFrame *frame, int chroma_shift)
{
    uint32_t state = 1;
    for (int i = 0; i < 3; i++)
        for (int at = 0; at < frame->linesize[i] * (i ? NOISE_ROWS >> chroma_shift : NOISE_ROWS); at++) {
            state = state * 1664525u + 1013904223u;
            frame->data[i][at] = (uint8_t)(state >> 24);
        }
}

static bool rows_agree(const AVFrame *noise, tub_picture picture, const uint8_t *rgb, ptrdiff_t pitch, uint8_t *row)
{
    const tub_pixel_kernels *kernels = tub_pixel_kernels_for(tub_cpu_isa());
    point_at(&picture, noise);
    for (int y = 0; y < NOISE_ROWS; y++) {
        const uint8_t *planes[3];
        tub_picture_row(&picture, y, planes);
        if (picture.kind == TUB_PICTURE_HALF)
            kernels->rgb_half(&picture.matrix, planes, noise->width, row);
        else
            kernels->rgb_full(&picture.matrix, planes, noise->width, row);
        if (memcmp(row, rgb + y * pitch, (size_t)noise->width * 3) != 0)
            return false;
    }
    return true;
}

static bool rgb_of(AVFrame *noise, tub_frame_rgb *converter, const uint8_t **rgb, ptrdiff_t *pitch)
{
    return tub_frame_rgb_convert(converter, noise, noise->width, noise->height, rgb, pitch, NULL) == TUB_OK;
}

static bool agrees(AVFrame *noise, const tub_picture *shape, tub_frame_rgb *converter)
{
    const uint8_t *rgb;
    ptrdiff_t pitch;
    fill_noise(noise, shape->chroma_shift);
    if (!rgb_of(noise, converter, &rgb, &pitch))
        return false;
    uint8_t *row = tub_calloc((size_t)noise->width, 3);
    bool same = row && rows_agree(noise, *shape, rgb, pitch, row);
    tub_free(row);
    return same;
}

// ---- more than 8 bits ----

static uint16_t *words(const AVFrame *frame, int plane, int y)
{
    return (uint16_t *)(void *)(frame->data[plane] + (ptrdiff_t)y * frame->linesize[plane]);
}

static void fill_deep_noise(const AVFrame *frame, int bits)
{
    uint32_t state = 1;
    for (int i = 0; i < 3; i++)
        for (int y = 0; y < (i ? DEEP_ROWS / 2 : DEEP_ROWS); y++)
            for (int x = 0; x < (i ? (frame->width + 1) / 2 : frame->width); x++) {
                state = state * 1664525u + 1013904223u;
                words(frame, i, y)[x] = (uint16_t)(state >> (32 - bits));
            }
}

static int deep_chroma(const AVFrame *frame, int plane, int y, int x, int bits)
{
    int weights[4], sum = 0;
    const int first = tub_deep_rows(y, weights), last = frame->height / 2 - 1;
    for (int j = 0; j < 4; j++) {
        const int row = first + j < 0 ? 0 : first + j > last ? last : first + j;
        sum += weights[j] * words(frame, plane, row)[x / 2];
    }
    return tub_deep_chroma(sum, bits);
}

static bool agrees_deep(AVFrame *noise, const tub_steps *steps, int bits, tub_frame_rgb *converter)
{
    const uint8_t *rgb;
    ptrdiff_t pitch;
    fill_deep_noise(noise, bits);
    bool same = rgb_of(noise, converter, &rgb, &pitch);
    for (int y = 0; same && y < noise->height; y++)
        for (int x = 0; same && x < noise->width; x++) {
            uint8_t have[3];
            tub_rgb_steps_one(steps, tub_deep_luma(words(noise, 0, y)[x], bits), deep_chroma(noise, 1, y, x, bits),
                              deep_chroma(noise, 2, y, x, bits), have);
            same = memcmp(have, rgb + y * pitch + (ptrdiff_t)3 * x, 3) == 0;
        }
    return same;
}

// Compares with libswscale itself: its arithmetic differs between processors and could differ between versions. The
// test's width leaves the same remainder as the frame's for any vector length.
static bool swscale_agrees(const AVFrame *frame, const tub_frame_yuv *y)
{
    tub_frame_rgb *converter = NULL;
    AVFrame *noise = av_frame_alloc();
    bool same = false;
    if (noise && tub_frame_rgb_open(&converter, NULL) == TUB_OK) {
        noise->format = y->format;
        noise->width = frame->width < 128 ? frame->width : 64 + frame->width % 64;
        noise->height = y->bits > 8 ? DEEP_ROWS : NOISE_ROWS;
        noise->colorspace = frame->colorspace;
        noise->color_range = frame->color_range;
        if (av_frame_get_buffer(noise, 0) == 0)
            same =
                y->bits > 8 ? agrees_deep(noise, &y->steps, y->bits, converter) : agrees(noise, &y->shape, converter);
    }
    tub_frame_rgb_close(&converter);
    av_frame_free(&noise);
    return same;
}

static bool is_known(tub_frame_yuv *y, const AVFrame *frame, int format)
{
    y->bits = format == AV_PIX_FMT_YUV420P10LE ? 10 : format == AV_PIX_FMT_YUV420P12LE ? 12 : 8;
    y->steps = tub_steps_make(tub_colour_coefficients(frame->colorspace), frame->color_range == AVCOL_RANGE_JPEG);
    return y->bits > 8 || shape_of(frame, format, &y->shape);
}

bool tub_frame_yuv_asks(tub_frame_yuv *y, const AVFrame *frame, int format)
{
    if (!y->asked || y->format != format || y->width != frame->width || y->space != frame->colorspace ||
        y->range != frame->color_range) {
        *y = (tub_frame_yuv){true, format, frame->width, frame->colorspace, frame->color_range, false, {0}, 8, {0}};
        y->ours = is_known(y, frame, format) && swscale_agrees(frame, y);
    }
    // For an odd number of rows, libswscale gives other results, as it blends rows of chroma. For few rows, too.
    if (y->bits > 8)
        return y->ours && frame->height % 2 == 0 && frame->height >= DEEP_ROWS;
    return y->ours && (y->shape.kind != TUB_PICTURE_HALF || frame->height % 2 == 0);
}

bool tub_frame_yuv_take(tub_frame_yuv *y, const AVFrame *frame, tub_picture *out)
{
    if (!tub_frame_yuv_asks(y, frame, frame->format) || y->bits > 8)
        return false;
    *out = y->shape;
    point_at(out, frame);
    return true;
}
