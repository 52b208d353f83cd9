// Norms and means, divided among the device's threads: the same bits, however much of a row a thread holds, and whoever
// computes the parts of a sum.
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "gpu_bodies.h"
#include "gpu_host.h"
#include "gpu_norm_bodies.h"

enum { ROWS = 3, COUNT = 2, BEHIND = 5, ITEMS = 2, COLS = 7 };

static float next(uint64_t *state)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (float)((double)(*state >> 40) / (1 << 23) - 1.0);
}

static void *values(tub_gpu_type type, size_t count, uint64_t seed)
{
    void *out = malloc(count * sizeof(float));
    assert_non_null(out);
    for (size_t i = 0; i < count; i++)
        tub_gpu_store(out, (int64_t)i, type, next(&seed));
    return out;
}

// ---- norms ----

static double wanted(const tub_gpu_norm *t, int row, int col)
{
    const int k = col / t->dim;
    const int64_t first = (int64_t)row * t->cols + (int64_t)k * t->dim;
    double mean = 0, squares = 0;
    for (int j = 0; j < t->dim && t->kind == 0; j++)
        mean += (double)tub_gpu_load(t->x, first + j, t->type) / t->dim;
    for (int j = 0; j < t->dim; j++)
        squares += pow((double)tub_gpu_load(t->x, first + j, t->type) - mean, 2);
    const double factor =
        t->kind == 2 ? 1 / fmax(sqrt(squares), (double)t->eps) : 1 / sqrt(squares / t->dim + (double)t->eps);
    const double x = (double)tub_gpu_load(t->x, (int64_t)row * t->cols + col, t->type) - mean;
    return x * factor * (double)t->weight[col] + (t->bias ? (double)t->bias[col] : 0);
}

static void check_norm(tub_gpu_norm t)
{
    const size_t count = (size_t)(t.rows * t.cols), bytes = count * (size_t)tub_gpu_type_bytes(t.out_type);
    void *held = calloc(count, sizeof(float)), *again = calloc(count, sizeof(float));
    assert_non_null(held);
    assert_non_null(again);
    t.out = held;
    tub_gpu_host_norm(&t, tub_gpu_norm_held(&t));
    t.out = again;
    tub_gpu_host_norm(&t, 0);
    assert_memory_equal(held, again, bytes);
    for (int row = 0; row < t.rows; row++)
        for (int col = 0; col < t.dim * t.count && t.out_type == TUB_GPU_F32; col += 13)
            assert_true(fabs((double)((float *)held)[row * t.cols + col] - wanted(&t, row, col)) < 1e-4);
    if (t.type == t.out_type) { // in place
        memcpy(again, t.x, bytes);
        t.x = t.out = again;
        tub_gpu_host_norm(&t, tub_gpu_norm_held(&t));
        assert_memory_equal(held, again, bytes);
    }
    free(held);
    free(again);
}

static void norms_hold_what_they_would_read_again(void **state)
{
    (void)state;
    static const int dims[] = {1, 3, 4, 31, 64, 128, 129, 132, 768, 1000, 1024, 1027, 1408, 2048, 2052};
    static const tub_gpu_type types[][2] = {{TUB_GPU_F32, TUB_GPU_F32},
                                            {TUB_GPU_F32, TUB_GPU_F16},
                                            {TUB_GPU_F16, TUB_GPU_F16},
                                            {TUB_GPU_BF16, TUB_GPU_F32}};
    for (size_t d = 0; d < sizeof dims / sizeof *dims; d++)
        for (size_t i = 0; i < sizeof types / sizeof *types; i++)
            for (int kind = 0; kind < 3; kind++) {
                const int dim = dims[d], cols = COUNT * dim + (dim % 4 ? BEHIND : 0);
                float *weight = values(TUB_GPU_F32, (size_t)(COUNT * dim), 1);
                float *bias = kind == 0 ? values(TUB_GPU_F32, (size_t)(COUNT * dim), 2) : NULL;
                void *x = values(types[i][0], (size_t)(ROWS * cols), 3 + d);
                check_norm((tub_gpu_norm){.x = x,
                                          .weight = weight,
                                          .bias = bias,
                                          .type = types[i][0],
                                          .out_type = types[i][1],
                                          .kind = kind,
                                          .eps = 1e-6f,
                                          .dim = dim,
                                          .count = COUNT,
                                          .rows = ROWS,
                                          .cols = cols});
                free(x);
                free(bias);
                free(weight);
            }
}

static void a_kernel_holds_whole_slices_or_none(void **state)
{
    (void)state;
    for (int dim = 1; dim < 5000; dim++) {
        const tub_gpu_norm t = {.dim = dim, .cols = 2 * dim}, behind = {.dim = dim, .cols = 2 * dim + 1};
        const int held = tub_gpu_norm_held(&t), room = held * TUB_GPU_LANES * TUB_GPU_PACK;
        const int most = TUB_GPU_HELD * TUB_GPU_LANES * TUB_GPU_PACK;
        assert_true(held == 0 ? dim > most || dim % TUB_GPU_PACK : dim <= room && dim % TUB_GPU_PACK == 0);
        assert_int_equal(tub_gpu_norm_held(&behind), 0);
    }
}

// ---- means ----

static void means_are_sums_of_sums_in_order(void **state)
{
    (void)state;
    static const int rows[] = {1, 63, 64, 65, 200, 1568};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        for (int type = TUB_GPU_F32; type <= TUB_GPU_BF16; type++) {
            float out[ITEMS * COLS];
            void *x = values((tub_gpu_type)type, (size_t)(ITEMS * rows[i] * COLS), 7 + i);
            const tub_gpu_task task = {
                .kind = TUB_GPU_MEAN,
                .mean = {
                    .x = x, .out = out, .type = (tub_gpu_type)type, .items = ITEMS, .rows = rows[i], .cols = COLS}};
            tub_gpu_host_launch(&task);
            for (int n = 0; n < ITEMS * COLS; n++) {
                double total = 0;
                float sum = 0;
                for (int row = 0; row < rows[i]; row++) {
                    const int64_t at = ((int64_t)(n / COLS) * rows[i] + row) * COLS + n % COLS;
                    sum += tub_gpu_load(x, at, (tub_gpu_type)type);
                    if (row % 64 == 63 || row == rows[i] - 1) {
                        total += (double)sum;
                        sum = 0;
                    }
                }
                const float want = (float)(total / rows[i]);
                assert_memory_equal(&out[n], &want, sizeof want);
            }
            free(x);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(norms_hold_what_they_would_read_again),
        cmocka_unit_test(a_kernel_holds_whole_slices_or_none),
        cmocka_unit_test(means_are_sums_of_sums_in_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
