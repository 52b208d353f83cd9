// Moves vectors of pixels into and out of the float domain. Included by the files of one instruction-set level.
#ifndef TUB_PIXEL_FINISH_H
#define TUB_PIXEL_FINISH_H

#include <immintrin.h>
#include <string.h>

#include "pixel_kernels.h"

#if defined(__AVX2__) && defined(__FMA__)
static inline __m256 tub_scale_avx2(__m256i levels, const tub_scaling *s)
{
    __m256 v = _mm256_cvtepi32_ps(levels);
    v = _mm256_fmadd_ps(v, _mm256_set1_ps(s->high), _mm256_mul_ps(v, _mm256_set1_ps(s->low)));
    return _mm256_add_ps(v, _mm256_set1_ps(s->offset));
}

static inline __m256 tub_finish_avx2(__m256 v, const tub_finish *f)
{
    if (f->none)
        return v;
    const __m256 std = _mm256_set1_ps(f->std), inverse = _mm256_set1_ps(f->inverse);
    v = _mm256_sub_ps(v, _mm256_set1_ps(f->mean));
    if (f->inverse == 0)
        return _mm256_div_ps(v, std);
    __m256 q = _mm256_mul_ps(v, inverse);
    q = _mm256_fmadd_ps(_mm256_fnmadd_ps(q, std, v), inverse, q);
    return _mm256_fmadd_ps(_mm256_fnmadd_ps(q, std, v), inverse, q);
}

static inline void tub_store_floats_avx2(float *out, __m256 v, int count)
{
    if (count < 8)
        memcpy(out, &v, (size_t)count * sizeof *out);
    else
        _mm256_storeu_ps(out, v);
}
#endif

#if defined(__AVX512F__)
static inline __m512 tub_scale_avx512(__m512i levels, const tub_scaling *s)
{
    __m512 v = _mm512_cvtepi32_ps(levels);
    v = _mm512_fmadd_ps(v, _mm512_set1_ps(s->high), _mm512_mul_ps(v, _mm512_set1_ps(s->low)));
    return _mm512_add_ps(v, _mm512_set1_ps(s->offset));
}

static inline __m512 tub_finish_avx512(__m512 v, const tub_finish *f)
{
    if (f->none)
        return v;
    const __m512 std = _mm512_set1_ps(f->std), inverse = _mm512_set1_ps(f->inverse);
    v = _mm512_sub_ps(v, _mm512_set1_ps(f->mean));
    if (f->inverse == 0)
        return _mm512_div_ps(v, std);
    __m512 q = _mm512_mul_ps(v, inverse);
    q = _mm512_fmadd_ps(_mm512_fnmadd_ps(q, std, v), inverse, q);
    return _mm512_fmadd_ps(_mm512_fnmadd_ps(q, std, v), inverse, q);
}
#endif

#endif
