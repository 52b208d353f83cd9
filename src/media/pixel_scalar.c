#include "pixel_kernels.h"

static void across_u8(const tub_axis *axis, const uint8_t *row, uint8_t *out)
{
    for (int x = 0; x < axis->kept; x++) {
        const uint8_t *in = row + axis->first_byte[x];
        const int16_t *weights = axis->weights16 + (size_t)x * (size_t)axis->quads;
        int32_t r = 1 << (axis->precision - 1), g = r, b = r;
        for (int k = 0; k < axis->taps; k++) {
            r += weights[k] * in[3 * k];
            g += weights[k] * in[3 * k + 1];
            b += weights[k] * in[3 * k + 2];
        }
        out[3 * x] = tub_clip_u8(r, axis->precision);
        out[3 * x + 1] = tub_clip_u8(g, axis->precision);
        out[3 * x + 2] = tub_clip_u8(b, axis->precision);
    }
}

static void down_u8(const uint8_t *const *rows, const int16_t *weights, int taps, int precision, int n, uint8_t *out)
{
    for (int i = 0; i < n; i++)
        out[i] = tub_down_u8_one(rows, weights, taps, precision, i);
}

static void across_pillow(const tub_axis *axis, const uint8_t *row, uint8_t *out)
{
    for (int x = 0; x < axis->kept; x++) {
        const uint8_t *in = row + axis->first_byte[x];
        const int32_t *weights = axis->weights32 + (size_t)x * (size_t)axis->taps;
        for (int c = 0; c < 3; c++) {
            int32_t sum = 1 << (axis->precision - 1);
            for (int k = 0; k < axis->taps; k++)
                sum += weights[k] * in[3 * k + c];
            out[3 * x + c] = tub_clip_u8(sum, axis->precision);
        }
    }
}

static void down_pillow(const uint8_t *const *rows, const int32_t *weights, int taps, int precision, int n,
                        uint8_t *out)
{
    for (int i = 0; i < n; i++)
        out[i] = tub_down_pillow_one(rows, weights, taps, precision, i);
}

static float scaled(const tub_scaling *s, uint8_t x)
{
    return (float)x * s->scale / s->divisor + s->offset;
}

static void across_float(const tub_axis *axis, const tub_scaling *scaling, const uint8_t *row, float *out)
{
    float table[256];
    for (int i = 0; i < 256; i++)
        table[i] = scaled(scaling, (uint8_t)i);
    for (int x = 0; x < axis->kept; x++) {
        const uint8_t *in = row + axis->first_byte[x];
        const float *weights = axis->weights + (size_t)x * (size_t)axis->taps;
        float r = 0, g = 0, b = 0;
        for (int k = 0; k < axis->taps; k++) {
            r += weights[k] * table[in[3 * k]];
            g += weights[k] * table[in[3 * k + 1]];
            b += weights[k] * table[in[3 * k + 2]];
        }
        out[x] = r;
        out[axis->padded + x] = g;
        out[2 * axis->padded + x] = b;
    }
}

static void down_float(const float *const *rows, const float *weights, int taps, tub_finish finish, int n, float *out)
{
    for (int i = 0; i < n; i++)
        out[i] = tub_down_float_one(rows, weights, taps, finish, i);
}

const tub_pixel_kernels tub_pixel_kernels_scalar = {across_u8,   down_u8,      across_pillow,
                                                    down_pillow, across_float, down_float};

const tub_pixel_kernels *tub_pixel_kernels_for(tub_isa isa)
{
#if defined(__x86_64__)
    if (isa >= TUB_ISA_AVX512)
        return &tub_pixel_kernels_avx512;
    if (isa >= TUB_ISA_AVX2)
        return &tub_pixel_kernels_avx2;
#endif
    (void)isa;
    return &tub_pixel_kernels_scalar;
}
