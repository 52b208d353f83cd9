// Which decoded frames our own arithmetic converts to RGB: planar YUV for which it gives the same bytes as the
// installed libswscale, as tested on a picture of noise. With more than 8 bits only 4:2:0, and only on GPUs.
//
// Thread-safety: one thread at a time per object.
#ifndef TUB_FRAME_YUV_H
#define TUB_FRAME_YUV_H

#include <libavutil/frame.h>
#include <stdbool.h>

#include "picture.h"

typedef struct tub_frame_yuv {
    bool asked; // the rest is the answer for such frames
    int format, width;
    enum AVColorSpace space;
    enum AVColorRange range;
    bool ours;
    tub_picture shape; // without planes
    int bits;          // more than 8: `steps` is used instead of `shape`
    tub_steps steps;
} tub_frame_yuv;

// Whether we would convert a frame like this one if it had the pixel format `format`. *y is all zero at first.
bool tub_frame_yuv_asks(tub_frame_yuv *y, const AVFrame *frame, int format);
// True: *out is the frame's own planes. False: libswscale has to convert it.
bool tub_frame_yuv_take(tub_frame_yuv *y, const AVFrame *frame, tub_picture *out);

#endif
