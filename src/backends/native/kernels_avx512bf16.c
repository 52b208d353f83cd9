#if defined(__x86_64__)
#include "lanes_avx512.h"

#include <stdint.h>

typedef uint16_t narrow;
#define NARROW_IS_FLOAT 0

V lanes widened(__m256i x)
{
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(x), 16));
}

V lanes n_load(const narrow *p)
{
    return widened(_mm256_loadu_si256((const void *)p));
}

V lanes n_load_part(const narrow *p, int n)
{
    return widened(_mm256_maskz_loadu_epi16(first(n), p));
}

V void n_store(narrow *p, lanes x)
{
    _mm256_storeu_si256((void *)p, (__m256i)_mm512_cvtneps_pbh(x));
}

V void n_store_two(narrow *p, lanes x, lanes y)
{
    _mm512_storeu_si512(p, (__m512i)_mm512_cvtne2ps_pbh(y, x));
}

V void n_store_part(narrow *p, int n, lanes x)
{
    _mm256_mask_storeu_epi16(p, first(n), (__m256i)_mm512_cvtneps_pbh(x));
}

#define WITH_INT8 1
#define TABLE tub_kernels_avx512bf16
#include "kernels_template.h"
#endif
