// The inner loops of the resize, one table for each level of instructions. All levels give the same bytes.
//
// Rows are packed RGB. A kernel may read up to TUB_AXIS_SLACK bytes past the end of an input row of `across_*`, and
// write as many past the end of its output row; `down_*` read and write exactly `n` elements.
#ifndef TUB_PIXEL_KERNELS_H
#define TUB_PIXEL_KERNELS_H

#include <stdint.h>

#include "cpu.h"
#include "pixel_axis.h"

// A pixel x enters the float domain as x * scale / divisor + offset, and leaves it as (v - mean) / std.
typedef struct tub_scaling {
    float scale, divisor, offset;
} tub_scaling;

typedef struct tub_finish {
    float mean, std; // 0 and 1 leave every value as it is
} tub_finish;

typedef struct tub_pixel_kernels {
    // One row of axis->kept RGB pixels.
    void (*across_u8)(const tub_axis *axis, const uint8_t *row, uint8_t *out);
    // Blends `taps` rows of `n` bytes.
    void (*down_u8)(const uint8_t *const *rows, const int16_t *weights, int taps, int precision, int n, uint8_t *out);
    // The same with Pillow's weights.
    void (*across_pillow)(const tub_axis *axis, const uint8_t *row, uint8_t *out);
    void (*down_pillow)(const uint8_t *const *rows, const int32_t *weights, int taps, int precision, int n,
                        uint8_t *out);
    // Three planes of axis->padded floats, one after the other.
    void (*across_float)(const tub_axis *axis, const tub_scaling *scaling, const uint8_t *row, float *out);
    // Blends `taps` rows of `n` floats.
    void (*down_float)(const float *const *rows, const float *weights, int taps, tub_finish finish, int n, float *out);
} tub_pixel_kernels;

extern const tub_pixel_kernels tub_pixel_kernels_scalar;
#if defined(__x86_64__)
extern const tub_pixel_kernels tub_pixel_kernels_avx2, tub_pixel_kernels_avx512;
// In AVX2 for both tables.
void tub_across_pillow_avx2(const tub_axis *axis, const uint8_t *row, uint8_t *out);
void tub_down_pillow_avx2(const uint8_t *const *rows, const int32_t *weights, int taps, int precision, int n,
                          uint8_t *out);
#endif

const tub_pixel_kernels *tub_pixel_kernels_for(tub_isa isa);

// The arithmetic of one value, shared by the tails of the vector loops.
static inline uint8_t tub_clip_u8(int32_t sum, int precision)
{
    int32_t v = sum >> precision;
    return (uint8_t)(v < 0 ? 0 : v > 255 ? 255 : v);
}

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

static inline float tub_down_float_one(const float *const *rows, const float *weights, int taps, tub_finish f, int i)
{
    float sum = weights[0] * rows[0][i];
    for (int k = 1; k < taps; k++)
        sum += weights[k] * rows[k][i];
    return (sum - f.mean) / f.std;
}

#endif
