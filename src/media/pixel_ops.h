// Resizing and converting pixels: exact to the reference functions, whatever the instruction set.
//
// Inputs are uint8 RGB [h, w, 3] with a row pitch, or YUV pictures. Of the latter, only the rows that the resize reads
// are converted, and if it reads just two pixels each way, only those pixels. The uint8 kernels are bit-equal to
// torchvision's integer arithmetic; the float kernels stay within the bounds of models.md section 9. All
// instruction-set levels give the same bytes, in the float domain because it avoids fused multiply-add.
#ifndef TUB_PIXEL_OPS_H
#define TUB_PIXEL_OPS_H

#include <stddef.h>
#include <stdint.h>

#include "cpu.h"
#include "frame_recipe.h"
#include "picture.h"
#include "pixel_plan.h"

// A transform made ready for one frame size: filter tables and scratch memory.
// Thread-safety: one thread at a time per object.
typedef struct tub_pixels tub_pixels;

tub_status tub_pixels_open(const tub_transform *t, int in_height, int in_width, tub_pixels **out, tub_error *err);
// The same with a given instruction set, for tests.
tub_status tub_pixels_open_isa(const tub_transform *t, int in_height, int in_width, tub_isa isa, tub_pixels **out,
                               tub_error *err);
const tub_pixel_plan *tub_pixels_plan(const tub_pixels *p);
// `picture`: in_height rows of in_width pixels. `out`: plan.bytes bytes.
void tub_pixels_run_picture(tub_pixels *p, const tub_picture *picture, void *out);
// The same for packed RGB: in_height rows of in_width*3 bytes, `pitch` bytes apart.
void tub_pixels_run(tub_pixels *p, const uint8_t *rgb, ptrdiff_t pitch, void *out);
// The prepared transform as plain data, for a device. Valid as long as `p` is. Errors: TUB_ERROR_MEMORY.
tub_status tub_pixels_recipe(tub_pixels *p, const tub_frame_recipe **out, tub_error *err);
void tub_pixels_close(tub_pixels **p); // accepts NULL

#endif
