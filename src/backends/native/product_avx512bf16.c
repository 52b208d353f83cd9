#if defined(__x86_64__)
#include "lanes_avx512.h"

#define INLINE static inline __attribute__((always_inline))
#define GROUP 2
#define ROWS 14
#define VECTORS 2
#define K_BLOCK 768
#define PRODUCT tub_product_avx512bf16
#define PRODUCT_NAME "avx512_bf16"

V lanes p_spread(const void *p)
{
    int pair;
    __builtin_memcpy(&pair, p, sizeof pair);
    return _mm512_castsi512_ps(_mm512_set1_epi32(pair));
}

V lanes p_fma(lanes a, lanes b, lanes c)
{
    return _mm512_dpbf16_ps(c, (__m512bh)a, (__m512bh)b);
}

#define p_load v_load
#include "product_template.h"
#endif
