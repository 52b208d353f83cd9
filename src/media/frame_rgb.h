// Decoded frames to upright packed RGB of one size, with libswscale, as the ffmpeg command's own conversion does it.
//
// Thread-safety: one thread at a time per object.
#ifndef TUB_FRAME_RGB_H
#define TUB_FRAME_RGB_H

#include <libavutil/frame.h>
#include <tubelet/status.h>

#include "frame_turn.h"

typedef struct tub_frame_rgb tub_frame_rgb;

// `width`, `height`: of the upright result; frames of another size are scaled to it (bicubic).
tub_status tub_frame_rgb_open(tub_turn turn, int width, int height, tub_frame_rgb **out, tub_error *err);
// *rgb (rows *pitch bytes apart) stays valid until the next call. Errors: TUB_ERROR_VIDEO, TUB_ERROR_MEMORY.
tub_status tub_frame_rgb_convert(tub_frame_rgb *c, const AVFrame *frame, const uint8_t **rgb, ptrdiff_t *pitch,
                                 tub_error *err);
void tub_frame_rgb_close(tub_frame_rgb **c); // accepts NULL

#endif
