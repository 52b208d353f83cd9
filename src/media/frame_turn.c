#include "frame_turn.h"

#include <libavutil/display.h>
#include <libavutil/imgutils.h>
#include <libavutil/pixdesc.h>
#include <math.h>
#include <string.h>

// Degrees clockwise in [-0.9, 359.1), as the ffmpeg command rounds them.
static double clockwise(const int32_t *matrix)
{
    double theta = -round(av_display_rotation_get(matrix));
    return theta - 360 * floor(theta / 360 + 0.9 / 360);
}

tub_turn tub_turn_of(const int32_t *matrix)
{
    tub_turn turn = {0};
    double theta = matrix ? clockwise(matrix) : 0;
    if (!matrix || isnan(theta))
        return turn;
    if (fabs(theta - 90) < 1)
        turn = (tub_turn){.transpose = true, .mirror = matrix[3] <= 0, .degrees = 90};
    else if (fabs(theta - 180) < 1)
        turn = (tub_turn){.mirror = matrix[0] < 0, .flip = matrix[4] < 0, .degrees = 180};
    else if (fabs(theta - 270) < 1)
        turn = (tub_turn){.transpose = true, .mirror = matrix[3] < 0, .flip = true, .degrees = 270};
    else if (fabs(theta) < 1)
        turn.flip = matrix[4] < 0;
    return turn;
}

bool tub_turn_is_none(tub_turn turn)
{
    return !turn.transpose && !turn.mirror && !turn.flip;
}

static void copy_pixels(uint8_t *dst, const uint8_t *src, ptrdiff_t src_step, int count, int step)
{
    if (src_step == step) {
        memcpy(dst, src, (size_t)count * (size_t)step);
    } else if (step == 1) {
        for (int x = 0; x < count; x++)
            dst[x] = src[x * src_step];
    } else {
        for (int x = 0; x < count; x++)
            memcpy(dst + (ptrdiff_t)x * step, src + x * src_step, (size_t)step);
    }
}

void tub_turn_plane(tub_turn turn, const uint8_t *src, ptrdiff_t src_pitch, int width, int height, int step,
                    uint8_t *dst, ptrdiff_t dst_pitch)
{
    int out_width = turn.transpose ? height : width, out_height = turn.transpose ? width : height;
    ptrdiff_t along = turn.transpose ? src_pitch : step, down = turn.transpose ? step : src_pitch;
    for (int y = 0; y < out_height; y++) {
        const uint8_t *row = src + down * (turn.flip ? out_height - 1 - y : y);
        if (turn.mirror)
            copy_pixels(dst + y * dst_pitch, row + along * (out_width - 1), -along, out_width, step);
        else
            copy_pixels(dst + y * dst_pitch, row, along, out_width, step);
    }
}

bool tub_turn_takes(tub_turn turn, int pixel_format)
{
    const AVPixFmtDescriptor *d = av_pix_fmt_desc_get(pixel_format);
    if (!d || d->flags & (AV_PIX_FMT_FLAG_PAL | AV_PIX_FMT_FLAG_BITSTREAM | AV_PIX_FMT_FLAG_HWACCEL))
        return false;
    bool packed_chroma = !(d->flags & AV_PIX_FMT_FLAG_PLANAR) && d->log2_chroma_w;
    return !packed_chroma && (!turn.transpose || d->log2_chroma_w == d->log2_chroma_h);
}

static int reserve(AVFrame *dst, const AVFrame *src, int width, int height)
{
    if (dst->buf[0] && dst->width == width && dst->height == height && dst->format == src->format)
        return 0;
    av_frame_unref(dst);
    dst->format = src->format;
    dst->width = width;
    dst->height = height;
    return av_frame_get_buffer(dst, 0);
}

int tub_turn_frame(tub_turn turn, const AVFrame *src, AVFrame *dst)
{
    const AVPixFmtDescriptor *d = av_pix_fmt_desc_get(src->format);
    int steps[4] = {0};
    int r = reserve(dst, src, turn.transpose ? src->height : src->width, turn.transpose ? src->width : src->height);
    if (r < 0)
        return r;
    av_image_fill_max_pixsteps(steps, NULL, d);
    for (int p = 0; p < 4 && src->data[p] && dst->data[p]; p++) {
        bool chroma = p == 1 || p == 2;
        int width = chroma ? AV_CEIL_RSHIFT(src->width, d->log2_chroma_w) : src->width;
        int height = chroma ? AV_CEIL_RSHIFT(src->height, d->log2_chroma_h) : src->height;
        tub_turn_plane(turn, src->data[p], src->linesize[p], width, height, steps[p], dst->data[p], dst->linesize[p]);
    }
    dst->colorspace = src->colorspace;
    dst->color_range = src->color_range;
    return 0;
}
