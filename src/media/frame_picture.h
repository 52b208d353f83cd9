// Decoded frames as upright pictures of one size, in the form that is cheapest to read: the decoder's own planes if our
// arithmetic gives the right RGB for them, else packed RGB made by libswscale.
//
// Thread-safety: one thread at a time per object.
#ifndef TUB_FRAME_PICTURE_H
#define TUB_FRAME_PICTURE_H

#include <libavutil/frame.h>
#include <tubelet/status.h>

#include "frame_turn.h"
#include "picture.h"

typedef struct tub_frame_picture tub_frame_picture;

// `width`, `height`: of the upright result; frames of another size are scaled to it (bicubic).
tub_status tub_frame_picture_open(tub_turn turn, int width, int height, tub_frame_picture **out, tub_error *err);
// *out stays valid until the next call, and as long as `frame` does. Errors: TUB_ERROR_VIDEO, TUB_ERROR_MEMORY.
tub_status tub_frame_picture_get(tub_frame_picture *p, const AVFrame *frame, tub_picture *out, tub_error *err);
// A frame's own planes for a GPU that converts them: of a frame on the GPU, or of one with more than 8 bits, which
// `get` would leave to libswscale. False: use `get`.
bool tub_frame_picture_planes(tub_frame_picture *p, const AVFrame *frame, tub_frame_planes *out);
void tub_frame_picture_close(tub_frame_picture **p); // accepts NULL

#endif
