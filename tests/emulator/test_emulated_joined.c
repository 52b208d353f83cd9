// A product with the step behind it, by the kernels in gpu_joined.cu: copies, tiles, tensor cores and epilogue.
// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on

#include "emulator_check.h"

enum { FRAMES = 3, PLACES = 5 };

typedef struct size {
    int m, n, k;
} size;

static tub_gpu_joined product(tub_gpu_type type, const size *s, bool has_bias)
{
    return (tub_gpu_joined){.x = emulator_numbers(type, (size_t)(s->m * s->k), 1),
                            .weight = emulator_numbers(type, (size_t)(s->n * s->k), 1),
                            .bias = has_bias ? emulator_numbers(type, (size_t)s->n, 1) : NULL,
                            .out = emulator_space(type, (size_t)(s->m * s->n)),
                            .type = type,
                            .m = s->m,
                            .n = s->n,
                            .k = s->k};
}

// Tiles that are full or not, in either direction. k has only a last piece, or full pieces, or more pieces than places.
// Then places are filled so often that the barriers of both phases are waited for, and that a missing arrival each time
// adds up.
static void activations(bool wide)
{
    static const size sizes[] = {{1, 8, 8},      {40, 128, 32},  {130, 136, 72}, {128, 64, 160}, {5, 264, 264},
                                 {70, 136, 456}, {70, 16, 1800}, {66, 24, 64},   {20, 304, 128}};
    int activation = 0;
    for (tub_gpu_type type = TUB_GPU_F16; type <= TUB_GPU_BF16; type++)
        for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
            tub_gpu_task task = {.kind = TUB_GPU_JOINED, .joined = product(type, &sizes[i], i % 2)};
            task.joined.activation = 1 + activation++ % 5;
            task.joined.wide = wide;
            task.joined.trial = i % 3 == 0;
            emulator_check(&task, "%d x %d x %d, %s, activation %d, by %s", sizes[i].m, sizes[i].n, sizes[i].k,
                           emulator_type_name(type), task.joined.activation, wide ? "warpgroups" : "warps");
        }
}

static void rotation(tub_gpu_type type, int dim, int variant, bool wide)
{
    const bool placed = variant & 1;
    const int frame = 11, skip = placed ? 0 : 2, rows = FRAMES * frame + skip, items = 1 + variant % 3;
    const int heads = 1 + variant % 4, cols = dim * (heads + 1 + variant % 2);
    const size s = {items * rows, cols, 40};
    const size_t angles = (size_t)(PLACES * frame * dim);
    tub_gpu_task task = {.kind = TUB_GPU_JOINED, .joined = product(type, &s, variant % 3)};
    int *positions = emulator_memory((size_t)(items * FRAMES) * sizeof *positions);
    for (int i = 0; i < items * FRAMES; i++)
        positions[i] = i * 3 % PLACES;
    task.joined.rotate = (tub_gpu_rotate){.x = task.joined.out,
                                          .out = task.joined.out,
                                          .cosine = emulator_numbers(TUB_GPU_F32, angles, 1),
                                          .sine = emulator_numbers(TUB_GPU_F32, angles, 1),
                                          .positions = placed ? positions : NULL,
                                          .type = type,
                                          .halves = variant & 2,
                                          .dim = dim,
                                          .heads = heads,
                                          .skip = skip,
                                          .frame = placed ? frame : 0,
                                          .frames = FRAMES,
                                          .items = items,
                                          .rows = rows,
                                          .cols = cols};
    task.joined.wide = wide;
    emulator_check(&task, "%d heads of %d columns, %d x %d rows, %s, %s, by %s", heads, dim, items, rows,
                   emulator_type_name(type), placed ? "by positions" : "by rows", wide ? "warpgroups" : "warps");
}

static void rotations(bool wide)
{
    static const int dims[] = {8, 16, 32, 64, 128};
    int variant = 0;
    for (tub_gpu_type type = TUB_GPU_F16; type <= TUB_GPU_BF16; type++)
        for (size_t i = 0; i < sizeof dims / sizeof *dims; i++, variant++)
            rotation(type, dims[i], variant, wide);
}

// More tiles down than are taken before those across; and several for each block, with more pieces than places.
static void many_tiles(bool wide)
{
    static const size sizes[] = {{9 * 128 + 1, 264, 16}, {260, 520, 328}};
    for (int i = 0; i < 6; i++) {
        const size *s = &sizes[i % 2];
        tub_gpu_task task = {.kind = TUB_GPU_JOINED, .joined = product(TUB_GPU_BF16, s, true)};
        task.joined.activation = 1;
        task.joined.wide = wide;
        task.joined.trial = i < 2;
        emulator_check_in(i < 4 ? i / 2 : EMULATOR_ANY, &task, "%d x %d x %d, by %s", s->m, s->n, s->k,
                          wide ? "warpgroups" : "warps");
    }
}

static void by_warps(void **state)
{
    (void)state;
    activations(false);
    rotations(false);
    many_tiles(false);
    assert_int_equal(emulator_bank_conflicts(), 0);
    assert_int_equal(emulator_kernels(), 2);
}

static void by_warpgroups(void **state)
{
    (void)state;
    activations(true);
    rotations(true);
    many_tiles(true);
    assert_int_equal(emulator_kernels(), 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(by_warps), cmocka_unit_test(by_warpgroups)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
