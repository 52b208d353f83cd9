// How a decoded frame becomes a model's pixels, as plain data. With it, a device does what src/media does on the
// processor, and gets the same bytes. Media fills it in, a backend reads it; neither knows the other.
//
// The header is C and C++. Nothing here owns memory.
#ifndef TUB_FRAME_RECIPE_H
#define TUB_FRAME_RECIPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pixel_arithmetic.h"

typedef enum tub_planes_kind {
    TUB_PLANES_RGB = 0,  // one plane, three bytes per pixel
    TUB_PLANES_HALF = 1, // luma, and chroma with half the columns (rounded up): 4:2:0, 4:2:2
    TUB_PLANES_FULL = 2, // luma, and chroma of the same size: 4:4:4
} tub_planes_kind;

// A frame's samples, and how they become RGB.
typedef struct tub_frame_planes {
    tub_planes_kind kind;
    bool paired;      // chroma is one plane of pairs, U before V (NV12); else two planes
    bool on_device;   // the planes are in a GPU's memory, and complete; else in the host's
    int chroma_shift; // luma row y has chroma row y >> chroma_shift
    int bits;         // of a sample: 8, which is a byte; or more (only 4:2:0), which is a word >> shift
    int shift;        // see bits; 0 or 16 - bits
    int width, height;
    const uint8_t *planes[3];
    int64_t pitches[3]; // bytes from row to row
    tub_matrix matrix;  // with 8 bits
    tub_steps steps;    // with more
} tub_frame_planes;

// One axis of the resize: output k is a sum over inputs first[k] .. first[k] + taps - 1.
typedef struct tub_recipe_axis {
    int kept, pad; // outputs that come from pixels, and the number of zeros before them
    int taps;
    int precision;    // integer weights are in units of 2^-precision
    uint32_t first;   // offset in the tables: int32 [kept]
    uint32_t weights; // likewise: [kept, taps], int32, or float in the float domain
} tub_recipe_axis;

// From RGB of one size to pixels. In 8 bits, each of the two passes rounds to 8 bits. In the float domain, levels are
// looked up and summed without fused multiply-adds, first across, then down; the result is (sum - mean) / std.
typedef struct tub_frame_recipe {
    int in_height, in_width, out_height, out_width;
    bool is_float;   // pixels are float32 [3, height, width], else uint8 [height, width, 3]
    bool down_first; // 8 bits: the vertical pass comes first
    tub_recipe_axis across, down;
    float mean[3], std[3];
    float inverse[3];        // 1 / std, if (sum - mean) * inverse, corrected twice by the remainder, gives the
                             // quotient; else 0
    float high, low, offset; // a level also equals fmaf(x, high, x * low) + offset
    float zero[3];   // value of padding in the float domain
    uint32_t levels; // offset in the tables: float [256]
    uint32_t table_bytes;
    const unsigned char *tables;
} tub_frame_recipe;

#endif
