#include "pixel_kernels.h"

static void rgb_half(const tub_matrix *m, const uint8_t *const row[3], int width, uint8_t *out)
{
    for (int x = 0; x < width; x++)
        tub_rgb_half_one(m, row[0][x], row[1][x / 2], row[2][x / 2], out + 3 * x);
}

static void rgb_full(const tub_matrix *m, const uint8_t *const row[3], int width, uint8_t *out)
{
    for (int x = 0; x < width; x++)
        tub_rgb_full_one(m, row[0][x], row[1][x], row[2][x], out + 3 * x);
}

// Output `k` of one row, its three channels.
static void blend_row(const tub_pairs *pairs, const tub_blend *b, const uint8_t *const row[3], int k, float out[3])
{
    int x = pairs->first[k];
    uint8_t left[3], right[3];
    tub_rgb_half_one(b->matrix, row[0][x], row[1][x / 2], row[2][x / 2], left);
    tub_rgb_half_one(b->matrix, row[0][x + 1], row[1][(x + 1) / 2], row[2][(x + 1) / 2], right);
    for (int c = 0; c < 3; c++)
        out[c] = pairs->weights[k] * b->scaling->table[left[c]] +
                 pairs->weights[pairs->padded + k] * b->scaling->table[right[c]];
}

static void blend_half(const tub_pairs *pairs, const tub_blend *b)
{
    for (int k = 0; k < pairs->kept; k++) {
        float upper[3], lower[3];
        blend_row(pairs, b, b->rows[0], k, upper);
        blend_row(pairs, b, b->rows[1], k, lower);
        for (int c = 0; c < 3; c++)
            b->out[c][k] = tub_finish_one(&b->finish[c], b->weights[0] * upper[c] + b->weights[1] * lower[c]);
    }
}

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

static void across_float(const tub_axis *axis, const tub_scaling *scaling, const uint8_t *row, float *out)
{
    const float *table = scaling->table;
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

const tub_pixel_kernels tub_pixel_kernels_scalar = {
    .rgb_half = rgb_half,
    .rgb_full = rgb_full,
    .blend_half = blend_half,
    .across_u8 = across_u8,
    .down_u8 = down_u8,
    .across_pillow = across_pillow,
    .down_pillow = down_pillow,
    .across_float = across_float,
    .down_float = down_float,
};

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
