#include "frame_picture.h"

#include "fail.h"
#include "frame_rgb.h"
#include "frame_yuv.h"
#include "memory.h"
#include "nvdec.h"

struct tub_frame_picture {
    tub_turn turn;
    int width, height;
    tub_frame_yuv yuv;
    tub_frame_rgb *rgb;
    AVFrame *turned;     // for frames that are turned before the conversion
    uint8_t *turned_rgb; // for those that are turned after it
    ptrdiff_t turned_pitch;
};

tub_status tub_frame_picture_open(tub_turn turn, int width, int height, tub_frame_picture **out, tub_error *err)
{
    tub_frame_picture *p = tub_calloc(1, sizeof *p);
    *out = p;
    if (!p)
        return tub_fail_memory(err, "the pictures of a video");
    *p = (tub_frame_picture){.turn = turn, .width = width, .height = height};
    tub_status status = tub_frame_rgb_open(&p->rgb, err);
    p->turned = av_frame_alloc();
    if (status == TUB_OK && !p->turned)
        status = tub_fail_memory(err, "the pictures of a video");
    if (status != TUB_OK)
        tub_frame_picture_close(out);
    return status;
}

static tub_status packed(tub_frame_picture *p, const AVFrame *frame, int width, int height, tub_picture *out,
                         tub_error *err)
{
    *out = (tub_picture){.kind = TUB_PICTURE_RGB};
    return tub_frame_rgb_convert(p->rgb, frame, width, height, &out->planes[0], &out->pitches[0], err);
}

static tub_status turn_packed(tub_frame_picture *p, int width, int height, tub_picture *picture, tub_error *err)
{
    if (!p->turned_rgb)
        p->turned_rgb = tub_rgb_alloc(p->width, p->height, &p->turned_pitch);
    if (!p->turned_rgb)
        return tub_fail_memory(err, "a turned frame");
    tub_turn_plane(p->turn, picture->planes[0], picture->pitches[0], width, height, 3, p->turned_rgb, p->turned_pitch);
    picture->planes[0] = p->turned_rgb;
    picture->pitches[0] = p->turned_pitch;
    return TUB_OK;
}

tub_status tub_frame_picture_get(tub_frame_picture *p, const AVFrame *frame, tub_picture *out, tub_error *err)
{
    if (!tub_turn_is_none(p->turn) && !tub_turn_takes(p->turn, frame->format)) {
        int width = p->turn.transpose ? p->height : p->width, height = p->turn.transpose ? p->width : p->height;
        TUB_TRY(packed(p, frame, width, height, out, err));
        return turn_packed(p, width, height, out, err);
    }
    const AVFrame *upright = frame;
    if (!tub_turn_is_none(p->turn)) {
        if (tub_turn_frame(p->turn, frame, p->turned) < 0)
            return tub_fail_memory(err, "a turned frame");
        upright = p->turned;
    }
    bool same_size = upright->width == p->width && upright->height == p->height;
    if (same_size && tub_frame_yuv_take(&p->yuv, upright, out))
        return TUB_OK;
    return packed(p, upright, p->width, p->height, out, err);
}

static void point_at(const AVFrame *frame, tub_picture *picture)
{
    for (int i = 0; i < 3; i++) {
        picture->planes[i] = frame->data[i];
        picture->pitches[i] = frame->linesize[i];
    }
}

bool tub_frame_picture_planes(tub_frame_picture *p, const AVFrame *frame, tub_frame_planes *out)
{
    const bool kept = tub_nvdec_is_kept(frame), same_size = frame->width == p->width && frame->height == p->height;
    if (!tub_turn_is_none(p->turn) || !same_size || !tub_frame_yuv_asks(&p->yuv, frame, tub_nvdec_format(frame)))
        return false;
    const bool deep = p->yuv.bits > 8;
    if (kept ? !tub_nvdec_has_pairs(frame, p->yuv.bits) : !deep)
        return false;
    tub_picture picture = p->yuv.shape;
    point_at(frame, &picture);
    *out = tub_picture_planes(&picture, frame->width, frame->height);
    out->paired = kept;
    out->on_device = kept;
    if (!deep)
        return true;
    out->kind = TUB_PLANES_HALF;
    out->chroma_shift = 1;
    out->bits = p->yuv.bits;
    out->shift = kept ? 16 - p->yuv.bits : 0;
    out->steps = p->yuv.steps;
    return true;
}

void tub_frame_picture_close(tub_frame_picture **p)
{
    if (!p || !*p)
        return;
    tub_frame_rgb_close(&(*p)->rgb);
    av_frame_free(&(*p)->turned);
    tub_free((*p)->turned_rgb);
    tub_free(*p);
    *p = NULL;
}
