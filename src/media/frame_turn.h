// Display rotation: how a frame must be turned to be upright, and turning it, by whole pixels.
//
// Follows the ffmpeg command's autorotate: quarter turns and mirrorings of the display matrix are applied; other angles
// are ignored.
#ifndef TUB_FRAME_TURN_H
#define TUB_FRAME_TURN_H

#include <libavutil/frame.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// First the axes are exchanged, then the rows and columns of the result are reversed.
typedef struct tub_turn {
    bool transpose, mirror, flip; // mirror: left to right; flip: top to bottom
    int degrees;                  // clockwise: 0, 90, 180, 270
} tub_turn;

tub_turn tub_turn_of(const int32_t *display_matrix); // NULL: no turn
bool tub_turn_is_none(tub_turn turn);

// `width`, `height`: of the source. `step`: bytes of a pixel.
void tub_turn_plane(tub_turn turn, const uint8_t *src, ptrdiff_t src_pitch, int width, int height, int step,
                    uint8_t *dst, ptrdiff_t dst_pitch);

// Whether frames of this pixel format can be turned plane by plane without changing their format.
bool tub_turn_takes(tub_turn turn, int pixel_format);
// Makes `dst` (an allocated frame, reused where it fits) a turned copy of `src`. 0, or a libav error.
int tub_turn_frame(tub_turn turn, const AVFrame *src, AVFrame *dst);

#endif
