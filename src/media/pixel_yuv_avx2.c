#include "pixel_kernels.h"

#if defined(__x86_64__)
#include <immintrin.h>
#include <string.h>

#include "pixel_finish.h"

const int8_t tub_rgb_spread[3][3][16] = {
    {{0, -1, -1, 1, -1, -1, 2, -1, -1, 3, -1, -1, 4, -1, -1, 5},
     {-1, 0, -1, -1, 1, -1, -1, 2, -1, -1, 3, -1, -1, 4, -1, -1},
     {-1, -1, 0, -1, -1, 1, -1, -1, 2, -1, -1, 3, -1, -1, 4, -1}},
    {{-1, -1, 6, -1, -1, 7, -1, -1, 8, -1, -1, 9, -1, -1, 10, -1},
     {5, -1, -1, 6, -1, -1, 7, -1, -1, 8, -1, -1, 9, -1, -1, 10},
     {-1, 5, -1, -1, 6, -1, -1, 7, -1, -1, 8, -1, -1, 9, -1, -1}},
    {{-1, 11, -1, -1, 12, -1, -1, 13, -1, -1, 14, -1, -1, 15, -1, -1},
     {-1, -1, 11, -1, -1, 12, -1, -1, 13, -1, -1, 14, -1, -1, 15, -1},
     {10, -1, -1, 11, -1, -1, 12, -1, -1, 13, -1, -1, 14, -1, -1, 15}},
};

#define INTEGERS __m256i
#define FLOATS __m256
#define V(name) _mm256_##name
#define LEVEL(name) name##_avx2
enum { LANES = 8, PIXELS = 32 };

static inline __m256i load(const void *from)
{
    return _mm256_loadu_si256((const __m256i *)from);
}

static inline __m256i load_half(const uint8_t *from)
{
    return _mm256_cvtepu8_epi16(_mm_loadu_si128((const __m128i *)from));
}

static inline __m256i load_lanes(const int8_t *from)
{
    return _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)from));
}

static inline __m256i zero(void)
{
    return _mm256_setzero_si256();
}

static inline __m256i both(__m256i a, __m256i b)
{
    return _mm256_and_si256(a, b);
}

static inline __m256i either(__m256i a, __m256i b)
{
    return _mm256_or_si256(a, b);
}

static inline __m256i widened(const uint8_t *row)
{
    return _mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)row));
}

static inline __m256i gather(const uint8_t *row, const int32_t *at, const uint32_t *pick)
{
    __m256i four = _mm256_i32gather_epi32((const int *)(const void *)row, load(at), 1);
    return _mm256_shuffle_epi8(four, load(pick));
}

static inline void store_third(uint8_t *out, __m256i v)
{
    _mm_storeu_si128((__m128i *)out, _mm256_castsi256_si128(v));
    _mm_storeu_si128((__m128i *)(out + 48), _mm256_extracti128_si256(v, 1));
}

// Eight values of one channel, in units of 1 / 2^22.
static inline void store_channel(uint8_t *out, __m256i sum)
{
    __m256i v = _mm256_srai_epi32(sum, 22);
    v = _mm256_permute4x64_epi64(_mm256_packs_epi32(v, v), _MM_SHUFFLE(3, 1, 2, 0));
    _mm_storel_epi64((__m128i *)out, _mm_packus_epi16(_mm256_castsi256_si128(v), _mm256_castsi256_si128(v)));
}

static inline void store_floats(float *out, __m256 v, int count)
{
    tub_store_floats_avx2(out, v, count);
}

#include "pixel_yuv_template.h"

#endif
