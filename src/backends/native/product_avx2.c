#if defined(__x86_64__)
#include "lanes_avx2.h"

#define INLINE static inline __attribute__((always_inline))
#define GROUP 1
#define ROWS 6
#define VECTORS 2
#define K_BLOCK 384
#define PRODUCT tub_product_avx2
#define PRODUCT_NAME "avx2"

V lanes p_spread(const void *p)
{
    return _mm256_broadcast_ss(p);
}

#define p_load v_load
#define p_fma v_fma
#include "product_template.h"
#endif
