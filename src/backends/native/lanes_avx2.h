// The vocabulary of kernels_template.h in AVX2.
#include <immintrin.h>

typedef __m256 lanes;
enum { LANES = 8 };

#define V static inline __attribute__((always_inline))

V __m256i first(int n)
{
    return _mm256_cmpgt_epi32(_mm256_set1_epi32(n), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}

V lanes v_set(float f)
{
    return _mm256_set1_ps(f);
}

V lanes v_load(const float *p)
{
    return _mm256_loadu_ps(p);
}

V void v_store(float *p, lanes x)
{
    _mm256_storeu_ps(p, x);
}

V lanes v_load_part(const float *p, int n, float fill)
{
    const __m256i mask = first(n);
    return _mm256_blendv_ps(_mm256_set1_ps(fill), _mm256_maskload_ps(p, mask), _mm256_castsi256_ps(mask));
}

V void v_store_part(float *p, int n, lanes x)
{
    _mm256_maskstore_ps(p, first(n), x);
}

V lanes v_fma(lanes a, lanes b, lanes c)
{
    return _mm256_fmadd_ps(a, b, c);
}

V lanes v_min(lanes a, lanes b)
{
    return _mm256_min_ps(a, b);
}

V lanes v_max(lanes a, lanes b)
{
    return _mm256_max_ps(a, b);
}

V lanes v_round(lanes x)
{
    return _mm256_round_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}

V lanes v_power(lanes p, lanes n)
{
    const __m256i exponent = _mm256_slli_epi32(_mm256_add_epi32(_mm256_cvtps_epi32(n), _mm256_set1_epi32(127)), 23);
    return _mm256_mul_ps(p, _mm256_castsi256_ps(exponent));
}

V lanes v_swap(lanes x)
{
    return _mm256_permute_ps(x, 0xb1);
}

V float v_sum(lanes x)
{
    __m128 s = _mm_add_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps(x, 1));
    s = _mm_add_ps(s, _mm_movehl_ps(s, s));
    return _mm_cvtss_f32(_mm_add_ss(s, _mm_movehdup_ps(s)));
}

V float v_greatest(lanes x)
{
    __m128 s = _mm_max_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps(x, 1));
    s = _mm_max_ps(s, _mm_movehl_ps(s, s));
    return _mm_cvtss_f32(_mm_max_ss(s, _mm_movehdup_ps(s)));
}
