// The rotation of q and k, divided among the device's threads: the same bits as one pair after the other.
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "gpu_host.h"
#include "half.h"

enum { ITEMS = 2, FRAME = 5, FRAMES = 3, ROWS = FRAME * FRAMES, PLACES = 9 };

typedef struct subject {
    uint16_t *x, *want, *have;
    float *cosine, *sine;
    int positions[ITEMS * FRAMES];
    size_t count;
} subject;

static float next(uint64_t *state)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (float)((double)(*state >> 40) / (1 << 23) - 1.0);
}

static subject make(const tub_gpu_rotate *t)
{
    uint64_t state = (uint64_t)(t->dim * 64 + t->heads);
    const size_t angles = (size_t)(PLACES * FRAME) * (size_t)t->dim;
    subject s = {.count = (size_t)(t->items * t->rows) * (size_t)t->cols};
    s.x = malloc(s.count * sizeof *s.x);
    s.want = malloc(s.count * sizeof *s.want);
    s.have = malloc(s.count * sizeof *s.have);
    s.cosine = malloc(angles * sizeof *s.cosine);
    s.sine = malloc(angles * sizeof *s.sine);
    assert_true(s.x && s.want && s.have && s.cosine && s.sine);
    for (size_t i = 0; i < s.count; i++)
        s.x[i] = tub_to_bf16(next(&state));
    for (size_t i = 0; i < angles; i++) {
        s.cosine[i] = next(&state);
        s.sine[i] = next(&state);
    }
    for (int i = 0; i < ITEMS * FRAMES; i++)
        s.positions[i] = i * 5 % PLACES;
    return s;
}

static void finish(subject *s)
{
    free(s->x);
    free(s->want);
    free(s->have);
    free(s->cosine);
    free(s->sine);
}

static void rotate_row(const tub_gpu_rotate *t, const subject *s, int item, int row)
{
    int angle = row - t->skip;
    if (t->positions)
        angle = s->positions[item * FRAMES + row / FRAME] * FRAME + row % FRAME;
    for (int head = 0; head < t->heads; head++)
        for (int pair = 0; pair < t->dim / 2; pair++) {
            const int a = t->halves ? pair : 2 * pair, b = t->halves ? pair + t->dim / 2 : a + 1;
            uint16_t *to = s->want + ((size_t)(item * t->rows + row)) * (size_t)t->cols + head * t->dim;
            const float x = tub_from_bf16(to[a]), y = tub_from_bf16(to[b]);
            const float *cosine = s->cosine + angle * t->dim, *sine = s->sine + angle * t->dim;
            to[a] = tub_to_bf16(x * cosine[a] - y * sine[a]);
            to[b] = tub_to_bf16(y * cosine[b] + x * sine[b]);
        }
}

static void check(tub_gpu_rotate t, bool in_place)
{
    subject s = make(&t);
    memcpy(s.want, s.x, s.count * sizeof *s.want);
    memset(s.have, 0xff, s.count * sizeof *s.have);
    if (in_place)
        memcpy(s.have, s.x, s.count * sizeof *s.have);
    t.x = in_place ? s.have : s.x;
    t.out = s.have;
    t.cosine = s.cosine;
    t.sine = s.sine;
    t.positions = t.frame ? s.positions : NULL;
    for (int item = 0; item < t.items; item++)
        for (int row = t.skip; row < t.rows; row++)
            rotate_row(&t, &s, item, row);
    const tub_gpu_task task = {.kind = TUB_GPU_ROTATE, .rotate = t};
    tub_gpu_host_launch(&task);
    assert_memory_equal(s.have, s.want, s.count * sizeof *s.have);
    finish(&s);
}

static void gives_the_bits_of_pair_after_pair(void **state)
{
    (void)state;
    static const int dims[] = {2, 4, 6, 8, 10, 12, 14, 16, 20, 22, 64, 88}, counts[] = {1, 2, 5, 8, 19};
    for (size_t d = 0; d < sizeof dims / sizeof *dims; d++)
        for (size_t h = 0; h < sizeof counts / sizeof *counts; h++)
            for (int way = 0; way < 16; way++) {
                const int dim = dims[d], heads = counts[h], frame = way & 4 ? FRAME : 0,
                          rest = way & 8 ? dim * heads : 3;
                const tub_gpu_rotate t = {.type = TUB_GPU_BF16,
                                          .halves = way & 1,
                                          .dim = dim,
                                          .heads = heads,
                                          .skip = frame ? 0 : 2,
                                          .frame = frame,
                                          .frames = FRAMES,
                                          .items = ITEMS,
                                          .rows = ROWS,
                                          .cols = dim * heads + rest};
                check(t, way & 2);
            }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(gives_the_bits_of_pair_after_pair)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
