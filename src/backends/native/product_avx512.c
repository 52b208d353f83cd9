#if defined(__x86_64__)
#include "lanes_avx512.h"

#define INLINE static inline __attribute__((always_inline))
#define GROUP 1
#define ROWS 14
#define K_BLOCK 768
#define PRODUCT tub_product_avx512
#define PRODUCT_NAME "avx512"

V lanes p_spread(const void *p)
{
    float f;
    __builtin_memcpy(&f, p, sizeof f);
    return _mm512_set1_ps(f);
}

#define p_load v_load
#define p_fma v_fma
#include "product_template.h"
#endif
