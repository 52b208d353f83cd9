// Decoded frames to packed RGB of one size, with libswscale, as the ffmpeg command's own conversion does it.
//
// Thread-safety: one thread at a time per object.
#ifndef TUB_FRAME_RGB_H
#define TUB_FRAME_RGB_H

#include <libavutil/frame.h>
#include <tubelet/status.h>

typedef struct tub_frame_rgb tub_frame_rgb;

tub_status tub_frame_rgb_open(tub_frame_rgb **out, tub_error *err);
// Frames of another size than `width` x `height` are scaled (bicubic). *rgb (rows *pitch bytes apart) stays valid until
// the next call. Errors: TUB_ERROR_VIDEO, TUB_ERROR_MEMORY.
tub_status tub_frame_rgb_convert(tub_frame_rgb *c, const AVFrame *frame, int width, int height, const uint8_t **rgb,
                                 ptrdiff_t *pitch, tub_error *err);
void tub_frame_rgb_close(tub_frame_rgb **c); // accepts NULL

// A picture with rows padded like libav's own. With less padding, its vector code leaves the last columns to other
// code.
uint8_t *tub_rgb_alloc(int width, int height, ptrdiff_t *pitch);
// The coefficients of a color space as in libavfilter's scale filter: BT.601's if it isn't flagged or has none.
const int *tub_colour_coefficients(int space);

#endif
