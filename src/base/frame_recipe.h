// How a decoded frame becomes a model's pixels, as plain data: what a device needs to do what src/media does on the
// processor, with the same bytes. Media fills it in, a backend reads it; neither knows the other.
//
// The header is C and C++. No ownership.
#ifndef TUB_FRAME_RECIPE_H
#define TUB_FRAME_RECIPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pixel_arithmetic.h"

typedef enum tub_planes_kind {
    TUB_PLANES_RGB = 0,  // one plane, three bytes a pixel
    TUB_PLANES_HALF = 1, // luma, and chroma with half the columns (rounded up): 4:2:0, 4:2:2
    TUB_PLANES_FULL = 2, // luma, and chroma of its size: 4:4:4
} tub_planes_kind;

// A frame's samples, and how they become RGB.
typedef struct tub_frame_planes {
    tub_planes_kind kind;
    bool paired;      // chroma is one plane of pairs, U before V (NV12); else two planes
    bool on_device;   // the planes are a GPU's memory, and all there; else the host's
    int chroma_shift; // luma row y has chroma row y >> chroma_shift
    int bits;         // of a sample, which is a byte; more than 8, of 4:2:0 alone: a word ...
    int shift;        // ... of which they are the upper ones
    int width, height;
    const uint8_t *planes[3];
    int64_t pitches[3]; // bytes from row to row
    tub_matrix matrix;  // of 8 bits
    tub_steps steps;    // of more
} tub_frame_planes;

// One axis of the resize: output k is a sum over inputs first[k] .. first[k] + taps - 1.
typedef struct tub_recipe_axis {
    int kept, pad; // outputs that come from pixels, and how many zeros stand before them
    int taps;
    int precision;    // of integer weights: units of 2^-precision
    uint32_t first;   // where in the tables: int32 [kept]
    uint32_t weights; // likewise: [kept, taps], int32 or, in the float domain, float
} tub_recipe_axis;

// RGB of one size to pixels. In 8 bits each of the two passes rounds to 8 bits; in the float domain levels are
// looked up, summed without fused multiply-adds, across then down, and come out as (sum - mean) / std.
typedef struct tub_frame_recipe {
    int in_height, in_width, out_height, out_width;
    bool is_float;   // pixels are float32 [3, height, width], else uint8 [height, width, 3]
    bool down_first; // 8 bits: the vertical pass is the first
    tub_recipe_axis across, down;
    float mean[3], std[3];
    float inverse[3];        // 1 / std, where (sum - mean) * inverse, corrected twice by what is left, is that quotient; else 0
    float high, low, offset; // a level is fmaf(x, high, x * low) + offset, too
    float zero[3];   // what padding is in the float domain
    uint32_t levels; // where in the tables: float [256]
    uint32_t table_bytes;
    const unsigned char *tables;
} tub_frame_recipe;

#endif
