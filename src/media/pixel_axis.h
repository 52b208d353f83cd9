// The resampling filter of one axis: which inputs make an output, and with what weights.
//
// Every kind of interpolation is a row of `taps` weights for the inputs first .. first + taps - 1, all of them inside
// the axis. Where the reference clamps an index at the border, the weights of the clamped inputs are added up. A window
// that is shorter than the longest is padded with zero weights.
#ifndef TUB_PIXEL_AXIS_H
#define TUB_PIXEL_AXIS_H

#include <stdbool.h>
#include <stdint.h>
#include <tubelet/transform.h>

enum {
    TUB_AXIS_LANES = 16, // tables are padded to whole vectors of this many outputs
    TUB_AXIS_QUAD = 4,   // 16-bit weights are padded to a multiple of this many taps
    TUB_AXIS_SLACK = 64, // bytes that a kernel may read past the end of a row
};

typedef struct tub_axis {
    int in, resized; // sizes of the whole axis
    int begin, kept; // the outputs that the crop keeps: begin .. begin + kept - 1 of `resized`
    bool same;       // in == resized: the 8-bit pass is skipped
    int taps;
    int quads;             // taps rounded up to a multiple of TUB_AXIS_QUAD
    int padded;            // kept rounded up to TUB_AXIS_LANES
    int *first;            // [padded]
    int *first_byte;       // [padded], 3 * first: offset into a row of packed RGB
    int16_t *weights16;    // [padded, quads], 8-bit domain
    int32_t *weights32;    // [padded, taps], 8-bit domain with Pillow's arithmetic, which has no weights16
    int precision;         // weights16 and weights32 are in units of 2^-precision
    float *weights;        // [padded, taps], float domain
    float *weights_by_tap; // [taps, padded], float domain
} tub_axis;

// Errors: TUB_ERROR_MEMORY. A failed init needs no finish.
tub_status tub_axis_init(tub_axis *axis, const tub_transform *t, int in, int resized, int begin, int kept,
                         tub_error *err);
void tub_axis_finish(tub_axis *axis);

#endif
