#include "pixel_kernels.h"

#if defined(__x86_64__)
#include <immintrin.h>
#include <string.h>

#include "pixel_finish.h"

#define INTEGERS __m512i
#define FLOATS __m512
#define V(name) _mm512_##name
#define LEVEL(name) name##_avx512
enum { LANES = 16, PIXELS = 64 };

static inline __m512i load(const void *from)
{
    return _mm512_loadu_si512(from);
}

static inline __m512i load_half(const uint8_t *from)
{
    return _mm512_cvtepu8_epi16(_mm256_loadu_si256((const __m256i *)from));
}

static inline __m512i load_lanes(const int8_t *from)
{
    return _mm512_broadcast_i32x4(_mm_loadu_si128((const __m128i *)from));
}

static inline __m512i zero(void)
{
    return _mm512_setzero_si512();
}

static inline __m512i both(__m512i a, __m512i b)
{
    return _mm512_and_si512(a, b);
}

static inline __m512i either(__m512i a, __m512i b)
{
    return _mm512_or_si512(a, b);
}

static inline __m512i widened(const uint8_t *row)
{
    return _mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i *)row));
}

static inline __m512i gather(const uint8_t *row, const int32_t *at, const uint32_t *pick)
{
    __m512i four = _mm512_i32gather_epi32(_mm512_loadu_si512(at), row, 1);
    return _mm512_shuffle_epi8(four, _mm512_loadu_si512(pick));
}

static inline void store_third(uint8_t *out, __m512i v)
{
    _mm_storeu_si128((__m128i *)out, _mm512_castsi512_si128(v));
    _mm_storeu_si128((__m128i *)(out + 48), _mm512_extracti32x4_epi32(v, 1));
    _mm_storeu_si128((__m128i *)(out + 96), _mm512_extracti32x4_epi32(v, 2));
    _mm_storeu_si128((__m128i *)(out + 144), _mm512_extracti32x4_epi32(v, 3));
}

// Sixteen values of one channel, in units of 1 / 2^22.
static inline void store_channel(uint8_t *out, __m512i sum)
{
    __m512i v = _mm512_srai_epi32(sum, 22);
    v = _mm512_min_epi32(_mm512_max_epi32(v, _mm512_setzero_si512()), _mm512_set1_epi32(255));
    _mm_storeu_si128((__m128i *)out, _mm512_cvtepi32_epi8(v));
}

static inline void store_floats(float *out, __m512 v, int count)
{
    _mm512_mask_storeu_ps(out, (__mmask16)((1u << count) - 1), v);
}

#include "pixel_yuv_template.h"

#endif
