#include "lanes_portable.h"

#define INLINE static inline __attribute__((always_inline))
#define GROUP 1
#define ROWS 4
#define VECTORS 2
#define K_BLOCK 512
#define PRODUCT tub_product_portable
#define PRODUCT_NAME "scalar"

V lanes p_spread(const void *p)
{
    float f;
    memcpy(&f, p, sizeof f);
    return v_set(f);
}

#define p_load v_load
#define p_fma v_fma
#include "product_template.h"
