// The vocabulary of kernels_template.h in AVX-512, for both of its compute types.
#include <immintrin.h>

typedef __m512 lanes;
enum { LANES = 16 };

#define V static inline __attribute__((always_inline))

V __mmask16 first(int n)
{
    return (__mmask16)((1u << n) - 1);
}

V lanes v_set(float f)
{
    return _mm512_set1_ps(f);
}

V lanes v_load(const float *p)
{
    return _mm512_loadu_ps(p);
}

V void v_store(float *p, lanes x)
{
    _mm512_storeu_ps(p, x);
}

V lanes v_load_part(const float *p, int n, float fill)
{
    return _mm512_mask_loadu_ps(_mm512_set1_ps(fill), first(n), p);
}

V void v_store_part(float *p, int n, lanes x)
{
    _mm512_mask_storeu_ps(p, first(n), x);
}

V lanes v_fma(lanes a, lanes b, lanes c)
{
    return _mm512_fmadd_ps(a, b, c);
}

V lanes v_min(lanes a, lanes b)
{
    return _mm512_min_ps(a, b);
}

V lanes v_max(lanes a, lanes b)
{
    return _mm512_max_ps(a, b);
}

V lanes v_round(lanes x)
{
    return _mm512_roundscale_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}

V lanes v_power(lanes p, lanes n)
{
    return _mm512_scalef_ps(p, n);
}

V lanes v_swap(lanes x)
{
    return _mm512_permute_ps(x, 0xb1);
}

V float v_sum(lanes x)
{
    return _mm512_reduce_add_ps(x);
}

V float v_greatest(lanes x)
{
    return _mm512_reduce_max_ps(x);
}
