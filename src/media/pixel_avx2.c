#include "pixel_kernels.h"

#if defined(__x86_64__)
#include <immintrin.h>
#include <string.h>

#include "pixel_finish.h"

// Four taps at a time: the low half holds taps 0 and 1 as pairs of 16-bit (r r g g b b 0 0), the high half 2 and 3.
static void across_u8(const tub_axis *axis, const uint8_t *row, uint8_t *out)
{
    const __m256i spread = _mm256_setr_epi8(0, -1, 3, -1, 1, -1, 4, -1, 2, -1, 5, -1, -1, -1, -1, -1, //
                                            6, -1, 9, -1, 7, -1, 10, -1, 8, -1, 11, -1, -1, -1, -1, -1);
    const __m256i halves = _mm256_setr_epi32(0, 0, 0, 0, 1, 1, 1, 1);
    const __m128i half = _mm_set1_epi32(1 << (axis->precision - 1)), shift = _mm_cvtsi32_si128(axis->precision);
    for (int x = 0; x < axis->kept; x++) {
        const uint8_t *in = row + axis->first_byte[x];
        const int16_t *weights = axis->weights16 + (size_t)x * (size_t)axis->quads;
        __m256i sum = _mm256_setzero_si256();
        for (int k = 0; k < axis->quads; k += 4) {
            __m256i pixels = _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)(in + 3 * k)));
            __m256i pairs = _mm256_castsi128_si256(_mm_loadl_epi64((const __m128i *)(weights + k)));
            sum = _mm256_add_epi32(sum, _mm256_madd_epi16(_mm256_shuffle_epi8(pixels, spread),
                                                          _mm256_permutevar8x32_epi32(pairs, halves)));
        }
        __m128i v = _mm_add_epi32(_mm256_castsi256_si128(sum), _mm256_extracti128_si256(sum, 1));
        v = _mm_sra_epi32(_mm_add_epi32(v, half), shift);
        v = _mm_packs_epi32(v, v);
        int four = _mm_cvtsi128_si32(_mm_packus_epi16(v, v));
        memcpy(out + 3 * x, &four, 4);
    }
}

static void down_u8(const uint8_t *const *rows, const int16_t *weights, int taps, int precision, int n, uint8_t *out)
{
    const __m256i half = _mm256_set1_epi32(1 << (precision - 1)), zero = _mm256_setzero_si256();
    const __m128i shift = _mm_cvtsi32_si128(precision);
    int i = 0;
    for (; i + 32 <= n; i += 32) {
        __m256i s0 = half, s1 = half, s2 = half, s3 = half;
        for (int k = 0; k < taps; k += 2) {
            bool two = k + 1 < taps;
            __m256i w = _mm256_set1_epi32((uint16_t)weights[k] | (two ? (int)((uint32_t)weights[k + 1] << 16) : 0));
            __m256i a = _mm256_loadu_si256((const __m256i *)(rows[k] + i));
            __m256i b = two ? _mm256_loadu_si256((const __m256i *)(rows[k + 1] + i)) : zero;
            __m256i low = _mm256_unpacklo_epi8(a, b), high = _mm256_unpackhi_epi8(a, b);
            s0 = _mm256_add_epi32(s0, _mm256_madd_epi16(_mm256_unpacklo_epi8(low, zero), w));
            s1 = _mm256_add_epi32(s1, _mm256_madd_epi16(_mm256_unpackhi_epi8(low, zero), w));
            s2 = _mm256_add_epi32(s2, _mm256_madd_epi16(_mm256_unpacklo_epi8(high, zero), w));
            s3 = _mm256_add_epi32(s3, _mm256_madd_epi16(_mm256_unpackhi_epi8(high, zero), w));
        }
        __m256i low = _mm256_packs_epi32(_mm256_sra_epi32(s0, shift), _mm256_sra_epi32(s1, shift));
        __m256i high = _mm256_packs_epi32(_mm256_sra_epi32(s2, shift), _mm256_sra_epi32(s3, shift));
        _mm256_storeu_si256((__m256i *)(out + i), _mm256_packus_epi16(low, high));
    }
    for (; i < n; i++)
        out[i] = tub_down_u8_one(rows, weights, taps, precision, i);
}

static inline __m256 channel(__m256i pixels, int shift, const tub_scaling *s)
{
    return tub_scale_avx2(_mm256_and_si256(_mm256_srli_epi32(pixels, shift), _mm256_set1_epi32(255)), s);
}

static void across_float(const tub_axis *axis, const tub_scaling *scaling, const uint8_t *row, float *out)
{
    for (int x = 0; x < axis->kept; x += 8) {
        __m256i at = _mm256_loadu_si256((const __m256i *)(axis->first_byte + x));
        __m256 r = _mm256_setzero_ps(), g = r, b = r;
        for (int k = 0; k < axis->taps; k++) {
            __m256i pixels = _mm256_i32gather_epi32((const int *)(const void *)(row + 3 * k), at, 1);
            __m256 w = _mm256_loadu_ps(axis->weights_by_tap + (size_t)k * (size_t)axis->padded + x);
            r = _mm256_add_ps(r, _mm256_mul_ps(w, channel(pixels, 0, scaling)));
            g = _mm256_add_ps(g, _mm256_mul_ps(w, channel(pixels, 8, scaling)));
            b = _mm256_add_ps(b, _mm256_mul_ps(w, channel(pixels, 16, scaling)));
        }
        _mm256_storeu_ps(out + x, r);
        _mm256_storeu_ps(out + axis->padded + x, g);
        _mm256_storeu_ps(out + 2 * axis->padded + x, b);
    }
}

static void down_float(const float *const *rows, const float *weights, int taps, tub_finish finish, int n, float *out)
{
    int i = 0;
    for (; i + 8 <= n; i += 8) {
        __m256 sum = _mm256_mul_ps(_mm256_set1_ps(weights[0]), _mm256_loadu_ps(rows[0] + i));
        for (int k = 1; k < taps; k++)
            sum = _mm256_add_ps(sum, _mm256_mul_ps(_mm256_set1_ps(weights[k]), _mm256_loadu_ps(rows[k] + i)));
        _mm256_storeu_ps(out + i, tub_finish_avx2(sum, &finish));
    }
    for (; i < n; i++)
        out[i] = tub_down_float_one(rows, weights, taps, finish, i);
}

const tub_pixel_kernels tub_pixel_kernels_avx2 = {
    .rgb_half = tub_rgb_half_avx2,
    .rgb_full = tub_rgb_full_avx2,
    .blend_half = tub_blend_half_avx2,
    .across_u8 = across_u8,
    .down_u8 = down_u8,
    .across_pillow = tub_across_pillow_avx2,
    .down_pillow = tub_down_pillow_avx2,
    .across_float = across_float,
    .down_float = down_float,
};

#endif
