#include "pixel_kernels.h"

#if defined(__x86_64__)
#include <immintrin.h>
#include <string.h>

// One output at a time, its channels side by side; the fourth lane is the next pixel's red and isn't kept.
void tub_across_pillow_avx2(const tub_axis *axis, const uint8_t *row, uint8_t *out)
{
    const __m128i half = _mm_set1_epi32(1 << (axis->precision - 1)), shift = _mm_cvtsi32_si128(axis->precision);
    for (int x = 0; x < axis->kept; x++) {
        const uint8_t *in = row + axis->first_byte[x];
        const int32_t *weights = axis->weights32 + (size_t)x * (size_t)axis->taps;
        __m128i sum = half;
        for (int k = 0; k < axis->taps; k++) {
            int four;
            memcpy(&four, in + 3 * k, 4);
            __m128i pixel = _mm_cvtepu8_epi32(_mm_cvtsi32_si128(four));
            sum = _mm_add_epi32(sum, _mm_mullo_epi32(pixel, _mm_set1_epi32(weights[k])));
        }
        __m128i v = _mm_sra_epi32(sum, shift);
        v = _mm_packs_epi32(v, v);
        int four = _mm_cvtsi128_si32(_mm_packus_epi16(v, v));
        memcpy(out + 3 * x, &four, 4);
    }
}

void tub_down_pillow_avx2(const uint8_t *const *rows, const int32_t *weights, int taps, int precision, int n,
                          uint8_t *out)
{
    const __m256i half = _mm256_set1_epi32(1 << (precision - 1));
    const __m128i shift = _mm_cvtsi32_si128(precision);
    int i = 0;
    for (; i + 16 <= n; i += 16) {
        __m256i low = half, high = half;
        for (int k = 0; k < taps; k++) {
            const __m256i w = _mm256_set1_epi32(weights[k]);
            const __m128i bytes = _mm_loadu_si128((const __m128i *)(rows[k] + i));
            low = _mm256_add_epi32(low, _mm256_mullo_epi32(_mm256_cvtepu8_epi32(bytes), w));
            high = _mm256_add_epi32(high, _mm256_mullo_epi32(_mm256_cvtepu8_epi32(_mm_srli_si128(bytes, 8)), w));
        }
        // The packing works within halves of 128 bits: 0-3 8-11 | 4-7 12-15.
        __m256i v = _mm256_packs_epi32(_mm256_sra_epi32(low, shift), _mm256_sra_epi32(high, shift));
        v = _mm256_permute4x64_epi64(v, _MM_SHUFFLE(3, 1, 2, 0));
        const __m128i packed = _mm_packus_epi16(_mm256_castsi256_si128(v), _mm256_extracti128_si256(v, 1));
        _mm_storeu_si128((__m128i *)(out + i), packed);
    }
    for (; i < n; i++)
        out[i] = tub_down_pillow_one(rows, weights, taps, precision, i);
}

#endif
