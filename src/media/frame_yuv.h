// Which decoded frames become RGB by our own arithmetic: planar YUV whose conversion by the libswscale that is
// installed gives the bytes that ours gives, as far as a picture of noise can tell. Of more than 8 bits, 4:2:0: on GPUs
// only.
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
    int bits;          // more than 8: not `shape`, but
    tub_steps steps;
} tub_frame_yuv;

// All zero to begin with. Whether a frame like this one, if it had the pixel format `format`, would be ours.
bool tub_frame_yuv_asks(tub_frame_yuv *y, const AVFrame *frame, int format);
// True: *out is the frame's own planes. False: libswscale has to convert it.
bool tub_frame_yuv_take(tub_frame_yuv *y, const AVFrame *frame, tub_picture *out);

#endif
