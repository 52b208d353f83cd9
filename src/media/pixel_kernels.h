// The inner loops of conversion and resize: one table for each instruction-set level. All levels give the same bytes.
//
// Rows are packed RGB, or rows of YUV planes. `across_*` may read up to TUB_AXIS_SLACK bytes past the end of an input
// row, and write as many past the end of the output row; all others read and write exactly what they say.
#ifndef TUB_PIXEL_KERNELS_H
#define TUB_PIXEL_KERNELS_H

#include <stdint.h>

#include "cpu.h"
#include "picture.h"
#include "pixel_axis.h"
#include "pixel_pairs.h"

// How a pixel enters the float domain. The definition is table[x]. It equals high * x + low * x + offset, if the second
// product and the first sum are rounded once each: this replaces a division by 255.
typedef struct tub_scaling {
    float high, low, offset;
    float table[256];
} tub_scaling;

// How a value leaves the float domain: (v - mean) / std. If `inverse` isn't 0, it is 1 / std, and the quotient may be
// computed from it with corrections: see tub_finish_one().
typedef struct tub_finish {
    float mean, std, inverse;
    bool none; // mean 0, std 1
} tub_finish;

// One output row from two rows of a picture with half the chroma columns.
typedef struct tub_blend {
    const uint8_t *rows[2][3]; // luma, U, V
    float weights[2];
    const tub_matrix *matrix;
    const tub_scaling *scaling;
    const tub_finish *finish; // [3]
    float *out[3];            // pairs->kept values each
} tub_blend;

typedef struct tub_pixel_kernels {
    // Convert a row of luma, U and V to `width` packed RGB pixels, one for each kind of picture.
    void (*rgb_half)(const tub_matrix *m, const uint8_t *const row[3], int width, uint8_t *out);
    void (*rgb_full)(const tub_matrix *m, const uint8_t *const row[3], int width, uint8_t *out);
    // Conversion, resize and normalization at once.
    void (*blend_half)(const tub_pairs *pairs, const tub_blend *blend);
    // Makes a row of axis->kept RGB pixels.
    void (*across_u8)(const tub_axis *axis, const uint8_t *row, uint8_t *out);
    // Blends `taps` rows of `n` bytes.
    void (*down_u8)(const uint8_t *const *rows, const int16_t *weights, int taps, int precision, int n, uint8_t *out);
    // The same with Pillow's weights.
    void (*across_pillow)(const tub_axis *axis, const uint8_t *row, uint8_t *out);
    void (*down_pillow)(const uint8_t *const *rows, const int32_t *weights, int taps, int precision, int n,
                        uint8_t *out);
    // Makes three planes of axis->padded floats, one after the other.
    void (*across_float)(const tub_axis *axis, const tub_scaling *scaling, const uint8_t *row, float *out);
    // Blends `taps` rows of `n` floats.
    void (*down_float)(const float *const *rows, const float *weights, int taps, tub_finish finish, int n, float *out);
} tub_pixel_kernels;

extern const tub_pixel_kernels tub_pixel_kernels_scalar;
#if defined(__x86_64__)
extern const tub_pixel_kernels tub_pixel_kernels_avx2, tub_pixel_kernels_avx512;
extern const int8_t tub_rgb_spread[3][3]
                                  [16]; // [third of 48 bytes][channel]: byte shuffles that interleave 3 x 16 bytes
void tub_rgb_half_avx2(const tub_matrix *m, const uint8_t *const row[3], int width, uint8_t *out);
void tub_rgb_full_avx2(const tub_matrix *m, const uint8_t *const row[3], int width, uint8_t *out);
void tub_blend_half_avx2(const tub_pairs *pairs, const tub_blend *blend);
void tub_rgb_half_avx512(const tub_matrix *m, const uint8_t *const row[3], int width, uint8_t *out);
void tub_rgb_full_avx512(const tub_matrix *m, const uint8_t *const row[3], int width, uint8_t *out);
void tub_blend_half_avx512(const tub_pairs *pairs, const tub_blend *blend);
// Written in AVX2; both tables use them.
void tub_across_pillow_avx2(const tub_axis *axis, const uint8_t *row, uint8_t *out);
void tub_down_pillow_avx2(const uint8_t *const *rows, const int32_t *weights, int taps, int precision, int n,
                          uint8_t *out);
#endif

const tub_pixel_kernels *tub_pixel_kernels_for(tub_isa isa);

// The arithmetic of one value, shared by the tails of the vector loops.
static inline uint8_t tub_down_u8_one(const uint8_t *const *rows, const int16_t *weights, int taps, int precision,
                                      int i)
{
    int32_t sum = 1 << (precision - 1);
    for (int k = 0; k < taps; k++)
        sum += weights[k] * rows[k][i];
    return tub_clip_u8(sum, precision);
}

static inline uint8_t tub_down_pillow_one(const uint8_t *const *rows, const int32_t *weights, int taps, int precision,
                                          int i)
{
    int32_t sum = 1 << (precision - 1);
    for (int k = 0; k < taps; k++)
        sum += weights[k] * rows[k][i];
    return tub_clip_u8(sum, precision);
}

// The vector code computes the same quotient from the inverse. Each correction adds the remainder's share; after two of
// them the last bit is right, as long as no step overflows or underflows.
static inline float tub_finish_one(const tub_finish *f, float value)
{
    return (value - f->mean) / f->std;
}

static inline float tub_down_float_one(const float *const *rows, const float *weights, int taps, tub_finish f, int i)
{
    float sum = weights[0] * rows[0][i];
    for (int k = 1; k < taps; k++)
        sum += weights[k] * rows[k][i];
    return tub_finish_one(&f, sum);
}

#endif
