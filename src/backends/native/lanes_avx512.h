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

// Integers in the lanes' bits -> `x - offset` as floats.
V lanes v_from_integers(lanes x, lanes offset)
{
    return _mm512_cvtepi32_ps(_mm512_sub_epi32(_mm512_castps_si512(x), _mm512_castps_si512(offset)));
}

V lanes v_peak(lanes a, lanes x)
{
    const __m512i magnitude = _mm512_and_si512(_mm512_castps_si512(x), _mm512_set1_epi32(0x7fffffff));
    return _mm512_castsi512_ps(_mm512_max_epi32(_mm512_castps_si512(a), magnitude));
}

V float v_peak_of(lanes a)
{
    return _mm_cvtss_f32(_mm_castsi128_ps(_mm_cvtsi32_si128(_mm512_reduce_max_epi32(_mm512_castps_si512(a)))));
}

// Rounded to the nearest, clamped to [-127, 127], plus shift, as bytes.
V __m128i v_bytes(lanes x, int shift)
{
    const __m512i whole = _mm512_cvtps_epi32(_mm512_max_ps(_mm512_min_ps(x, v_set(127.0f)), v_set(-127.0f)));
    return _mm512_cvtepi32_epi8(_mm512_add_epi32(whole, _mm512_set1_epi32(shift)));
}

V void v_store_bytes(void *p, lanes x, int shift)
{
    _mm_storeu_si128(p, v_bytes(x, shift));
}

V void v_store_bytes_part(void *p, int n, lanes x, int shift)
{
    _mm_mask_storeu_epi8(p, first(n), v_bytes(x, shift));
}
