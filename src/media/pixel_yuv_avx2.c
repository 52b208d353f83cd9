#include "pixel_kernels.h"

#if defined(__x86_64__)
#include <immintrin.h>
#include <string.h>

#include "pixel_finish.h"

const int8_t tub_rgb_spread[3][3][16] = {
    {{0, -1, -1, 1, -1, -1, 2, -1, -1, 3, -1, -1, 4, -1, -1, 5},
     {-1, 0, -1, -1, 1, -1, -1, 2, -1, -1, 3, -1, -1, 4, -1, -1},
     {-1, -1, 0, -1, -1, 1, -1, -1, 2, -1, -1, 3, -1, -1, 4, -1}},
    {{-1, -1, 6, -1, -1, 7, -1, -1, 8, -1, -1, 9, -1, -1, 10, -1},
     {5, -1, -1, 6, -1, -1, 7, -1, -1, 8, -1, -1, 9, -1, -1, 10},
     {-1, 5, -1, -1, 6, -1, -1, 7, -1, -1, 8, -1, -1, 9, -1, -1}},
    {{-1, 11, -1, -1, 12, -1, -1, 13, -1, -1, 14, -1, -1, 15, -1, -1},
     {-1, -1, 11, -1, -1, 12, -1, -1, 13, -1, -1, 14, -1, -1, 15, -1},
     {10, -1, -1, 11, -1, -1, 12, -1, -1, 13, -1, -1, 14, -1, -1, 15}},
};

enum { PIXELS = 32 };

typedef struct matrix {
    __m256i luma_offset, luma, v_red, v_green, u_green, u_blue;
} matrix;

typedef struct channels {
    __m256i red, green, blue;
} channels;

static inline matrix words(const tub_matrix *m)
{
    return (matrix){_mm256_set1_epi16((short)m->luma_offset), _mm256_set1_epi16((short)m->luma),
                    _mm256_set1_epi16((short)m->v_red),       _mm256_set1_epi16((short)m->v_green),
                    _mm256_set1_epi16((short)m->u_green),     _mm256_set1_epi16((short)m->u_blue)};
}

// What chroma, as 16-bit numbers, adds to each channel.
static inline channels chroma(const matrix *m, __m256i u, __m256i v)
{
    const __m256i middle = _mm256_set1_epi16(1024);
    u = _mm256_sub_epi16(_mm256_slli_epi16(u, 3), middle);
    v = _mm256_sub_epi16(_mm256_slli_epi16(v, 3), middle);
    return (channels){_mm256_mulhi_epi16(v, m->v_red),
                      _mm256_add_epi16(_mm256_mulhi_epi16(u, m->u_green), _mm256_mulhi_epi16(v, m->v_green)),
                      _mm256_mulhi_epi16(u, m->u_blue)};
}

static inline __m256i luma(const matrix *m, __m256i y)
{
    return _mm256_mulhi_epi16(_mm256_sub_epi16(_mm256_slli_epi16(y, 3), m->luma_offset), m->luma);
}

static inline __m256i byte_range(__m256i v)
{
    return _mm256_min_epi16(_mm256_max_epi16(v, _mm256_setzero_si256()), _mm256_set1_epi16(255));
}

// Even and odd pixels of one channel, a byte each.
static inline __m256i interleave(__m256i even, __m256i odd, __m256i add)
{
    return _mm256_or_si256(byte_range(_mm256_add_epi16(even, add)),
                           _mm256_slli_epi16(byte_range(_mm256_add_epi16(odd, add)), 8));
}

// Within 128 bits, a third of the 48 bytes that 16 pixels of three channels make.
static inline __m256i third_of(const channels *c, int third)
{
    __m256i red = _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)tub_rgb_spread[third][0]));
    __m256i green = _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)tub_rgb_spread[third][1]));
    __m256i blue = _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)tub_rgb_spread[third][2]));
    return _mm256_or_si256(_mm256_or_si256(_mm256_shuffle_epi8(c->red, red), _mm256_shuffle_epi8(c->green, green)),
                           _mm256_shuffle_epi8(c->blue, blue));
}

static inline void store_packed(uint8_t *out, channels c)
{
    for (int third = 0; third < 3; third++) {
        __m256i v = third_of(&c, third);
        _mm_storeu_si128((__m128i *)(out + 16 * third), _mm256_castsi256_si128(v));
        _mm_storeu_si128((__m128i *)(out + 48 + 16 * third), _mm256_extracti128_si256(v, 1));
    }
}

static inline void half_block(const matrix *m, const uint8_t *y, const uint8_t *u, const uint8_t *v, uint8_t *out)
{
    __m256i bytes = _mm256_loadu_si256((const __m256i *)y);
    __m256i even = luma(m, _mm256_and_si256(bytes, _mm256_set1_epi16(255))), odd = luma(m, _mm256_srli_epi16(bytes, 8));
    channels add = chroma(m, _mm256_cvtepu8_epi16(_mm_loadu_si128((const __m128i *)u)),
                          _mm256_cvtepu8_epi16(_mm_loadu_si128((const __m128i *)v)));
    store_packed(out, (channels){interleave(even, odd, add.red), interleave(even, odd, add.green),
                                 interleave(even, odd, add.blue)});
}

// The last pixels of a row go through buffers, so that nothing beyond it is read or written.
void tub_rgb_half_avx2(const tub_matrix *matrix_of, const uint8_t *const row[3], int width, uint8_t *out)
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

// Eight values of one channel.
static inline __m128i full_channel(__m256i sum)
{
    __m256i v = _mm256_srai_epi32(sum, 22);
    v = _mm256_permute4x64_epi64(_mm256_packs_epi32(v, v), _MM_SHUFFLE(3, 1, 2, 0));
    return _mm_packus_epi16(_mm256_castsi256_si128(v), _mm256_castsi256_si128(v));
}

static inline __m256i widened(const uint8_t *row)
{
    return _mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)row));
}

static inline __m256i times(__m256i v, int factor)
{
    return _mm256_mullo_epi32(v, _mm256_set1_epi32(factor));
}

static inline void full_quarter(const tub_matrix *m, const uint8_t *y, const uint8_t *u, const uint8_t *v,
                                uint8_t (*out)[PIXELS], int at)
{
    __m256i light =
        times(_mm256_sub_epi32(_mm256_slli_epi32(widened(y + at), 9), _mm256_set1_epi32(64 * m->luma_offset)), m->luma);
    __m256i blue = _mm256_slli_epi32(_mm256_sub_epi32(widened(u + at), _mm256_set1_epi32(128)), 9);
    __m256i red = _mm256_slli_epi32(_mm256_sub_epi32(widened(v + at), _mm256_set1_epi32(128)), 9);
    light = _mm256_add_epi32(light, _mm256_set1_epi32(1 << 21));
    __m256i green = _mm256_add_epi32(times(blue, m->u_green), times(red, m->v_green));
    _mm_storel_epi64((__m128i *)(out[0] + at), full_channel(_mm256_add_epi32(light, times(red, m->v_red))));
    _mm_storel_epi64((__m128i *)(out[1] + at), full_channel(_mm256_add_epi32(light, green)));
    _mm_storel_epi64((__m128i *)(out[2] + at), full_channel(_mm256_add_epi32(light, times(blue, m->u_blue))));
}

static inline void full_block(const tub_matrix *m, const uint8_t *y, const uint8_t *u, const uint8_t *v, uint8_t *out)
{
    uint8_t planes[3][PIXELS];
    for (int at = 0; at < PIXELS; at += 8)
        full_quarter(m, y, u, v, planes, at);
    store_packed(out, (channels){_mm256_loadu_si256((const __m256i *)planes[0]),
                                 _mm256_loadu_si256((const __m256i *)planes[1]),
                                 _mm256_loadu_si256((const __m256i *)planes[2])});
}

void tub_rgb_full_avx2(const tub_matrix *m, const uint8_t *const row[3], int width, uint8_t *out)
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
    __m256 of[3];
} values;

static inline __m256i gather(const uint8_t *row, const int32_t *at, const uint32_t *pick)
{
    __m256i four = _mm256_i32gather_epi32((const int *)(const void *)row, _mm256_loadu_si256((const __m256i *)at), 1);
    return _mm256_shuffle_epi8(four, _mm256_loadu_si256((const __m256i *)pick));
}

static inline channels gather_chroma(const tub_pairs *p, const uint8_t *const row[3], const matrix *m, int k)
{
    return chroma(m, gather(row[1], p->chroma_at + k, p->chroma_pick + k),
                  gather(row[2], p->chroma_at + k, p->chroma_pick + k));
}

// Blends the two pixels, 16-bit halves of `pair`.
static inline __m256 across(__m256i pair, __m256 left, __m256 right, const tub_scaling *s)
{
    __m256 a = tub_scale_avx2(_mm256_and_si256(pair, _mm256_set1_epi32(0xffff)), s);
    __m256 b = tub_scale_avx2(_mm256_srli_epi32(pair, 16), s);
    return _mm256_add_ps(_mm256_mul_ps(left, a), _mm256_mul_ps(right, b));
}

static inline values blend_row(const tub_pairs *p, const tub_blend *b, const matrix *m, const uint8_t *row,
                               const channels *add, int k)
{
    __m256i light = luma(m, gather(row, p->luma_at + k, p->luma_pick + k));
    __m256 left = _mm256_loadu_ps(p->weights + k), right = _mm256_loadu_ps(p->weights + p->padded + k);
    return (values){{across(byte_range(_mm256_add_epi16(light, add->red)), left, right, b->scaling),
                     across(byte_range(_mm256_add_epi16(light, add->green)), left, right, b->scaling),
                     across(byte_range(_mm256_add_epi16(light, add->blue)), left, right, b->scaling)}};
}

void tub_blend_half_avx2(const tub_pairs *p, const tub_blend *b)
{
    const matrix m = words(b->matrix);
    const bool one_chroma = b->rows[0][1] == b->rows[1][1];
    const __m256 upper = _mm256_set1_ps(b->weights[0]), lower = _mm256_set1_ps(b->weights[1]);
    for (int k = 0; k < p->kept; k += 8) {
        int count = p->kept - k < 8 ? p->kept - k : 8;
        channels add = gather_chroma(p, b->rows[0], &m, k);
        values first = blend_row(p, b, &m, b->rows[0][0], &add, k);
        if (!one_chroma)
            add = gather_chroma(p, b->rows[1], &m, k);
        values second = blend_row(p, b, &m, b->rows[1][0], &add, k);
        for (int c = 0; c < 3; c++) {
            __m256 sum = _mm256_add_ps(_mm256_mul_ps(upper, first.of[c]), _mm256_mul_ps(lower, second.of[c]));
            tub_store_floats_avx2(b->out[c] + k, tub_finish_avx2(sum, &b->finish[c]), count);
        }
    }
}

#endif
