#include "frame_rgb.h"

#include <libavutil/opt.h>
#include <libavutil/pixdesc.h>
#include <libswscale/swscale.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "fail.h"
#include "memory.h"
#include "shortage.h"

struct tub_frame_rgb {
    struct SwsContext *sws;
    int from_width, from_height, from_format; // what `sws` was made for
    enum AVColorSpace from_space;
    enum AVColorRange from_range;
    int to_width, to_height;
    uint8_t *rgb;
    ptrdiff_t pitch;
};

uint8_t *tub_rgb_alloc(int width, int height, ptrdiff_t *pitch)
{
    *pitch = ((ptrdiff_t)width + 63) / 64 * 64 * 3 + 64;
    return tub_alloc_aligned((size_t)height + 2, (size_t)*pitch);
}

tub_status tub_frame_rgb_open(tub_frame_rgb **out, tub_error *err)
{
    *out = tub_calloc(1, sizeof **out);
    if (!*out)
        return tub_fail_memory(err, "the color conversion");
    (*out)->from_format = AV_PIX_FMT_NONE;
    return TUB_OK;
}

const int *tub_colour_coefficients(int space)
{
    bool known = space >= 1 && space <= 10 && space != AVCOL_SPC_YCGCO;
    return sws_getCoefficients(known ? space : AVCOL_SPC_BT470BG);
}

static void set_colours(struct SwsContext *sws, int space, int range)
{
    int *inverse, *table, from_full, to_full, brightness, contrast, saturation;
    if (sws_getColorspaceDetails(sws, &inverse, &from_full, &table, &to_full, &brightness, &contrast, &saturation) < 0)
        return;
    if (range != AVCOL_RANGE_UNSPECIFIED)
        from_full = range == AVCOL_RANGE_JPEG;
    const int *matrix = tub_colour_coefficients(space);
    sws_setColorspaceDetails(sws, matrix, from_full, matrix, to_full, brightness, contrast, saturation);
}

// The default settings of libavfilter's scale filter, from `from_width` columns.
static struct SwsContext *make_sws(const AVFrame *frame, int from_width, int width, int height)
{
    struct SwsContext *sws = sws_alloc_context();
    if (!sws)
        return NULL;
    av_opt_set_int(sws, "sws_flags", SWS_BICUBIC, 0);
    av_opt_set_int(sws, "srcw", from_width, 0);
    av_opt_set_int(sws, "srch", frame->height, 0);
    av_opt_set_int(sws, "src_format", frame->format, 0);
    av_opt_set_int(sws, "dstw", width, 0);
    av_opt_set_int(sws, "dsth", height, 0);
    av_opt_set_int(sws, "dst_format", AV_PIX_FMT_RGB24, 0);
    if (frame->format == AV_PIX_FMT_YUV420P)
        av_opt_set_int(sws, "src_v_chr_pos", 128, 0);
    if (sws_init_context(sws, NULL, NULL) < 0) {
        sws_freeContext(sws);
        return NULL;
    }
    set_colours(sws, frame->colorspace, frame->color_range);
    return sws;
}

static int scale(tub_frame_rgb *c, const AVFrame *frame)
{
    uint8_t *planes[4] = {c->rgb};
    int pitches[4] = {(int)c->pitch};
    return sws_scale(c->sws, (const uint8_t *const *)frame->data, frame->linesize, 0, frame->height, planes, pitches);
}

// Without a converter for the vector unit (on 64-bit ARM: for widths that aren't a multiple of 16), libswscale makes
// columns of 4:2:0 and 4:2:2 in pairs and leaves an odd last one as it was.
static bool last_column_is_left(tub_frame_rgb *c, const AVFrame *frame, int width, int height)
{
    for (int value = 0; value <= 255; value += 255) {
        const uint8_t before[3] = {(uint8_t)value, (uint8_t)value, (uint8_t)value};
        uint8_t *column = c->rgb + (ptrdiff_t)3 * (width - 1);
        for (int y = 0; y < height; y++)
            memcpy(column + y * c->pitch, before, sizeof before);
        if (scale(c, frame) != height)
            return false;
        for (int y = 0; y < height; y++)
            if (memcmp(column + y * c->pitch, before, sizeof before) != 0)
                return false;
    }
    return true;
}

// libswscale is told of one more column. There is room for it between the rows of both pictures, and nobody uses it.
static void pair_last_column(tub_frame_rgb *c, const AVFrame *frame, int width, int height)
{
    if (width % 2 == 0 || frame->width != width || abs(frame->linesize[0]) <= width ||
        !last_column_is_left(c, frame, width, height))
        return;
    sws_freeContext(c->sws);
    c->sws = make_sws(frame, width + 1, width + 1, height);
}

static tub_status prepare(tub_frame_rgb *c, const AVFrame *frame, int width, int height, tub_error *err)
{
    if (c->sws && c->rgb && c->from_width == frame->width && c->from_height == frame->height &&
        c->from_format == frame->format && c->from_space == frame->colorspace && c->from_range == frame->color_range &&
        c->to_width == width && c->to_height == height)
        return TUB_OK;
    sws_freeContext(c->sws);
    if (!c->rgb || c->to_width != width || c->to_height != height) {
        tub_free(c->rgb);
        c->rgb = tub_rgb_alloc(width, height, &c->pitch);
    }
    tub_shortage_watch();
    c->sws = make_sws(frame, frame->width, width, height);
    if (c->rgb && c->sws)
        pair_last_column(c, frame, width, height);
    if (!c->rgb || tub_shortage_is(0) || (!c->sws && tub_shortage_may_be())) {
        sws_freeContext(c->sws);
        c->sws = NULL;
        return tub_fail_memory(err, "a frame");
    }
    if (!c->sws) {
        const char *name = av_get_pix_fmt_name(frame->format);
        return tub_fail(err, TUB_ERROR_VIDEO, "pixels of format %s can't be converted to RGB", name ? name : "?");
    }
    c->from_width = frame->width;
    c->from_height = frame->height;
    c->from_format = frame->format;
    c->from_space = frame->colorspace;
    c->from_range = frame->color_range;
    c->to_width = width;
    c->to_height = height;
    return TUB_OK;
}

tub_status tub_frame_rgb_convert(tub_frame_rgb *c, const AVFrame *frame, int width, int height, const uint8_t **rgb,
                                 ptrdiff_t *pitch, tub_error *err)
{
    TUB_TRY(prepare(c, frame, width, height, err));
    tub_shortage_watch();
    const int rows = scale(c, frame);
    if (rows == AVERROR(ENOMEM) || tub_shortage_is(0) || (rows != height && tub_shortage_may_be()))
        return tub_fail_memory(err, "a frame");
    if (rows != height)
        return tub_fail(err, TUB_ERROR_VIDEO, "a frame can't be converted to RGB");
    *rgb = c->rgb;
    *pitch = c->pitch;
    return TUB_OK;
}

void tub_frame_rgb_close(tub_frame_rgb **c)
{
    if (!c || !*c)
        return;
    sws_freeContext((*c)->sws);
    tub_free((*c)->rgb);
    tub_free(*c);
    *c = NULL;
}
