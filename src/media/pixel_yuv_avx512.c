#include "pixel_kernels.h"

#if defined(__x86_64__)
#include <immintrin.h>
#include <string.h>

#include "pixel_finish.h"

enum { PIXELS = 64 };

typedef struct matrix {
    __m512i luma_offset, luma, v_red, v_green, u_green, u_blue;
} matrix;

typedef struct channels {
    __m512i red, green, blue;
} channels;

static inline matrix words(const tub_matrix *m)
{
    return (matrix){_mm512_set1_epi16((short)m->luma_offset), _mm512_set1_epi16((short)m->luma),
                    _mm512_set1_epi16((short)m->v_red),       _mm512_set1_epi16((short)m->v_green),
                    _mm512_set1_epi16((short)m->u_green),     _mm512_set1_epi16((short)m->u_blue)};
}

// What chroma, as 16-bit numbers, adds to each channel.
static inline channels chroma(const matrix *m, __m512i u, __m512i v)
{
    const __m512i middle = _mm512_set1_epi16(1024);
    u = _mm512_sub_epi16(_mm512_slli_epi16(u, 3), middle);
    v = _mm512_sub_epi16(_mm512_slli_epi16(v, 3), middle);
    return (channels){_mm512_mulhi_epi16(v, m->v_red),
                      _mm512_add_epi16(_mm512_mulhi_epi16(u, m->u_green), _mm512_mulhi_epi16(v, m->v_green)),
                      _mm512_mulhi_epi16(u, m->u_blue)};
}

static inline __m512i luma(const matrix *m, __m512i y)
{
    return _mm512_mulhi_epi16(_mm512_sub_epi16(_mm512_slli_epi16(y, 3), m->luma_offset), m->luma);
}

static inline __m512i byte_range(__m512i v)
{
    return _mm512_min_epi16(_mm512_max_epi16(v, _mm512_setzero_si512()), _mm512_set1_epi16(255));
}

// Even and odd pixels of one channel, a byte each.
static inline __m512i interleave(__m512i even, __m512i odd, __m512i add)
{
    return _mm512_or_si512(byte_range(_mm512_add_epi16(even, add)),
                           _mm512_slli_epi16(byte_range(_mm512_add_epi16(odd, add)), 8));
}

// Within 128 bits, a third of the 48 bytes that 16 pixels of three channels make.
static inline __m512i third_of(const channels *c, int third)
{
    __m512i red = _mm512_broadcast_i32x4(_mm_loadu_si128((const __m128i *)tub_rgb_spread[third][0]));
    __m512i green = _mm512_broadcast_i32x4(_mm_loadu_si128((const __m128i *)tub_rgb_spread[third][1]));
    __m512i blue = _mm512_broadcast_i32x4(_mm_loadu_si128((const __m128i *)tub_rgb_spread[third][2]));
    return _mm512_or_si512(_mm512_or_si512(_mm512_shuffle_epi8(c->red, red), _mm512_shuffle_epi8(c->green, green)),
                           _mm512_shuffle_epi8(c->blue, blue));
}

static inline void store_third(uint8_t *out, __m512i v)
{
    _mm_storeu_si128((__m128i *)out, _mm512_castsi512_si128(v));
    _mm_storeu_si128((__m128i *)(out + 48), _mm512_extracti32x4_epi32(v, 1));
    _mm_storeu_si128((__m128i *)(out + 96), _mm512_extracti32x4_epi32(v, 2));
    _mm_storeu_si128((__m128i *)(out + 144), _mm512_extracti32x4_epi32(v, 3));
}

static inline void store_packed(uint8_t *out, channels c)
{
    for (int third = 0; third < 3; third++)
        store_third(out + 16 * third, third_of(&c, third));
}

static inline void half_block(const matrix *m, const uint8_t *y, const uint8_t *u, const uint8_t *v, uint8_t *out)
{
    __m512i bytes = _mm512_loadu_si512(y);
    __m512i even = luma(m, _mm512_and_si512(bytes, _mm512_set1_epi16(255))), odd = luma(m, _mm512_srli_epi16(bytes, 8));
    channels add = chroma(m, _mm512_cvtepu8_epi16(_mm256_loadu_si256((const __m256i *)u)),
                          _mm512_cvtepu8_epi16(_mm256_loadu_si256((const __m256i *)v)));
    store_packed(out, (channels){interleave(even, odd, add.red), interleave(even, odd, add.green),
                                 interleave(even, odd, add.blue)});
}

// The last pixels of a row go through buffers, so that nothing beyond it is read or written.
void tub_rgb_half_avx512(const tub_matrix *matrix_of, const uint8_t *const row[3], int width, uint8_t *out)
{
    const matrix m = words(matrix_of);
    int x = 0;
    for (; x + PIXELS <= width; x += PIXELS)
        half_block(&m, row[0] + x, row[1] + x / 2, row[2] + x / 2, out + 3 * x);
    if (x < width) {
        uint8_t y[PIXELS] = {0}, u[PIXELS / 2] = {0}, v[PIXELS / 2] = {0}, rgb[PIXELS * 3];
        memcpy(y, row[0] + x, (size_t)(width - x));
        memcpy(u, row[1] + x / 2, (size_t)(width - x + 1) / 2);
        memcpy(v, row[2] + x / 2, (size_t)(width - x + 1) / 2);
        half_block(&m, y, u, v, rgb);
        memcpy(out + 3 * x, rgb, (size_t)(width - x) * 3);
    }
}

// Sixteen values of one channel, with luma in the units of the sum.
static inline __m128i full_channel(__m512i sum)
{
    __m512i v = _mm512_srai_epi32(sum, 22);
    v = _mm512_min_epi32(_mm512_max_epi32(v, _mm512_setzero_si512()), _mm512_set1_epi32(255));
    return _mm512_cvtepi32_epi8(v);
}

static inline __m512i widened(const uint8_t *row)
{
    return _mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i *)row));
}

static inline __m512i times(__m512i v, int factor)
{
    return _mm512_mullo_epi32(v, _mm512_set1_epi32(factor));
}

static inline void full_quarter(const tub_matrix *m, const uint8_t *y, const uint8_t *u, const uint8_t *v,
                                uint8_t (*out)[PIXELS], int at)
{
    __m512i light =
        times(_mm512_sub_epi32(_mm512_slli_epi32(widened(y + at), 9), _mm512_set1_epi32(64 * m->luma_offset)), m->luma);
    __m512i blue = _mm512_slli_epi32(_mm512_sub_epi32(widened(u + at), _mm512_set1_epi32(128)), 9);
    __m512i red = _mm512_slli_epi32(_mm512_sub_epi32(widened(v + at), _mm512_set1_epi32(128)), 9);
    light = _mm512_add_epi32(light, _mm512_set1_epi32(1 << 21));
    __m512i green = _mm512_add_epi32(times(blue, m->u_green), times(red, m->v_green));
    _mm_storeu_si128((__m128i *)(out[0] + at), full_channel(_mm512_add_epi32(light, times(red, m->v_red))));
    _mm_storeu_si128((__m128i *)(out[1] + at), full_channel(_mm512_add_epi32(light, green)));
    _mm_storeu_si128((__m128i *)(out[2] + at), full_channel(_mm512_add_epi32(light, times(blue, m->u_blue))));
}

static inline void full_block(const tub_matrix *m, const uint8_t *y, const uint8_t *u, const uint8_t *v, uint8_t *out)
{
    uint8_t planes[3][PIXELS];
    for (int at = 0; at < PIXELS; at += 16)
        full_quarter(m, y, u, v, planes, at);
    store_packed(
        out, (channels){_mm512_loadu_si512(planes[0]), _mm512_loadu_si512(planes[1]), _mm512_loadu_si512(planes[2])});
}

void tub_rgb_full_avx512(const tub_matrix *m, const uint8_t *const row[3], int width, uint8_t *out)
{
    int x = 0;
    for (; x + PIXELS <= width; x += PIXELS)
        full_block(m, row[0] + x, row[1] + x, row[2] + x, out + 3 * x);
    if (x < width) {
        uint8_t tail[3][PIXELS] = {{0}}, rgb[PIXELS * 3];
        for (int c = 0; c < 3; c++)
            memcpy(tail[c], row[c] + x, (size_t)(width - x));
        full_block(m, tail[0], tail[1], tail[2], rgb);
        memcpy(out + 3 * x, rgb, (size_t)(width - x) * 3);
    }
}

typedef struct values {
    __m512 of[3];
} values;

static inline __m512i gather(const uint8_t *row, const int32_t *at, const uint32_t *pick)
{
    __m512i four = _mm512_i32gather_epi32(_mm512_loadu_si512(at), row, 1);
    return _mm512_shuffle_epi8(four, _mm512_loadu_si512(pick));
}

static inline channels gather_chroma(const tub_pairs *p, const uint8_t *const row[3], const matrix *m, int k)
{
    return chroma(m, gather(row[1], p->chroma_at + k, p->chroma_pick + k),
                  gather(row[2], p->chroma_at + k, p->chroma_pick + k));
}

// Blends the two pixels, 16-bit halves of `pair`.
static inline __m512 across(__m512i pair, __m512 left, __m512 right, const tub_scaling *s)
{
    __m512 a = tub_scale_avx512(_mm512_and_si512(pair, _mm512_set1_epi32(0xffff)), s);
    __m512 b = tub_scale_avx512(_mm512_srli_epi32(pair, 16), s);
    return _mm512_add_ps(_mm512_mul_ps(left, a), _mm512_mul_ps(right, b));
}

static inline values blend_row(const tub_pairs *p, const tub_blend *b, const matrix *m, const uint8_t *row,
                               const channels *add, int k)
{
    __m512i light = luma(m, gather(row, p->luma_at + k, p->luma_pick + k));
    __m512 left = _mm512_loadu_ps(p->weights + k), right = _mm512_loadu_ps(p->weights + p->padded + k);
    return (values){{across(byte_range(_mm512_add_epi16(light, add->red)), left, right, b->scaling),
                     across(byte_range(_mm512_add_epi16(light, add->green)), left, right, b->scaling),
                     across(byte_range(_mm512_add_epi16(light, add->blue)), left, right, b->scaling)}};
}

void tub_blend_half_avx512(const tub_pairs *p, const tub_blend *b)
{
    const matrix m = words(b->matrix);
    const bool one_chroma = b->rows[0][1] == b->rows[1][1];
    const __m512 upper = _mm512_set1_ps(b->weights[0]), lower = _mm512_set1_ps(b->weights[1]);
    for (int k = 0; k < p->kept; k += 16) {
        __mmask16 mask = p->kept - k >= 16 ? (__mmask16)0xffff : (__mmask16)((1u << (p->kept - k)) - 1);
        channels add = gather_chroma(p, b->rows[0], &m, k);
        values first = blend_row(p, b, &m, b->rows[0][0], &add, k);
        if (!one_chroma)
            add = gather_chroma(p, b->rows[1], &m, k);
        values second = blend_row(p, b, &m, b->rows[1][0], &add, k);
        for (int c = 0; c < 3; c++) {
            __m512 sum = _mm512_add_ps(_mm512_mul_ps(upper, first.of[c]), _mm512_mul_ps(lower, second.of[c]));
            _mm512_mask_storeu_ps(b->out[c] + k, mask, tub_finish_avx512(sum, &b->finish[c]));
        }
    }
}

#endif
