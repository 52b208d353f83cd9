#if defined(__aarch64__)
#include "lanes_neon.h"

#define INLINE static inline __attribute__((always_inline))
#define GROUP 1
#define ROWS 6
#define VECTORS 4
#define K_BLOCK 384
#define PRODUCT tub_product_neon
#define PRODUCT_NAME "neon"

// The multiply-add takes a scalar for all lanes.
#define SPREAD float
V float p_spread(const void *p)
{
    float f;
    memcpy(&f, p, sizeof f);
    return f;
}

V lanes p_fma(float a, lanes b, lanes c)
{
    return (lanes)vfmaq_n_f32((float32x4_t)c, (float32x4_t)b, a);
}

#define p_load v_load
#include "product_template.h"
#endif
