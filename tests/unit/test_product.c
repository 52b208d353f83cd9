// Our own matrix products, at each level that this processor supports: compared with sums in double (int8: exact ones),
// over sizes with remainders in rows, columns and k; and that an element's bytes don't depend on the block in which it
// is computed.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../../src/backends/native/product.h"
#include "cpu.h"
#include "half.h"
#include "memory.h"

static uint32_t seed = 1;

static float number(void)
{
    seed = seed * 1664525u + 1013904223u;
    return (float)(int32_t)seed / 2147483648.0f;
}

// Narrow elements, and the values they represent.
static void fill(const tub_product *p, int shift, void *narrow, double *values, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const float x = number();
        if (p->element == 1) {
            const int whole = (int)lrintf(127 * x);
            ((uint8_t *)narrow)[i] = (uint8_t)(whole + shift);
            values[i] = whole + shift;
            continue;
        }
        if (p->element == 4) {
            ((float *)narrow)[i] = x;
            values[i] = (double)x;
        } else {
            const uint16_t bits = tub_to_bf16(x);
            const uint32_t wide = (uint32_t)bits << 16;
            float rounded;
            memcpy(&rounded, &wide, sizeof rounded);
            ((uint16_t *)narrow)[i] = bits;
            values[i] = (double)rounded;
        }
    }
}

typedef struct matrices {
    int rows, k, cols;
    void *a, *b; // [rows, k]; across: [cols, k], down: [k, cols]
    double *a_values, *b_values;
} matrices;

static matrices make(const tub_product *p, int rows, int k, int cols)
{
    matrices m = {.rows = rows, .k = k, .cols = cols};
    const size_t a = (size_t)(rows * k), b = (size_t)(cols * k);
    m.a = tub_calloc(a, p->element);
    m.b = tub_calloc(b, p->element);
    m.a_values = tub_calloc(a, sizeof(double));
    m.b_values = tub_calloc(b, sizeof(double));
    fill(p, p->a_shift, m.a, m.a_values, a);
    fill(p, 0, m.b, m.b_values, b);
    return m;
}

static void drop(matrices *m)
{
    tub_free(m->a);
    tub_free(m->b);
    tub_free(m->a_values);
    tub_free(m->b_values);
}

// C from one block, with k in parts of `part`.
static float *product(const tub_product *p, const matrices *m, bool down, int first_row, int rows, int part)
{
    const tub_product_packing g = tub_product_packing_of(p, m->k);
    const int depth = tub_product_depth(p, m->k);
    char *a = tub_alloc_aligned(1, g.bytes), *b = tub_alloc_aligned(1, tub_product_panel_bytes(p, m->k));
    float *c = tub_alloc_aligned((size_t)(p->rows * p->cols), sizeof(float));
    tub_product_pack_a(p, &g, (const char *)m->a + (size_t)(first_row * m->k) * p->element, (size_t)m->k * p->element,
                       rows, m->k, a);
    if (down)
        tub_product_pack_down(p, m->b, (size_t)m->cols, m->k, m->cols, b);
    else
        tub_product_pack_across(p, m->b, (size_t)m->k, m->k, m->cols, b);
    p->enter();
    for (int at = 0; at < depth; at += part) {
        const tub_product_block block = {.a = a + (size_t)(at / p->span) * g.group,
                                         .b = b + (size_t)(at * p->cols) * p->element,
                                         .a_row = g.row,
                                         .a_group = g.group,
                                         .rows = rows,
                                         .k = depth - at < part ? depth - at : part,
                                         .c = c,
                                         .c_row = (size_t)p->cols,
                                         .panels = 1,
                                         .add = at > 0};
        p->multiply(&block);
    }
    p->leave();
    tub_free(a);
    tub_free(b);
    return c;
}

static void check(const tub_product *p, const matrices *m, bool down, const float *c)
{
    for (int r = 0; r < m->rows; r++)
        for (int j = 0; j < p->cols; j++) {
            double sum = 0, size = 0;
            for (int i = 0; i < m->k && j < m->cols; i++) {
                const double term = m->a_values[r * m->k + i] * m->b_values[down ? i * m->cols + j : j * m->k + i];
                sum += term;
                size += fabs(term);
            }
            if (p->element == 1)
                assert_int_equal(((const int32_t *)(const void *)c)[r * p->cols + j], (int32_t)sum);
            else
                assert_true(fabs((double)c[r * p->cols + j] - sum) <= 1e-6 * size);
        }
}

static void try_shape(const tub_product *p, int rows, int k, int cols, bool down)
{
    matrices m = make(p, rows, k, cols);
    float *whole = product(p, &m, down, 0, rows, tub_product_depth(p, k));
    check(p, &m, down, whole);
    // In parts of k, and a row alone: the same bytes.
    float *parts = product(p, &m, down, 0, rows, p->span);
    for (int r = 0; r < rows; r++)
        assert_memory_equal(whole + r * p->cols, parts + r * p->cols, (size_t)cols * sizeof(float));
    float *last = product(p, &m, down, rows - 1, 1, tub_product_depth(p, k));
    assert_memory_equal(whole + (rows - 1) * p->cols, last, (size_t)cols * sizeof(float));
    tub_free(whole);
    tub_free(parts);
    tub_free(last);
    drop(&m);
}

static void try_level(const tub_product *p)
{
    static const int lengths[] = {1, 2, 3, 20, 31, 32, 33, 63, 64, 65, 96, 147, 192};
    for (int rows = 1; rows <= p->rows; rows++)
        try_shape(p, rows, lengths[rows % 13], 1 + rows * 7 % p->cols, rows % 2);
    for (int i = 0; i < 13; i++)
        for (int down = 0; down < 2; down++) {
            try_shape(p, p->rows, lengths[i], p->cols, down);
            try_shape(p, 1 + i % p->rows, lengths[i], 1 + i % p->cols, down);
        }
}

static void test_products(void **state)
{
    (void)state;
    try_level(&tub_product_portable);
#if defined(__x86_64__)
    static const tub_product *const levels[] = {NULL, &tub_product_avx2, &tub_product_avx512, &tub_product_avx512bf16,
                                                &tub_product_amx};
    for (int i = 1; i <= (int)tub_cpu_isa(); i++)
        try_level(levels[i]);
    if (tub_cpu_isa() >= TUB_ISA_AVX512)
        try_level(&tub_product_tall_avx512);
    if (tub_cpu_isa() >= TUB_ISA_AVX512 && tub_cpu_has_vnni())
        try_level(&tub_product_int8_vnni);
    if (tub_cpu_isa() >= TUB_ISA_AMX)
        try_level(&tub_product_int8_amx);
#elif defined(__aarch64__)
    try_level(&tub_product_neon);
#endif
}

static void test_roof(void **state)
{
    (void)state;
    tub_error err = {0};
    double one = 0;
    assert_int_equal(tub_roof_measure(TUB_F32, 1, 0.02, &one, &err), TUB_OK);
    assert_true(one > 1e8);
    if (tub_cpu_isa() >= TUB_ISA_AVX512_BF16)
        assert_int_equal(tub_roof_measure(TUB_BF16, 0, 0.02, &one, &err), TUB_OK);
    assert_int_equal(tub_roof_measure(TUB_I64, 1, 0.02, &one, &err), TUB_ERROR_DEVICE);
    assert_int_equal(tub_roof_measure(TUB_F32, -1, 0.02, &one, &err), TUB_ERROR_ARGUMENT);
    assert_int_equal(tub_roof_measure(TUB_F32, 1, -1.0, &one, &err), TUB_ERROR_ARGUMENT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_products), cmocka_unit_test(test_roof)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
