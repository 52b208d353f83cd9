// The vector levels' matrix product, written once in terms of `lanes` (see kernels_template.h). The including file
// defines, beside lanes, LANES and v_*:
//   GROUP                    elements that a lane multiplies at once
//   p_spread(p)              the GROUP elements at p in every lane; its type is SPREAD (if that isn't defined, lanes)
//   p_load(p)                GROUP elements of each of LANES columns
//   p_fma(a, b, c)           c + the products of a and b
//   ROWS, VECTORS            most rows of a block, at most 14, and the vectors across it
//   PRODUCT, PRODUCT_NAME, K_BLOCK
//   A_SHIFT                  what is added to A's integers; not defined: nothing
// A block is ROWS x (VECTORS * LANES), all in registers. The wider it is, the fewer loads each sum needs.
#include "product.h"
#include "unroll.h"

#ifndef SPREAD
#define SPREAD lanes
#endif

enum { WORD = 4, STEP = 4 }; // bytes of GROUP elements; groups per turn of the loop

// Rows in threes: two of three addresses are a base plus a multiple of the stride, so few registers suffice for all.
INLINE void product_group(const int rows, const char *const *bases, size_t stride, const float *b, long at,
                          lanes (*c)[VECTORS])
{
    lanes columns[VECTORS];
    UNROLL(4)
    for (int v = 0; v < VECTORS; v++)
        columns[v] = p_load(b + v * LANES);
    UNROLL(16)
    for (int r = 0; r < rows; r++) {
        const SPREAD x = p_spread(bases[r / 3] + (size_t)(r % 3) * stride + at);
        UNROLL(4)
        for (int v = 0; v < VECTORS; v++)
            c[r][v] = p_fma(x, columns[v], c[r][v]);
    }
}

// One panel, from b into c.
INLINE void product_rows(const int rows, const tub_product_block *p, const float *b, float *into)
{
    const char *bases[(ROWS + 2) / 3];
    lanes c[ROWS][VECTORS];
    const long groups = (p->k + GROUP - 1) / GROUP;
    UNROLL(16)
    for (int i = 0; i < (rows + 2) / 3; i++)
        bases[i] = (const char *)p->a + (size_t)(3 * i) * p->a_row;
    UNROLL(16)
    for (int r = 0; r < rows; r++)
        UNROLL(4)
        for (int v = 0; v < VECTORS; v++)
            c[r][v] = p->add ? v_load(into + (size_t)r * p->c_row + v * LANES) : v_set(0);
    const long turn = p->next_lines ? TUB_PRODUCT_SPAN / GROUP / STEP * STEP / p->next_lines : 0;
    const char *next = p->next;
    long i = 0, wait = 0;
    for (; i + STEP <= groups; i += STEP) {
        UNROLL(4)
        for (int u = 0; u < STEP; u++, b += VECTORS * LANES)
            product_group(rows, bases, p->a_row, b, (i + u) * WORD, c);
        if (next && (wait += STEP) >= turn) {
            __builtin_prefetch(next, 0, 2);
            next += 64;
            wait = 0;
        }
    }
    for (; i < groups; i++, b += VECTORS * LANES)
        product_group(rows, bases, p->a_row, b, i * WORD, c);
    UNROLL(16)
    for (int r = 0; r < rows; r++)
        UNROLL(4)
        for (int v = 0; v < VECTORS; v++)
            v_store(into + (size_t)r * p->c_row + v * LANES, c[r][v]);
}

#define PRODUCT_CASE(n)                                                                                                \
    case n:                                                                                                            \
        product_rows(n < ROWS ? n : ROWS, p, b, c);                                                                    \
        break;

static void multiply_panel(const tub_product_block *p, const float *b, float *c)
{
    switch (p->rows) {
        PRODUCT_CASE(1)
        PRODUCT_CASE(2)
        PRODUCT_CASE(3)
        PRODUCT_CASE(4)
        PRODUCT_CASE(5)
        PRODUCT_CASE(6)
#if ROWS > 6
        PRODUCT_CASE(7)
        PRODUCT_CASE(8)
        PRODUCT_CASE(9)
        PRODUCT_CASE(10)
        PRODUCT_CASE(11)
        PRODUCT_CASE(12)
        PRODUCT_CASE(13)
#endif
    default:
        product_rows(ROWS, p, b, c);
    }
}

// What differs between panels is passed separately: a copy of the block would be read while what was just written to it
// is still on its way to the cache, and would have to wait for it.
static void multiply_block(const tub_product_block *p)
{
    const char *b = p->b;
    float *c = p->c;
    for (int i = 0; i < p->panels; i++, b += p->b_panel, c += VECTORS * LANES)
        multiply_panel(p, (const float *)(const void *)b, c);
}

static double product_roof(long turns)
{
    enum { CHAINS = 12 };
    lanes c[CHAINS];
    float seed[2 * LANES];
    for (int i = 0; i < 2 * LANES; i++)
        seed[i] = 1.0f / (float)(i + 3);
    const SPREAD a = p_spread(seed);
    const lanes b = p_load(seed + LANES);
    UNROLL(12)
    for (int i = 0; i < CHAINS; i++)
        c[i] = v_set((float)i);
    for (long t = 0; t < turns; t++) {
        UNROLL(12)
        for (int i = 0; i < CHAINS; i++)
            c[i] = p_fma(a, b, c[i]);
    }
    lanes sum = c[0];
    for (int i = 1; i < CHAINS; i++)
        sum = sum + c[i];
    volatile float kept = v_sum(sum);
    (void)kept;
    return 2.0 * CHAINS * LANES * GROUP * (double)turns;
}

static void product_nothing(void)
{
}

const tub_product PRODUCT = {
    .name = PRODUCT_NAME,
    .rows = ROWS,
    .cols = VECTORS * LANES,
    .group = GROUP,
    .span = TUB_PRODUCT_SPAN,
    .depth = GROUP,
    .k_block = K_BLOCK,
    .element = WORD / GROUP,
#ifdef A_SHIFT
    .a_shift = A_SHIFT,
#endif
    .enter = product_nothing,
    .leave = product_nothing,
    .multiply = multiply_block,
    .roof = product_roof,
};
