// float32's part of product_template.h's vocabulary in AVX-512, for blocks of any shape.
#include "lanes_avx512.h"

#define INLINE static inline __attribute__((always_inline))
#define GROUP 1
#define p_load v_load

V lanes p_spread(const void *p)
{
    float f;
    __builtin_memcpy(&f, p, sizeof f);
    return _mm512_set1_ps(f);
}

// By itself, the compiler also uses forms that overwrite a factor, and then copies registers.
V lanes p_fma(lanes a, lanes b, lanes c)
{
    __asm__("vfmadd231ps %2, %1, %0" : "+v"(c) : "v"(a), "v"(b));
    return c;
}
