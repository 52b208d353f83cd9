#include "product.h"

#include <stdint.h>
#include <string.h>

#include "cpu.h"

enum { LINE = 64 };

const tub_product *tub_product_for(tub_dtype dtype)
{
#if defined(__x86_64__)
    const tub_isa isa = tub_cpu_isa();
    if (dtype == TUB_INT8)
        return isa >= TUB_ISA_AMX                            ? &tub_product_int8_amx
               : isa >= TUB_ISA_AVX512 && tub_cpu_has_vnni() ? &tub_product_int8_vnni
                                                             : NULL;
    if (dtype == TUB_BF16)
        return isa >= TUB_ISA_AMX ? &tub_product_amx : isa >= TUB_ISA_AVX512_BF16 ? &tub_product_avx512bf16 : NULL;
    if (isa >= TUB_ISA_AVX512)
        return &tub_product_avx512;
    if (isa >= TUB_ISA_AVX2)
        return &tub_product_avx2;
#elif defined(__aarch64__)
    if (dtype == TUB_F32 && tub_cpu_isa() >= TUB_ISA_NEON)
        return &tub_product_neon;
#endif
    return dtype == TUB_F32 ? &tub_product_portable : NULL;
}

const tub_product *tub_product_for_attention(tub_dtype dtype)
{
#if defined(__x86_64__)
    if (dtype == TUB_F32 && tub_cpu_isa() >= TUB_ISA_AVX512)
        return &tub_product_tall_avx512;
#endif
    return tub_product_for(dtype);
}

int tub_product_depth(const tub_product *p, int k)
{
    return (k + p->depth - 1) / p->depth * p->depth;
}

// If rows are only copied, an extra cache line between them keeps rows whose length is a power of two from competing
// for the same places in the cache.
tub_product_packing tub_product_packing_of(const tub_product *p, int k)
{
    const size_t bytes = (size_t)tub_product_depth(p, k) * p->element, span = (size_t)p->span * p->element;
    tub_product_packing g;
    if (p->packs_a) {
        g = (tub_product_packing){.row = span, .group = span * (size_t)p->rows};
        g.bytes = bytes / span * g.group;
    } else {
        g = (tub_product_packing){.row = (bytes + LINE - 1) / LINE * LINE + LINE, .group = span};
        g.bytes = g.row * (size_t)p->rows;
    }
    return g;
}

// Fills the places of rows and of elements of k that don't exist.
static void pack_rest(const tub_product *p, const char *from, size_t row_bytes, int rows, size_t bytes, size_t spans,
                      const tub_product_packing *g, char *out)
{
    const size_t whole = bytes / g->row, left = bytes % g->row;
    for (size_t s = 0; s < spans; s++) {
        char *to = out + s * g->group;
        for (int r = s < whole ? rows : 0; r < p->rows; r++) {
            const size_t there = s == whole && r < rows ? left : 0;
            memcpy(to + (size_t)r * g->row, from + (there ? (size_t)r * row_bytes + s * g->row : 0), there);
            memset(to + (size_t)r * g->row + there, 0, g->row - there);
        }
    }
}

void tub_product_pack_a(const tub_product *p, const tub_product_packing *g, const void *from, size_t row_bytes,
                        int rows, int k, void *out)
{
    const size_t bytes = (size_t)k * p->element, padded = (size_t)tub_product_depth(p, k) * p->element;
    if (p->packs_a) {
        p->pack_spans(from, row_bytes, rows, (int)(bytes / g->row), out);
        if (rows < p->rows || bytes < padded)
            pack_rest(p, from, row_bytes, rows, bytes, padded / g->row, g, out);
        return;
    }
    for (int r = 0; r < rows; r++) {
        char *to = (char *)out + (size_t)r * g->row;
        memcpy(to, (const char *)from + (size_t)r * row_bytes, bytes);
        memset(to + bytes, 0, padded - bytes);
    }
}

size_t tub_product_panel_bytes(const tub_product *p, int k)
{
    return (size_t)tub_product_depth(p, k) * (size_t)p->cols * p->element;
}

// A word is `group` adjacent elements: one float32, two bfloat16, four int8.
static uint32_t word_at(const tub_product *p, const char *from, size_t step, int left)
{
    uint32_t word = 0;
    for (int i = 0; i < p->group && i < left; i++)
        memcpy((char *)&word + (size_t)i * p->element, from + (size_t)i * step, p->element);
    return word;
}

enum { CORNER = 8 };

// Transposes a corner of CORNER x CORNER words, all of which exist: reads along the rows, writes along the columns.
static void across_corner(const char *from, size_t row_bytes, uint32_t *to, size_t columns)
{
    uint32_t words[CORNER][CORNER];
    for (int j = 0; j < CORNER; j++)
        memcpy(words[j], from + (size_t)j * row_bytes, sizeof words[j]);
    for (int i = 0; i < CORNER; i++)
        for (int j = 0; j < CORNER; j++)
            to[(size_t)i * columns + (size_t)j] = words[j][i];
}

void tub_product_pack_across(const tub_product *p, const void *from, size_t stride, int k, int cols, void *out)
{
    const int words = tub_product_depth(p, k) / p->group, whole = k / p->group / CORNER * CORNER;
    const size_t row_bytes = stride * p->element, columns = (size_t)p->cols;
    uint32_t *to = out;
    for (int j = 0; j < p->cols; j += CORNER) {
        const bool inside = j + CORNER <= cols;
        for (int i = 0; inside && i < whole; i += CORNER)
            across_corner((const char *)from + (size_t)j * row_bytes + (size_t)i * sizeof *to, row_bytes,
                          to + (size_t)i * columns + j, columns);
        for (int c = j; c < j + CORNER && c < p->cols; c++)
            for (int i = inside ? whole : 0; i < words; i++) {
                const int left = c < cols ? k - i * p->group : 0;
                const char *at = (const char *)from + (size_t)c * row_bytes + (size_t)i * sizeof *to;
                to[(size_t)i * columns + (size_t)c] = left > 0 ? word_at(p, at, p->element, left) : 0;
            }
    }
}

// With one element per word, rows are copied; with two, they are interleaved.
static void zip_rows(const uint16_t *a, const uint16_t *b, int cols, uint16_t *to)
{
    for (int j = 0; j < cols; j++) {
        to[2 * j] = a[j];
        to[2 * j + 1] = b[j];
    }
}

void tub_product_pack_down(const tub_product *p, const void *from, size_t stride, int k, int cols, void *out)
{
    const int words = tub_product_depth(p, k) / p->group;
    const size_t row_bytes = stride * p->element, line = (size_t)p->cols * sizeof(uint32_t);
    for (int i = 0; i < words; i++) {
        char *to = (char *)out + (size_t)i * line;
        const char *at = (const char *)from + (size_t)(i * p->group) * row_bytes;
        const int left = k - i * p->group;
        int done = 0;
        if (left >= p->group && p->group == 1) {
            memcpy(to, at, (size_t)cols * sizeof(uint32_t));
            done = cols;
        } else if (left >= p->group && p->group == 2) {
            zip_rows((const uint16_t *)(const void *)at, (const uint16_t *)(const void *)(at + row_bytes), cols,
                     (uint16_t *)(void *)to);
            done = cols;
        }
        for (int j = done; j < p->cols; j++) {
            const uint32_t word = j < cols && left > 0 ? word_at(p, at + (size_t)j * p->element, row_bytes, left) : 0;
            memcpy(to + (size_t)j * sizeof word, &word, sizeof word);
        }
    }
}
