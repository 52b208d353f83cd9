// Attention by the kernels in gpu_kernels.cu and, on tensor cores, in gpu_flash.cu.
// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on

#include <math.h>
#include <stdlib.h>

#include "emulator_check.h"
#include "gpu_host.h"

typedef struct shape {
    int batch, heads, dim, queries, keys;
    bool shared; // the same queries for all runs
} shape;

// Queries, keys and values side by side in a row, or queries apart.
static tub_gpu_task attention(tub_gpu_task_kind kind, tub_gpu_type type, const shape *s)
{
    const int cols = s->heads * s->dim, rows = s->queries > s->keys ? s->queries : s->keys, row = 3 * cols;
    const size_t bytes = type == TUB_GPU_F32 ? 4 : 2, values = (size_t)s->batch * (size_t)(rows * row);
    char *qkv = emulator_numbers(type, values, 2);
    const void *q = s->shared ? emulator_numbers(type, (size_t)(s->queries * cols), 2) : qkv;
    return (tub_gpu_task){.kind = kind,
                          .attention = {.q = q,
                                        .k = qkv + (size_t)cols * bytes,
                                        .v = qkv + 2 * (size_t)cols * bytes,
                                        .out = emulator_space(type, (size_t)s->batch * (size_t)(s->queries * cols)),
                                        .type = type,
                                        .batch = s->batch,
                                        .heads = s->heads,
                                        .dim = s->dim,
                                        .queries = s->queries,
                                        .keys = s->keys,
                                        .scale = 2 / sqrtf((float)s->dim),
                                        .q_row = s->shared ? cols : row,
                                        .k_row = row,
                                        .v_row = row,
                                        .out_row = cols,
                                        .q_batch = s->shared ? 0 : rows * row,
                                        .k_batch = rows * row,
                                        .v_batch = rows * row,
                                        .out_batch = s->queries * cols}};
}

static void check(tub_gpu_task_kind kind, tub_gpu_type type, bool tf32, const shape *s)
{
    tub_gpu_task task = attention(kind, type, s);
    task.attention.tf32 = tf32;
    emulator_check(&task, "%s, %s%s, %d runs, %d heads of %d, %d queries, %d keys",
                   kind == TUB_GPU_FLASH ? "flash" : "attention", emulator_type_name(type), tf32 ? " as tf32" : "",
                   s->batch, s->heads, s->dim, s->queries, s->keys);
}

static void on_tensor_cores(void **state)
{
    (void)state;
    // Heads of up to 32, 64, 96 and 128 columns, which are read 8, 4, 2 and 1 at a time.
    static const shape shapes[] = {
        {1, 1, 1, 1, 1, false},     {2, 3, 7, 5, 33, false},   {1, 2, 20, 50, 50, false}, {1, 2, 22, 16, 64, false},
        {2, 2, 32, 65, 97, false},  {2, 1, 64, 65, 97, false}, {1, 2, 60, 33, 40, true},  {1, 2, 47, 20, 31, false},
        {1, 1, 72, 17, 200, false}, {1, 2, 80, 31, 32, true},  {1, 1, 88, 40, 65, false}, {3, 1, 91, 3, 31, false},
        {1, 1, 128, 18, 70, false}, {3, 2, 104, 1, 37, true},  {2, 1, 98, 70, 5, false},  {1, 1, 125, 4, 8, false},
        {2, 2, 64, 1, 130, true},   {1, 1, 16, 200, 3, false},
    };
    for (tub_gpu_type type = TUB_GPU_F32; type <= TUB_GPU_BF16; type++)
        for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
            for (int tf32 = 0; tf32 <= (type == TUB_GPU_F32); tf32++)
                check(TUB_GPU_FLASH, type, tf32, &shapes[i]);
}

static void without_them(void **state)
{
    (void)state;
    static const shape shapes[] = {
        {2, 3, 7, 5, 33, false},  {1, 2, 32, 33, 64, true},  {2, 1, 64, 130, 40, false}, {1, 2, 72, 20, 31, false},
        {1, 1, 128, 9, 65, true}, {1, 1, 130, 3, 70, false}, {1, 2, 256, 2, 33, false},
    };
    for (tub_gpu_type type = TUB_GPU_F32; type <= TUB_GPU_BF16; type++)
        for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
            check(TUB_GPU_ATTENTION, type, false, &shapes[i]);
}

// More runs than a grid is deep, so a block has several. Only the runs of the first two blocks are computed.
static void many_runs(tub_gpu_task_kind kind, tub_gpu_type type, const shape *s)
{
    enum { DEEPEST = 65535, BLOCKS = 2 };
    const tub_gpu_task task = attention(kind, type, s);
    const size_t bytes = emulator_memory_bytes(), run_bytes = (size_t)task.attention.out_batch * (type ? 2 : 4);
    const size_t k_bytes = (size_t)task.attention.k_batch * (type ? 2 : 4);
    void *before = malloc(bytes), *want = malloc(bytes);
    char where[200];
    assert_true(before && want);
    emulator_save(before);
    for (int run = 0; run < s->batch; run++) {
        tub_gpu_task one = task;
        one.attention.batch = 1;
        one.attention.k = (const char *)task.attention.k + (size_t)run * k_bytes;
        one.attention.v = (const char *)task.attention.v + (size_t)run * k_bytes;
        one.attention.out = (char *)task.attention.out + (size_t)run * run_bytes;
        if (run % DEEPEST < BLOCKS)
            tub_gpu_host_launch(&one);
    }
    emulator_save(want);
    emulator_depth(BLOCKS);
    for (int order = 0; order < EMULATOR_ORDERS; order++) {
        emulator_restore(before);
        emulator_order(order);
        if (emulator_launch(&task) != 0)
            fail_msg("%s", emulator_said());
        if (!emulator_is(want, where, sizeof where))
            fail_msg("many runs of kind %d, order %s: %s", (int)kind, emulator_order_name(order), where);
    }
    emulator_depth(0);
    emulator_forget();
    free(before);
    free(want);
}

static void more_runs_than_blocks(void **state)
{
    (void)state;
    const shape s = {65537, 1, 4, 40, 3, true};
    many_runs(TUB_GPU_FLASH, TUB_GPU_F16, &s);
    many_runs(TUB_GPU_FLASH, TUB_GPU_F32, &s);
    many_runs(TUB_GPU_ATTENTION, TUB_GPU_F32, &s);
}

static void too_large_heads_are_refused(void **state)
{
    (void)state;
    tub_gpu_task task = {
        .kind = TUB_GPU_FLASH,
        .attention = {
            .type = TUB_GPU_F16, .batch = 1, .heads = 1, .dim = TUB_GPU_FLASH_HEAD + 1, .queries = 1, .keys = 1}};
    assert_int_not_equal(emulator_launch(&task), 0);
    task.kind = TUB_GPU_ATTENTION;
    task.attention.dim = TUB_GPU_MOST_HEAD + 1;
    assert_int_not_equal(emulator_launch(&task), 0);
    task =
        (tub_gpu_task){.kind = TUB_GPU_FLASH,
                       .attention = {.type = TUB_GPU_E4M3, .batch = 1, .heads = 1, .dim = 8, .queries = 1, .keys = 1}};
    assert_int_not_equal(emulator_launch(&task), 0);
    task.attention.type = TUB_GPU_F32;
    task.attention.dim = TUB_GPU_FLASH_HEAD + 1;
    assert_int_not_equal(emulator_launch(&task), 0);
}

// Four sizes of heads in two types and, for float32, in two ways on tensor cores; without them, five in three types.
static void every_instance_was_run(void **state)
{
    (void)state;
    assert_int_equal(emulator_kernels(), 2 * 4 + 2 * 4 + 3 * 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(on_tensor_cores),        cmocka_unit_test(without_them),
        cmocka_unit_test(more_runs_than_blocks),  cmocka_unit_test(too_large_heads_are_refused),
        cmocka_unit_test(every_instance_was_run),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
