// For linear layers: wide.
#if defined(__x86_64__)
#include "lanes_avx512.h"

#define INLINE static inline __attribute__((always_inline))
#define GROUP 1
#define ROWS 6
#define VECTORS 4
#define K_BLOCK 384
#define PRODUCT tub_product_avx512
#define PRODUCT_NAME "avx512"

V lanes p_spread(const void *p)
{
    float f;
    __builtin_memcpy(&f, p, sizeof f);
    return _mm512_set1_ps(f);
}

// The compiler, left to itself, also takes forms that overwrite a factor, and then copies registers.
V lanes p_fma(lanes a, lanes b, lanes c)
{
    __asm__("vfmadd231ps %2, %1, %0" : "+v"(c) : "v"(a), "v"(b));
    return c;
}

#define p_load v_load
#include "product_template.h"
#endif
