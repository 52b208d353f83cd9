// Every kernel of gpu_kernels.cu except attention, unchanged, in every type and size that it is compiled for.
// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on

#include "emulator_check.h"

enum { TYPES = 3 };
static const tub_gpu_type types[TYPES] = {TUB_GPU_F32, TUB_GPU_F16, TUB_GPU_BF16};

static void norm(tub_gpu_type type, tub_gpu_type out_type, int kind, int dim, int variant)
{
    const int behind = variant % 3 * (dim % 4 || dim == 132 ? 3 : 4);
    const int count = 1 + variant % 2, cols = dim * count + behind, rows = 13;
    const bool in_place = type == out_type && variant % 5 == 4;
    tub_gpu_task task = {.kind = TUB_GPU_NORM,
                         .norm = {.x = emulator_numbers(type, (size_t)(rows * cols), 3),
                                  .weight = emulator_numbers(TUB_GPU_F32, (size_t)(count * dim), 1),
                                  .bias = variant % 4 ? emulator_numbers(TUB_GPU_F32, (size_t)(count * dim), 1) : NULL,
                                  .type = type,
                                  .out_type = out_type,
                                  .kind = kind,
                                  .eps = 1e-6f,
                                  .dim = dim,
                                  .count = count,
                                  .rows = rows,
                                  .cols = cols}};
    task.norm.out = in_place ? (void *)(uintptr_t)task.norm.x : emulator_space(out_type, (size_t)(rows * cols));
    emulator_check(&task, "norm %d of %d x %d columns of %d, %s to %s", kind, count, dim, cols,
                   emulator_type_name(type), emulator_type_name(out_type));
}

static void norms(void **state)
{
    (void)state;
    static const int dims[] = {3, 64, 128, 129, 132, 384, 388, 768, 1024, 1021, 1408, 2048, 2052, 2061};
    int variant = 0;
    for (int i = 0; i < TYPES; i++)
        for (int o = 0; o < TYPES; o++)
            for (size_t d = 0; d < sizeof dims / sizeof *dims; d++, variant++)
                norm(types[i], types[o], variant % 3, dims[d], variant / 3 + (int)d);
}

static void rotate(tub_gpu_type type, bool halves, int dim, int variant)
{
    enum { ITEMS = 2, FRAME = 5, FRAMES = 3, SKIP = 1, PLACES = 9 };
    const bool placed = variant & 1, in_place = variant & 2;
    const int heads = variant % 3 ? 5 : 19, cols = dim * heads + (variant & 4 ? 2 * dim : 0) + (variant & 8 ? 3 : 0);
    const int skip = placed ? 0 : SKIP, rows = FRAME * FRAMES + skip;
    int *positions = emulator_memory(ITEMS * FRAMES * sizeof *positions);
    for (int i = 0; i < ITEMS * FRAMES; i++)
        positions[i] = i * 5 % PLACES;
    const size_t count = (size_t)(ITEMS * rows * cols), angles = (size_t)(PLACES * FRAME * dim);
    void *x = emulator_numbers(type, count, 2);
    tub_gpu_task task = {.kind = TUB_GPU_ROTATE,
                         .rotate = {.x = x,
                                    .out = in_place ? x : emulator_space(type, count),
                                    .cosine = emulator_numbers(TUB_GPU_F32, angles, 1),
                                    .sine = emulator_numbers(TUB_GPU_F32, angles, 1),
                                    .positions = placed ? positions : NULL,
                                    .type = type,
                                    .halves = halves,
                                    .dim = dim,
                                    .heads = heads,
                                    .skip = skip,
                                    .frame = FRAME,
                                    .frames = FRAMES,
                                    .items = ITEMS,
                                    .rows = rows,
                                    .cols = cols}};
    emulator_check(&task, "rotation of %d columns, %s, variant %d", dim, emulator_type_name(type), variant);
}

static void rotations(void **state)
{
    (void)state;
    static const int dims[] = {6, 8, 16, 64, 72};
    for (int i = 0; i < TYPES; i++)
        for (int d = 0; d < 5; d++)
            for (int variant = 0; variant < 16; variant++)
                rotate(types[i], (variant + d) % 2, dims[d], variant);
}

static void sums(void **state)
{
    (void)state;
    for (int i = 0; i < TYPES; i++)
        for (int cols = 30; cols <= 33; cols++) {
            const size_t count = 77 * (size_t)cols;
            tub_gpu_task task = {.kind = TUB_GPU_SUM,
                                 .sum = {.a = emulator_numbers(types[i], count, 2),
                                         .b = emulator_numbers(TUB_GPU_F32, 11 * (size_t)cols, 2),
                                         .out = emulator_space(TUB_GPU_F32, count),
                                         .type = types[i],
                                         .rows = 77,
                                         .cols = cols,
                                         .period = 11}};
            emulator_check(&task, "sum of %d columns, %s", cols, emulator_type_name(types[i]));
        }
}

static void gates_and_activations(void **state)
{
    (void)state;
    for (int i = 0; i < TYPES; i++)
        for (int variant = 0; variant < 12; variant++) {
            const int activation = variant % 6, rows = variant < 6 ? 41 : 23;
            const int cols = variant < 6 ? 30 + activation % 3 + (activation == 1) : 8 * (2 + activation);
            const size_t count = (size_t)(rows * cols);
            tub_gpu_task gate = {.kind = TUB_GPU_GATE,
                                 .gate = {.x = emulator_numbers(types[i], 2 * count, 4),
                                          .out = emulator_space(types[i], count),
                                          .type = types[i],
                                          .activation = activation,
                                          .rows = rows,
                                          .cols = cols}};
            emulator_check(&gate, "gate %d of %d columns, %s", activation, cols, emulator_type_name(types[i]));
            tub_gpu_task act = {.kind = TUB_GPU_ACTIVATE,
                                .activate = {.x = emulator_numbers(types[i], count, 4),
                                             .type = types[i],
                                             .activation = activation,
                                             .rows = rows,
                                             .cols = cols}};
            if (activation > 0)
                emulator_check(&act, "activation %d of %d columns, %s", activation, cols, emulator_type_name(types[i]));
            else
                emulator_forget();
        }
}

static void copies_of_rows(void **state)
{
    (void)state;
    static const int index[] = {4, 0, 6, 5, 3};
    for (int variant = 0; variant < 18; variant++) {
        static const int sizes[] = {48, 10, 40, 36, 80};
        const int bytes = sizes[variant % 5];
        const int items = 3, a_rows = 4, b_rows = 3, rows = 5, a_stride = variant & 4 ? 0 : a_rows;
        int *places = emulator_memory(sizeof index);
        memcpy(places, index, sizeof index);
        const size_t half = (size_t)bytes / 2;
        tub_gpu_task task = {.kind = TUB_GPU_COPY_ROWS,
                             .copy_rows = {.a = emulator_numbers(TUB_GPU_F16, (size_t)(items * a_rows) * half, 9),
                                           .b = emulator_numbers(TUB_GPU_F16, (size_t)(items * b_rows) * half, 9),
                                           .out = emulator_space(TUB_GPU_F16, (size_t)(items * rows) * half),
                                           .index = variant & 1 ? places : NULL,
                                           .first = 2,
                                           .a_rows = a_rows,
                                           .b_rows = b_rows,
                                           .a_stride = a_stride,
                                           .items = items,
                                           .rows = rows,
                                           .bytes = bytes}};
        emulator_check(&task, "copy of rows, variant %d", variant);
    }
}

static void means(void **state)
{
    (void)state;
    static const int rows[] = {1, 64, 65, 700, 33 * 64 + 5}, cols[] = {33, 64, 70, 1, 40};
    for (int i = 0; i < TYPES; i++)
        for (int j = 0; j < 5; j++) {
            tub_gpu_task task = {.kind = TUB_GPU_MEAN,
                                 .mean = {.x = emulator_numbers(types[i], 3 * (size_t)(rows[j] * cols[j]), 2),
                                          .out = emulator_space(TUB_GPU_F32, 3 * (size_t)cols[j]),
                                          .type = types[i],
                                          .items = 3,
                                          .rows = rows[j],
                                          .cols = cols[j]}};
            emulator_check(&task, "mean of %d rows, %d columns, %s", rows[j], cols[j], emulator_type_name(types[i]));
        }
}

static void rows_as_e4m3(void **state)
{
    (void)state;
    static const int cols[] = {4, 128, 132, 1024, 1300};
    for (int i = 1; i < TYPES; i++)
        for (int j = 0; j < 5; j++) {
            const int rows = 19;
            tub_gpu_task task = {.kind = TUB_GPU_QUANTISE,
                                 .quantise = {.x = emulator_numbers(types[i], (size_t)(rows * cols[j]), 5),
                                              .out = emulator_space(TUB_GPU_E4M3, (size_t)(rows * cols[j])),
                                              .scales = emulator_space(TUB_GPU_F32, (size_t)rows),
                                              .type = types[i],
                                              .rows = rows,
                                              .cols = cols[j]}};
            memset((void *)(uintptr_t)task.quantise.x, 0, 2 * (size_t)cols[j]); // a row of zeros
            emulator_check(&task, "%d columns as e4m3, %s", cols[j], emulator_type_name(types[i]));
        }
}

// ---- patches ----

static void *frame_of(const tub_gpu_patches *t, tub_gpu_type made)
{
    const size_t pixels = 3 * (size_t)(t->height * t->width);
    if (made != TUB_GPU_E4M3) // these tests: from pixels
        return (void *)(uintptr_t)tub_gpu_made_frame(
            emulator_numbers(made, (size_t)(t->height / t->ky * (t->width / t->kx) * 3 * t->ky * t->kx), 2), made);
    if (t->is_float)
        return emulator_numbers(TUB_GPU_F32, pixels, 2);
    uint8_t *out = emulator_memory(pixels);
    for (size_t i = 0; i < pixels; i++)
        out[i] = (uint8_t)emulator_random();
    return out;
}

// Pixels begin at multiples of four: the lowest bits of a frame's address say what it is.
static void patches(tub_gpu_type type, tub_gpu_type made_type, int kx, bool is_float, int variant)
{
    enum { ITEMS = 2, ITEM_FRAMES = 4, DOWN = 3, ACROSS = 5, KY = 3 };
    const int kt = 1 + variant % 2, rows = ITEM_FRAMES / kt * DOWN * ACROSS, cols = 3 * kt * KY * kx;
    tub_gpu_task task = {.kind = TUB_GPU_PATCHES,
                         .patches = {.table = emulator_numbers(TUB_GPU_F32, (size_t)3 * 256, 2),
                                     .out = emulator_space(type, (size_t)(ITEMS * rows * cols)),
                                     .type = type,
                                     .made_type = made_type,
                                     .is_float = is_float,
                                     .item_frames = ITEM_FRAMES,
                                     .height = DOWN * KY + 1,
                                     .width = ACROSS * kx + (variant & 2 ? 1 : 0),
                                     .kt = kt,
                                     .ky = KY,
                                     .kx = kx,
                                     .items = ITEMS,
                                     .rows = rows,
                                     .cols = cols}};
    const void **frames = emulator_memory(ITEMS * ITEM_FRAMES * sizeof *frames);
    for (int i = 0; i < ITEMS * ITEM_FRAMES; i++)
        frames[i] = frame_of(&task.patches, variant & 4 && i % 3 ? made_type : TUB_GPU_E4M3);
    task.patches.frames = frames;
    emulator_check(&task, "patches of %d columns, %s, variant %d", kx, emulator_type_name(type), variant);
}

static void patches_of_frames(void **state)
{
    (void)state;
    for (int i = 0; i < TYPES; i++)
        for (int m = 0; m < TYPES; m++)
            for (int variant = 0; variant < 8; variant++)
                patches(types[i], types[m], variant % 3 ? 8 : 5, (variant + m) % 2, variant);
}

static void nothing_to_do(void **state)
{
    (void)state;
    const tub_gpu_task empty[] = {{.kind = TUB_GPU_SUM, .sum = {.cols = 8}},
                                  {.kind = TUB_GPU_GATE, .gate = {.cols = 8}},
                                  {.kind = TUB_GPU_COPY_ROWS, .copy_rows = {.bytes = 8}},
                                  {.kind = TUB_GPU_FLASH, .attention = {.type = TUB_GPU_F16, .dim = 8}}};
    for (size_t i = 0; i < sizeof empty / sizeof *empty; i++)
        assert_int_equal(emulator_launch(&empty[i]), 0);
}

// One per thread in three types, rotations of two sizes, copies, norms of two types and seven sizes, means, e4m3.
static void every_instance_was_run(void **state)
{
    (void)state;
    assert_int_equal(emulator_kernels(), 4 * 3 + 2 * 3 + 1 + 9 * 7 + 3 + 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(norms),          cmocka_unit_test(rotations),
        cmocka_unit_test(sums),           cmocka_unit_test(gates_and_activations),
        cmocka_unit_test(copies_of_rows), cmocka_unit_test(means),
        cmocka_unit_test(rows_as_e4m3),   cmocka_unit_test(patches_of_frames),
        cmocka_unit_test(nothing_to_do),  cmocka_unit_test(every_instance_was_run),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
