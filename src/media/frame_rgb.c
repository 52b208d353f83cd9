#include "frame_rgb.h"

#include <libavutil/opt.h>
#include <libavutil/pixdesc.h>
#include <libswscale/swscale.h>

#include "fail.h"
#include "memory.h"

struct tub_frame_rgb {
    tub_turn turn;
    int width, height;
    struct SwsContext *sws;
    int from_width, from_height, from_format; // what `sws` was made for
    enum AVColorSpace from_space;
    enum AVColorRange from_range;
    int to_width, to_height;
    uint8_t *rgb, *turned_rgb; // turned_rgb: for frames that are turned after the conversion
    ptrdiff_t pitch, turned_pitch;
    AVFrame *turned; // for frames that are turned before it
};

// Rows padded as libav pads its own frames: with less, the vector code leaves the last columns to other code.
static ptrdiff_t row_bytes(int width)
{
    return ((ptrdiff_t)width + 63) / 64 * 64 * 3 + 64;
}

static uint8_t *alloc_picture(int width, int height)
{
    return tub_alloc_aligned((size_t)height + 2, (size_t)row_bytes(width));
}

tub_status tub_frame_rgb_open(tub_turn turn, int width, int height, tub_frame_rgb **out, tub_error *err)
{
    tub_frame_rgb *c = tub_calloc(1, sizeof *c);
    *out = c;
    if (c) {
        *c = (tub_frame_rgb){.turn = turn, .width = width, .height = height, .from_format = AV_PIX_FMT_NONE};
        c->turned = av_frame_alloc();
    }
    if (c && c->turned)
        return TUB_OK;
    tub_frame_rgb_close(out);
    return tub_fail_memory(err, "the colour conversion");
}

// The matrix of a frame as libavfilter's scale filter takes it: BT.601 where it isn't flagged or isn't one.
static const int *matrix_of(int space)
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
    const int *matrix = matrix_of(space);
    sws_setColorspaceDetails(sws, matrix, from_full, matrix, to_full, brightness, contrast, saturation);
}

// The settings of libavfilter's scale filter at its defaults.
static struct SwsContext *make_sws(const AVFrame *frame, int width, int height)
{
    struct SwsContext *sws = sws_alloc_context();
    if (!sws)
        return NULL;
    av_opt_set_int(sws, "sws_flags", SWS_BICUBIC, 0);
    av_opt_set_int(sws, "srcw", frame->width, 0);
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

static tub_status prepare(tub_frame_rgb *c, const AVFrame *frame, int width, int height, tub_error *err)
{
    if (c->sws && c->rgb && c->from_width == frame->width && c->from_height == frame->height &&
        c->from_format == frame->format && c->from_space == frame->colorspace && c->from_range == frame->color_range &&
        c->to_width == width && c->to_height == height)
        return TUB_OK;
    sws_freeContext(c->sws);
    if (!c->rgb || c->to_width != width || c->to_height != height) {
        tub_free(c->rgb);
        c->rgb = alloc_picture(width, height);
    }
    c->sws = make_sws(frame, width, height);
    if (!c->rgb)
        return tub_fail_memory(err, "a frame");
    if (!c->sws) {
        const char *name = av_get_pix_fmt_name(frame->format);
        return tub_fail(err, TUB_ERROR_VIDEO, "pixels of format %s can't be converted to RGB", name ? name : "?");
    }
    c->pitch = row_bytes(width);
    c->from_width = frame->width;
    c->from_height = frame->height;
    c->from_format = frame->format;
    c->from_space = frame->colorspace;
    c->from_range = frame->color_range;
    c->to_width = width;
    c->to_height = height;
    return TUB_OK;
}

static tub_status scale(tub_frame_rgb *c, const AVFrame *frame, int width, int height, tub_error *err)
{
    TUB_TRY(prepare(c, frame, width, height, err));
    uint8_t *planes[4] = {c->rgb};
    int pitches[4] = {(int)c->pitch};
    int rows =
        sws_scale(c->sws, (const uint8_t *const *)frame->data, frame->linesize, 0, frame->height, planes, pitches);
    if (rows != height)
        return tub_fail(err, TUB_ERROR_VIDEO, "a frame can't be converted to RGB");
    return TUB_OK;
}

static tub_status turn_rgb(tub_frame_rgb *c, tub_error *err)
{
    if (!c->turned_rgb)
        c->turned_rgb = alloc_picture(c->width, c->height);
    if (!c->turned_rgb)
        return tub_fail_memory(err, "a turned frame");
    c->turned_pitch = row_bytes(c->width);
    tub_turn_plane(c->turn, c->rgb, c->pitch, c->to_width, c->to_height, 3, c->turned_rgb, c->turned_pitch);
    return TUB_OK;
}

tub_status tub_frame_rgb_convert(tub_frame_rgb *c, const AVFrame *frame, const uint8_t **rgb, ptrdiff_t *pitch,
                                 tub_error *err)
{
    if (tub_turn_is_none(c->turn)) {
        TUB_TRY(scale(c, frame, c->width, c->height, err));
    } else if (tub_turn_takes(c->turn, frame->format)) {
        if (tub_turn_frame(c->turn, frame, c->turned) < 0)
            return tub_fail_memory(err, "a turned frame");
        TUB_TRY(scale(c, c->turned, c->width, c->height, err));
    } else {
        bool across = c->turn.transpose;
        TUB_TRY(scale(c, frame, across ? c->height : c->width, across ? c->width : c->height, err));
        TUB_TRY(turn_rgb(c, err));
        *rgb = c->turned_rgb;
        *pitch = c->turned_pitch;
        return TUB_OK;
    }
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
    tub_free((*c)->turned_rgb);
    av_frame_free(&(*c)->turned);
    tub_free(*c);
    *c = NULL;
}
