#include "emulator_check.h"

// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on

#include <stdio.h>
#include <stdlib.h>

#include "gpu_host.h"
#include "gpu_kernels.h"
#include "half.h"

static uint32_t seed = 12345;

uint32_t emulator_random(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 17;
    seed ^= seed << 5;
    return seed >> 8;
}

void *emulator_space(tub_gpu_type type, size_t count)
{
    void *out = emulator_memory(count * (type == TUB_GPU_F32 ? 4 : type == TUB_GPU_E4M3 ? 1 : 2));
    assert_non_null(out);
    return out;
}

void *emulator_numbers(tub_gpu_type type, size_t count, float spread)
{
    void *out = emulator_space(type, count);
    for (size_t i = 0; i < count; i++) {
        const float x = ((float)emulator_random() / (1 << 23) - 1.0f) * spread;
        if (type == TUB_GPU_F32)
            ((float *)out)[i] = x;
        else
            ((uint16_t *)out)[i] = type == TUB_GPU_F16 ? tub_to_f16(x) : tub_to_bf16(x);
    }
    return out;
}

int emulator_launch(const tub_gpu_task *task)
{
    return (int)tub_cuda_launch_task(task, NULL);
}

static void check_orders(int first, int last, const tub_gpu_task *task, const char *what)
{
    const size_t bytes = emulator_memory_bytes();
    void *before = malloc(bytes), *want = malloc(bytes);
    char where[300];
    assert_true(before && want);
    emulator_save(before);
    tub_gpu_host_launch(task);
    emulator_save(want);
    for (int order = first; order <= last; order++) {
        emulator_restore(before);
        emulator_order(order);
        emulator_watch(order % 2 == 0); // it takes long, and finds nearly the same in any order
        const int code = emulator_launch(task);
        if (code != 0 || emulator_said()[0])
            fail_msg("%s: error %d: %s", what, code, emulator_said());
        if (!emulator_is(want, where, sizeof where))
            fail_msg("%s, order %s: %s", what, emulator_order_name(order), where);
    }
    emulator_watch(true);
    if (memcmp(before, want, bytes) == 0)
        fail_msg("%s: nothing is computed", what);
    free(before);
    free(want);
    emulator_forget();
}

void emulator_check(const tub_gpu_task *task, const char *format, ...)
{
    char what[200];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(what, sizeof what, format, arguments);
    va_end(arguments);
    check_orders(0, EMULATOR_ORDERS - 1, task, what);
}

void emulator_check_in(int order, const tub_gpu_task *task, const char *format, ...)
{
    char what[200];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(what, sizeof what, format, arguments);
    va_end(arguments);
    check_orders(order, order, task, what);
}
