#include "pixel_kernels.h"

#if defined(__x86_64__)
#include <immintrin.h>
#include <string.h>

#include "pixel_finish.h"

static inline __m512i join(__m256i low, __m256i high)
{
    return _mm512_inserti64x4(_mm512_castsi256_si512(low), high, 1);
}

static inline __m256i load_both(const uint8_t *in)
{
    return _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)in));
}

// As in AVX2 (four taps in two lanes of 128 bits), for two outputs at a time.
static void across_u8(const tub_axis *axis, const uint8_t *row, uint8_t *out)
{
    const __m128i first = _mm_setr_epi8(0, -1, 3, -1, 1, -1, 4, -1, 2, -1, 5, -1, -1, -1, -1, -1);
    const __m128i second = _mm_setr_epi8(6, -1, 9, -1, 7, -1, 10, -1, 8, -1, 11, -1, -1, -1, -1, -1);
    const __m256i both = _mm256_inserti128_si256(_mm256_castsi128_si256(first), second, 1);
    const __m512i spread = join(both, both);
    const __m512i halves = _mm512_setr_epi32(0, 0, 0, 0, 1, 1, 1, 1, 16, 16, 16, 16, 17, 17, 17, 17);
    const __m256i half = _mm256_set1_epi32(1 << (axis->precision - 1));
    const __m128i shift = _mm_cvtsi32_si128(axis->precision);
    const int quads = axis->quads;
    for (int x = 0; x < axis->kept; x += 2) { // the tables are padded beyond `kept`
        const uint8_t *a = row + axis->first_byte[x], *b = row + axis->first_byte[x + 1];
        const int16_t *weights = axis->weights16 + (size_t)x * (size_t)quads;
        __m512i sum = _mm512_setzero_si512();
        for (int k = 0; k < quads; k += 4) {
            __m512i pixels = join(load_both(a + 3 * k), load_both(b + 3 * k));
            __m512i wa = _mm512_castsi128_si512(_mm_loadl_epi64((const __m128i *)(weights + k)));
            __m512i wb = _mm512_castsi128_si512(_mm_loadl_epi64((const __m128i *)(weights + quads + k)));
            sum = _mm512_add_epi32(
                sum, _mm512_madd_epi16(_mm512_shuffle_epi8(pixels, spread), _mm512_permutex2var_epi32(wa, halves, wb)));
        }
        __m512i swapped = _mm512_shuffle_i64x2(sum, sum, _MM_SHUFFLE(2, 3, 0, 1));
        sum = _mm512_add_epi32(sum, swapped);
        __m256i v = _mm256_inserti128_si256(_mm512_castsi512_si256(sum), _mm512_extracti32x4_epi32(sum, 2), 1);
        v = _mm256_sra_epi32(_mm256_add_epi32(v, half), shift);
        v = _mm256_packs_epi32(v, v);
        v = _mm256_packus_epi16(v, v);
        int four = _mm_cvtsi128_si32(_mm256_castsi256_si128(v));
        memcpy(out + 3 * x, &four, 4);
        four = _mm_cvtsi128_si32(_mm256_extracti128_si256(v, 1));
        memcpy(out + 3 * x + 3, &four, 4);
    }
}

static inline void down_u8_block(const uint8_t *const *rows, const int16_t *weights, int taps, int precision, int i,
                                 __mmask64 mask, uint8_t *out)
{
    const __m512i half = _mm512_set1_epi32(1 << (precision - 1)), zero = _mm512_setzero_si512();
    const __m128i shift = _mm_cvtsi32_si128(precision);
    __m512i s0 = half, s1 = half, s2 = half, s3 = half;
    for (int k = 0; k < taps; k += 2) {
        bool two = k + 1 < taps;
        __m512i w = _mm512_set1_epi32((uint16_t)weights[k] | (two ? (int)((uint32_t)weights[k + 1] << 16) : 0));
        __m512i a = _mm512_maskz_loadu_epi8(mask, rows[k] + i);
        __m512i b = two ? _mm512_maskz_loadu_epi8(mask, rows[k + 1] + i) : zero;
        __m512i low = _mm512_unpacklo_epi8(a, b), high = _mm512_unpackhi_epi8(a, b);
        s0 = _mm512_add_epi32(s0, _mm512_madd_epi16(_mm512_unpacklo_epi8(low, zero), w));
        s1 = _mm512_add_epi32(s1, _mm512_madd_epi16(_mm512_unpackhi_epi8(low, zero), w));
        s2 = _mm512_add_epi32(s2, _mm512_madd_epi16(_mm512_unpacklo_epi8(high, zero), w));
        s3 = _mm512_add_epi32(s3, _mm512_madd_epi16(_mm512_unpackhi_epi8(high, zero), w));
    }
    __m512i low = _mm512_packs_epi32(_mm512_sra_epi32(s0, shift), _mm512_sra_epi32(s1, shift));
    __m512i high = _mm512_packs_epi32(_mm512_sra_epi32(s2, shift), _mm512_sra_epi32(s3, shift));
    _mm512_mask_storeu_epi8(out + i, mask, _mm512_packus_epi16(low, high));
}

static void down_u8(const uint8_t *const *rows, const int16_t *weights, int taps, int precision, int n, uint8_t *out)
{
    int i = 0;
    for (; i + 64 <= n; i += 64)
        down_u8_block(rows, weights, taps, precision, i, ~(__mmask64)0, out);
    if (i < n)
        down_u8_block(rows, weights, taps, precision, i, ((__mmask64)1 << (n - i)) - 1, out);
}

static inline __m512 channel(__m512i pixels, unsigned shift, const tub_scaling *s)
{
    return tub_scale_avx512(_mm512_and_si512(_mm512_srli_epi32(pixels, shift), _mm512_set1_epi32(255)), s);
}

static void across_float(const tub_axis *axis, const tub_scaling *scaling, const uint8_t *row, float *out)
{
    for (int x = 0; x < axis->kept; x += 16) {
        __m512i at = _mm512_loadu_si512(axis->first_byte + x);
        __m512 r = _mm512_setzero_ps(), g = r, b = r;
        for (int k = 0; k < axis->taps; k++) {
            __m512i pixels = _mm512_i32gather_epi32(at, row + 3 * k, 1);
            __m512 w = _mm512_loadu_ps(axis->weights_by_tap + (size_t)k * (size_t)axis->padded + x);
            r = _mm512_add_ps(r, _mm512_mul_ps(w, channel(pixels, 0, scaling)));
            g = _mm512_add_ps(g, _mm512_mul_ps(w, channel(pixels, 8, scaling)));
            b = _mm512_add_ps(b, _mm512_mul_ps(w, channel(pixels, 16, scaling)));
        }
        _mm512_storeu_ps(out + x, r);
        _mm512_storeu_ps(out + axis->padded + x, g);
        _mm512_storeu_ps(out + 2 * axis->padded + x, b);
    }
}

static void down_float(const float *const *rows, const float *weights, int taps, tub_finish finish, int n, float *out)
{
    for (int i = 0; i < n; i += 16) {
        __mmask16 mask = n - i >= 16 ? (__mmask16)0xffff : (__mmask16)((1u << (n - i)) - 1);
        __m512 sum = _mm512_mul_ps(_mm512_set1_ps(weights[0]), _mm512_maskz_loadu_ps(mask, rows[0] + i));
        for (int k = 1; k < taps; k++)
            sum =
                _mm512_add_ps(sum, _mm512_mul_ps(_mm512_set1_ps(weights[k]), _mm512_maskz_loadu_ps(mask, rows[k] + i)));
        _mm512_mask_storeu_ps(out + i, mask, tub_finish_avx512(sum, &finish));
    }
}

const tub_pixel_kernels tub_pixel_kernels_avx512 = {
    .rgb_half = tub_rgb_half_avx512,
    .rgb_full = tub_rgb_full_avx512,
    .blend_half = tub_blend_half_avx512,
    .across_u8 = across_u8,
    .down_u8 = down_u8,
    .across_pillow = tub_across_pillow_avx2,
    .down_pillow = tub_down_pillow_avx2,
    .across_float = across_float,
    .down_float = down_float,
};

#endif
