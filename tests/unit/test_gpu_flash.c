// Our own attention, on tensor cores and plain, by the device's bodies: compared with sums in double; also that a row
// depends on its own query and keys alone.
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "gpu_host.h"
#include "half.h"

typedef struct shape {
    int batch, heads, dim, queries, keys;
    float spread; // of the scores: how peaked the softmax is
} shape;

static const shape shapes[] = {
    {1, 1, 1, 1, 1, 1},    {2, 3, 7, 5, 33, 1},    {1, 2, 20, 50, 50, 2},   {1, 2, 22, 16, 64, 4},
    {2, 1, 64, 65, 97, 1}, {1, 1, 72, 17, 200, 8}, {1, 2, 80, 31, 32, 1},   {1, 1, 88, 40, 257, 3},
    {1, 1, 96, 3, 31, 1},  {1, 1, 128, 18, 70, 2}, {3, 2, 64, 4, 8, 20},    {1, 1, 16, 130, 513, 12},
};
enum { SHAPES = sizeof shapes / sizeof *shapes };

static float next(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return (float)((double)(*state >> 40) / (1 << 23) - 1.0);
}

static uint16_t narrow(tub_gpu_type type, float x)
{
    return type == TUB_GPU_F16 ? tub_to_f16(x) : tub_to_bf16(x);
}

static float wide(tub_gpu_type type, uint16_t x)
{
    return type == TUB_GPU_F16 ? tub_from_f16(x) : tub_from_bf16(x);
}

// Works on a stacked q | k | v, with as many rows as the longer of queries and keys.
typedef struct subject {
    tub_gpu_attention a;
    uint16_t *qkv, *out;
    size_t out_count;
} subject;

static subject make(const shape *s, tub_gpu_type type)
{
    subject t = {0};
    const int cols = s->heads * s->dim, rows = s->queries > s->keys ? s->queries : s->keys;
    const size_t count = (size_t)s->batch * (size_t)rows * 3 * (size_t)cols;
    uint64_t state = 88172645463325252u + (uint64_t)s->dim;
    t.out_count = (size_t)s->batch * (size_t)s->queries * (size_t)cols;
    t.qkv = malloc(count * sizeof *t.qkv);
    t.out = calloc(t.out_count, sizeof *t.out);
    assert_true(t.qkv && t.out);
    for (size_t i = 0; i < count; i++)
        t.qkv[i] = narrow(type, next(&state) * 2);
    t.a = (tub_gpu_attention){.q = t.qkv, .k = t.qkv + cols, .v = t.qkv + 2 * cols, .out = t.out, .type = type,
                              .batch = s->batch, .heads = s->heads, .dim = s->dim, .queries = s->queries,
                              .keys = s->keys, .scale = s->spread / sqrtf((float)s->dim), .q_row = 3 * cols,
                              .k_row = 3 * cols, .v_row = 3 * cols, .out_row = cols,
                              .q_batch = (int64_t)rows * 3 * cols, .k_batch = (int64_t)rows * 3 * cols,
                              .v_batch = (int64_t)rows * 3 * cols, .out_batch = (int64_t)s->queries * cols};
    return t;
}

static void finish(subject *t)
{
    free(t->qkv);
    free(t->out);
}

static void launch(const tub_gpu_attention *a, tub_gpu_task_kind kind)
{
    const tub_gpu_task task = {.kind = kind, .attention = *a};
    tub_gpu_host_launch(&task);
}

static double exact(const tub_gpu_attention *a, int run, int head, int query, int col, double *weights)
{
    const uint16_t *q = a->q, *k = a->k, *v = a->v;
    double most = -INFINITY, total = 0, sum = 0;
    q += run * a->q_batch + query * a->q_row + head * a->dim;
    k += run * a->k_batch + head * a->dim;
    v += run * a->v_batch + head * a->dim;
    for (int i = 0; i < a->keys; i++) {
        weights[i] = 0;
        for (int j = 0; j < a->dim; j++)
            weights[i] += (double)wide(a->type, q[j]) * (double)wide(a->type, k[i * a->k_row + j]);
        weights[i] *= (double)a->scale;
        most = fmax(most, weights[i]);
    }
    for (int i = 0; i < a->keys; i++) {
        const double weight = exp(weights[i] - most);
        total += weight;
        sum += weight * (double)wide(a->type, v[i * a->v_row + col]);
    }
    return sum / total;
}

static double error_of(const subject *t)
{
    const tub_gpu_attention *a = &t->a;
    double difference = 0, size = 0, *weights = malloc((size_t)a->keys * sizeof *weights);
    for (int run = 0; run < a->batch; run++)
        for (int head = 0; head < a->heads; head++)
            for (int query = 0; query < a->queries; query++)
                for (int j = 0; j < a->dim; j++) {
                    const double want = exact(a, run, head, query, j, weights);
                    const float have =
                        wide(a->type, t->out[run * a->out_batch + query * a->out_row + head * a->dim + j]);
                    difference += ((double)have - want) * ((double)have - want);
                    size += want * want;
                }
    free(weights);
    return sqrt(difference / size);
}

// One rounding of weights and one of the result: relative error at most 2^-9 and 2^-12, less overall.
static void is_near_to_exact_sums(void **state)
{
    (void)state;
    for (int kind = TUB_GPU_ATTENTION; kind <= TUB_GPU_FLASH; kind++)
        for (int type = TUB_GPU_F16; type <= TUB_GPU_BF16; type++)
            for (size_t i = 0; i < SHAPES; i++) {
                subject t = make(&shapes[i], (tub_gpu_type)type);
                launch(&t.a, (tub_gpu_task_kind)kind);
                const double error = error_of(&t);
                if (!(error <= (type == TUB_GPU_F16 ? 5e-4 : 4e-3)))
                    fail_msg("kind %d, type %d, shape %zu: relative error %.3g", kind, type, i, error);
                finish(&t);
            }
}

// Alone, with others after it, or as another query of another run: the same bits.
static void a_row_depends_on_its_query_and_keys(void **state)
{
    (void)state;
    for (size_t i = 0; i < SHAPES; i++) {
        subject all = make(&shapes[i], TUB_GPU_F16), one = make(&shapes[i], TUB_GPU_F16);
        const tub_gpu_attention *a = &all.a;
        launch(a, TUB_GPU_FLASH);
        for (int run = 0; run < a->batch; run++)
            for (int query = 0; query < a->queries; query += 1 + query / 3) {
                tub_gpu_attention alone = one.a;
                alone.q = one.qkv + run * a->q_batch + query * a->q_row;
                alone.k = one.qkv + a->heads * a->dim + run * a->k_batch;
                alone.v = one.qkv + 2 * a->heads * a->dim + run * a->v_batch;
                alone.batch = alone.queries = 1;
                launch(&alone, TUB_GPU_FLASH);
                assert_memory_equal(one.out, all.out + run * a->out_batch + query * a->out_row,
                                    (size_t)(a->heads * a->dim) * sizeof *one.out);
            }
        finish(&all);
        finish(&one);
    }
}

// If all values are alike they are the result, whatever the weights; and constant queries serve every run.
static void weights_add_up_to_one(void **state)
{
    (void)state;
    subject t = make(&(shape){4, 2, 24, 9, 77, 6}, TUB_GPU_F16);
    const int cols = 2 * 24;
    for (int i = 0; i < 4 * 77; i++)
        for (int j = 0; j < cols; j++)
            t.qkv[i * 3 * cols + 2 * cols + j] = tub_to_f16(1.5f);
    t.a.q_batch = 0;
    launch(&t.a, TUB_GPU_FLASH);
    for (size_t i = 0; i < t.out_count; i++)
        assert_true(fabsf(tub_from_f16(t.out[i]) - 1.5f) < 2e-3f);
    finish(&t);
}

// A value that float16 can't hold shows in the row that it belongs to, and in no other.
static void what_is_not_finite_stays_in_its_row(void **state)
{
    (void)state;
    subject t = make(&(shape){1, 1, 40, 20, 40, 1}, TUB_GPU_F16);
    t.qkv[5 * 3 * 40 + 3] = tub_to_f16(INFINITY);
    launch(&t.a, TUB_GPU_FLASH);
    for (int i = 0; i < 20; i++) {
        int finite = 0;
        for (int j = 0; j < 40; j++)
            finite += isfinite(tub_from_f16(t.out[i * 40 + j])) != 0;
        assert_int_equal(finite, i == 5 ? 0 : 40);
    }
    finish(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(is_near_to_exact_sums),
        cmocka_unit_test(a_row_depends_on_its_query_and_keys),
        cmocka_unit_test(weights_add_up_to_one),
        cmocka_unit_test(what_is_not_finite_stays_in_its_row),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
