// A product and its next step in one kernel: the same bits as the two one after the other.
// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on
#include <stdlib.h>
#include <string.h>

#include "gpu_host.h"
#include "gpu_joined_bodies.h"

enum { FRAMES = 3, PLACES = 7 };

typedef struct subject {
    tub_gpu_joined t;
    uint16_t *x, *weight, *bias, *want, *have;
    float *cosine, *sine, *sums;
    int *positions;
} subject;

static float next(uint64_t *state)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (float)((double)(*state >> 40) / (1 << 23) - 1.0);
}

static uint16_t *narrow(size_t count, tub_gpu_type type, uint64_t *state)
{
    uint16_t *out = malloc(count * sizeof *out);
    assert_non_null(out);
    for (size_t i = 0; i < count; i++)
        tub_gpu_store(out, (int64_t)i, type, next(state));
    return out;
}

static float *floats(size_t count, uint64_t *state)
{
    float *out = malloc(count * sizeof *out);
    assert_non_null(out);
    for (size_t i = 0; i < count; i++)
        out[i] = next(state);
    return out;
}

static subject make(const tub_gpu_joined *t, bool has_bias)
{
    uint64_t state = (uint64_t)(t->m * 64 + t->n);
    const size_t count = (size_t)t->m * (size_t)t->n;
    const size_t angles = (size_t)(PLACES * t->rotate.rows + 1) * (size_t)(t->rotate.dim + 1);
    subject s = {.t = *t};
    s.x = narrow((size_t)(t->m * t->k), t->type, &state);
    s.weight = narrow((size_t)(t->n * t->k), t->type, &state);
    s.bias = narrow((size_t)t->n, t->type, &state);
    s.want = narrow(count, t->type, &state);
    s.have = narrow(count, t->type, &state);
    s.cosine = floats(angles, &state);
    s.sine = floats(angles, &state);
    s.sums = floats(count, &state);
    s.positions = calloc((size_t)(t->rotate.items * FRAMES) + 1, sizeof *s.positions);
    assert_non_null(s.positions);
    for (int i = 0; i < t->rotate.items * FRAMES; i++)
        s.positions[i] = i * 5 % PLACES;
    s.t.x = s.x;
    s.t.weight = s.weight;
    s.t.bias = has_bias ? s.bias : NULL;
    s.t.rotate.cosine = s.cosine;
    s.t.rotate.sine = s.sine;
    s.t.rotate.positions = t->rotate.frame ? s.positions : NULL;
    return s;
}

static void finish(subject *s)
{
    free(s->x);
    free(s->weight);
    free(s->bias);
    free(s->want);
    free(s->have);
    free(s->cosine);
    free(s->sine);
    free(s->sums);
    free(s->positions);
}

static float *to_floats(const uint16_t *from, tub_gpu_type type, size_t count)
{
    float *out = malloc(count * sizeof *out);
    assert_non_null(out);
    for (size_t i = 0; i < count; i++)
        out[i] = tub_gpu_load(from, (int64_t)i, type);
    return out;
}

static void one_after_the_other(subject *s)
{
    const tub_gpu_joined *t = &s->t;
    float *x = to_floats(s->x, t->type, (size_t)(t->m * t->k));
    float *weight = to_floats(s->weight, t->type, (size_t)(t->n * t->k));
    tub_gpu_host_sums(x, weight, t->m, t->n, t->k, s->sums);
    for (int i = 0; i < t->m * t->n; i++)
        tub_gpu_store(s->want, i, t->type, s->sums[i] + (t->bias ? tub_gpu_load(t->bias, i % t->n, t->type) : 0));
    tub_gpu_task task = {
        .kind = TUB_GPU_ACTIVATE,
        .activate = {.x = s->want, .type = t->type, .activation = t->activation, .rows = t->m, .cols = t->n}};
    if (t->activation == 0) {
        task = (tub_gpu_task){.kind = TUB_GPU_ROTATE, .rotate = t->rotate};
        task.rotate.x = task.rotate.out = s->want;
    }
    tub_gpu_host_launch(&task);
    free(x);
    free(weight);
}

static void check(const tub_gpu_joined *t, bool has_bias)
{
    subject s = make(t, has_bias);
    one_after_the_other(&s);
    s.t.out = s.have;
    s.t.rotate.x = s.t.rotate.out = s.have;
    assert_true(tub_gpu_joined_serves(&s.t, 90));
    const tub_gpu_task task = {.kind = TUB_GPU_JOINED, .joined = s.t};
    tub_gpu_host_launch(&task);
    assert_memory_equal(s.have, s.want, (size_t)(t->m * t->n) * sizeof *s.have);
    finish(&s);
}

static void activations(void **state)
{
    (void)state;
    static const int sizes[][3] = {{1, 8, 8}, {130, 136, 24}, {128, 128, 64}, {257, 264, 40}};
    for (int activation = 1; activation <= 5; activation++)
        for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
            const tub_gpu_joined t = {.type = activation % 2 ? TUB_GPU_F16 : TUB_GPU_BF16,
                                      .m = sizes[i][0],
                                      .n = sizes[i][1],
                                      .k = sizes[i][2],
                                      .activation = activation};
            check(&t, i % 2);
        }
}

// Heads that end within a tile and at its end, class tokens, positions, both pairings.
static void rotations(void **state)
{
    (void)state;
    static const int dims[] = {8, 16, 32, 64, 128}, heads[] = {1, 3, 6};
    for (size_t d = 0; d < sizeof dims / sizeof *dims; d++)
        for (size_t h = 0; h < sizeof heads / sizeof *heads; h++)
            for (int way = 0; way < 4; way++) {
                const int frame = way & 2 ? 23 : 0, rows = frame ? FRAMES * frame : 67, items = 2;
                const int cols = dims[d] * (heads[h] + 1);
                const tub_gpu_rotate rotate = {.type = TUB_GPU_BF16,
                                               .halves = way & 1,
                                               .dim = dims[d],
                                               .heads = heads[h],
                                               .skip = frame ? 0 : 2,
                                               .frame = frame,
                                               .frames = FRAMES,
                                               .items = items,
                                               .rows = rows,
                                               .cols = cols};
                const tub_gpu_joined t = {
                    .type = TUB_GPU_BF16, .m = items * rows, .n = cols, .k = 24, .rotate = rotate};
                check(&t, h % 2);
            }
}

static void what_is_not_served(void **state)
{
    (void)state;
    char out[16];
    const tub_gpu_rotate rotate = {.x = out, .out = out, .dim = 64};
    const tub_gpu_joined right = {.type = TUB_GPU_BF16, .m = 5, .n = 192, .k = 64, .rotate = rotate};
    assert_true(tub_gpu_joined_serves(&right, 80));
    assert_false(tub_gpu_joined_serves(&right, 75));
    tub_gpu_joined t = right;
    t.type = TUB_GPU_F16;
    assert_true(tub_gpu_joined_serves(&t, 75));
    assert_false(tub_gpu_joined_serves(&t, 70));
    static const int dims[] = {4, 12, 24, 80, 88, 256};
    for (size_t i = 0; i < sizeof dims / sizeof *dims; i++) {
        t = right;
        t.rotate.dim = dims[i];
        assert_false(tub_gpu_joined_serves(&t, 90));
    }
    t = right;
    t.k = 60;
    assert_false(tub_gpu_joined_serves(&t, 90));
    t = right;
    t.n = 196;
    assert_false(tub_gpu_joined_serves(&t, 90));
    t = right;
    t.rotate.x = out + 1;
    assert_false(tub_gpu_joined_serves(&t, 90));
    t = right;
    t.wide = true;
    assert_true(tub_gpu_joined_serves(&t, 90));
    assert_false(tub_gpu_joined_serves(&t, 80));
    assert_false(tub_gpu_joined_serves(&t, 100));
    t = right;
    t.type = TUB_GPU_F32;
    assert_false(tub_gpu_joined_serves(&t, 90));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(activations),
        cmocka_unit_test(rotations),
        cmocka_unit_test(what_is_not_served),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
