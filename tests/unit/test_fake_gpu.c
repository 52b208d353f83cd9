// The fake device refuses what a card would; otherwise, tests on it would prove nothing.
// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#include "fake_gpu.h"

enum { COLS = 16, ROWS = 4 };

static tub_gpu *gpu;
static char *memory;

static int setup(void **state)
{
    (void)state;
    tub_error err = {0};
    void *block = NULL;
    fake_gpu_reset();
    assert_int_equal(fake_gpu_ops.open(0, false, &gpu, &err), TUB_OK);
    assert_int_equal(fake_gpu_ops.allocate(gpu, 1 << 16, &block, &err), TUB_OK);
    memory = block;
    memset(memory, 0, 1 << 16);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    fake_gpu_ops.release(gpu, memory);
    fake_gpu_ops.close(&gpu);
    return 0;
}

static void refused(tub_status status, const tub_error *err, const char *why)
{
    assert_int_equal(status, TUB_ERROR_INTERNAL);
    if (!strstr(err->text, why))
        fail_msg("\"%s\", not \"%s\"", err->text, why);
}

static void values_that_are_not_aligned(void **state)
{
    (void)state;
    tub_error err = {0};
    tub_gpu_task t = {.kind = TUB_GPU_ACTIVATE,
                      .activate = {.x = memory, .type = TUB_GPU_F16, .rows = ROWS, .cols = COLS}};
    assert_int_equal(fake_gpu_ops.launch(gpu, &t, &err), TUB_OK);
    t.activate.x = memory + 8; // aligned for one value and for four, not for eight
    refused(fake_gpu_ops.launch(gpu, &t, &err), &err, "an activation's x isn't at a multiple of 16 bytes");
    t = (tub_gpu_task){.kind = TUB_GPU_GATE,
                       .gate = {.x = memory + 8, .out = memory, .type = TUB_GPU_F16, .rows = ROWS, .cols = COLS}};
    refused(fake_gpu_ops.launch(gpu, &t, &err), &err, "a gate's x isn't at a multiple of 16 bytes");
    t.gate.cols = COLS - 2;
    assert_int_equal(fake_gpu_ops.launch(gpu, &t, &err), TUB_OK);
    tub_gpu_gemm g = {.m = ROWS, .n = COLS, .k = COLS, .x = memory, .weight = memory + 4096, .out = memory + 8192};
    const tub_gpu_algorithm first = {{0}};
    assert_int_equal(fake_gpu_ops.multiply(gpu, &g, &first, &err), TUB_OK);
    g.weight = memory + 16;
    refused(fake_gpu_ops.multiply(gpu, &g, &first, &err), &err, "a product's weight");
}

static void launches_that_are_too_large(void **state)
{
    (void)state;
    tub_error err = {0};
    const tub_gpu_task mean = {
        .kind = TUB_GPU_MEAN,
        .mean = {.x = memory, .out = (float *)(void *)memory, .items = 1 << 20, .rows = 1, .cols = 1 << 12}};
    refused(fake_gpu_ops.launch(gpu, &mean, &err), &err, "too many blocks");
    const tub_gpu_task attention = {
        .kind = TUB_GPU_FLASH,
        .attention = {.q = memory, .k = memory, .v = memory, .out = memory, .heads = 65536, .dim = 8}};
    refused(fake_gpu_ops.launch(gpu, &attention, &err), &err, "65536 heads");
}

static void *settle(void *ended)
{
    tub_error err = {0};
    const tub_status status = fake_gpu_ops.settle(gpu, 0, &err);
    atomic_store((atomic_int *)ended, 1);
    return (void *)(intptr_t)status;
}

static void two_threads_at_once(void **state)
{
    (void)state;
    tub_error err = {0};
    atomic_int ended = 0;
    pthread_t thread;
    void *status = NULL;
    int refusals = 0;
    fake_gpu.slow = 300000;
    assert_int_equal(pthread_create(&thread, NULL, settle, &ended), 0);
    while (!atomic_load(&ended)) {
        refusals += fake_gpu_ops.record(gpu, 0, TUB_GPU_COMPUTE, &err) == TUB_ERROR_INTERNAL;
        usleep(1000);
    }
    pthread_join(thread, &status);
    refusals += (intptr_t)status == TUB_ERROR_INTERNAL;
    assert_true(refusals > 0);
    assert_int_equal(fake_gpu_ops.record(gpu, 0, TUB_GPU_COMPUTE, &err), TUB_OK);
}

static void *release(void *ended)
{
    void *block = NULL;
    tub_error err = {0};
    while (!atomic_load((atomic_int *)ended)) {
        if (fake_gpu_ops.allocate(gpu, 64, &block, &err) != TUB_OK)
            return ended;
        fake_gpu_ops.release(gpu, block);
    }
    return NULL;
}

// As desks for frames do while a model is computed: all pending work is done, each piece once.
static void memory_that_any_thread_releases(void **state)
{
    (void)state;
    enum { TURNS = 4000, AT_ONCE = 50, MANY = 4096 }; // values: enough to take a while
    float *sum = (float *)(void *)memory, *one = sum + MANY;
    const tub_gpu_task more = {.kind = TUB_GPU_SUM,
                               .sum = {.a = sum, .b = one, .out = sum, .rows = 1, .cols = MANY, .period = 1}};
    tub_error err = {0};
    atomic_int ended = 0;
    pthread_t thread;
    void *failed = NULL;
    fake_gpu.late = true;
    *one = 1;
    assert_int_equal(pthread_create(&thread, NULL, release, &ended), 0);
    for (int i = 1; i <= TURNS; i++) {
        assert_int_equal(fake_gpu_ops.launch(gpu, &more, &err), TUB_OK);
        if (i % AT_ONCE == 0) {
            assert_int_equal(fake_gpu_ops.record(gpu, 0, TUB_GPU_COMPUTE, &err), TUB_OK);
            assert_int_equal(fake_gpu_ops.settle(gpu, 0, &err), TUB_OK);
        }
    }
    atomic_store(&ended, 1);
    pthread_join(thread, &failed);
    assert_null(failed);
    assert_true(*sum == TURNS);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(values_that_are_not_aligned),
        TEST(launches_that_are_too_large),
        TEST(two_threads_at_once),
        TEST(memory_that_any_thread_releases),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
