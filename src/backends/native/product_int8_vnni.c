// int8 by vpdpbusd, which needs one unsigned factor: 128 is added to A's elements, and what that adds to a sum is
// subtracted with the scales.
#if defined(__x86_64__)
#include "lanes_avx512.h"

#define INLINE static inline __attribute__((always_inline))
#define GROUP 4
#define ROWS 14
#define VECTORS 2
#define K_BLOCK 1536
#define A_SHIFT 128
#define PRODUCT tub_product_int8_vnni
#define PRODUCT_NAME "avx512_vnni"

V lanes p_spread(const void *p)
{
    int four;
    __builtin_memcpy(&four, p, sizeof four);
    return _mm512_castsi512_ps(_mm512_set1_epi32(four));
}

V lanes p_fma(lanes a, lanes b, lanes c)
{
    return _mm512_castsi512_ps(
        _mm512_dpbusd_epi32(_mm512_castps_si512(c), _mm512_castps_si512(a), _mm512_castps_si512(b)));
}

#define p_load v_load
#include "product_template.h"
#endif
