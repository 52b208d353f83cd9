// Activations of narrow types, for each of a type's 65,536 values, against double precision.
// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on
#include <stdlib.h>

#include "gpu_activation_bodies.h"
#include "gpu_host.h"

enum { VALUES = 1 << 16 };

static double exact(int activation, double x)
{
    switch (activation) {
    case 1:
        return x * 0.5 * erfc(-x / sqrt(2));
    case 2:
        return x / (1 + exp(-2 * sqrt(2 / 3.14159265358979323846) * (x + 0.044715 * x * x * x)));
    case 3:
        return x / (1 + exp(-1.702 * x));
    case 4:
        return x / (1 + exp(-x));
    default:
        return tanh(x);
    }
}

// The distance between a type's numbers around y.
static double unit_at(tub_gpu_type type, double y)
{
    const int bits = type == TUB_GPU_F16 ? 11 : 8, least = type == TUB_GPU_F16 ? -24 : -133;
    int exponent;
    frexp(y, &exponent);
    return ldexp(1, y == 0 || exponent - bits < least ? least : exponent - bits);
}

// The kernel's results for all values, in place.
static uint16_t *computed(tub_gpu_type type, int activation)
{
    uint16_t *out = malloc(VALUES * sizeof *out);
    assert_non_null(out);
    for (int i = 0; i < VALUES; i++)
        out[i] = (uint16_t)i;
    const tub_gpu_task task = {
        .kind = TUB_GPU_ACTIVATE,
        .activate = {.x = out, .type = type, .activation = activation, .rows = 1, .cols = VALUES}};
    tub_gpu_host_launch(&task);
    return out;
}

// Rounding costs half a unit; at most `more` comes from elsewhere. Values below `least` may be lost.
static void check(tub_gpu_type type, int activation, double more, double least, int not_nearest)
{
    uint16_t *have = computed(type, activation), all[VALUES];
    double worst = 0;
    int others = 0;
    for (int i = 0; i < VALUES; i++) {
        all[i] = (uint16_t)i;
        const double x = (double)tub_gpu_load(all, i, type), y = (double)tub_gpu_load(have, i, type);
        if (!isfinite(x))
            continue;
        const double want = exact(activation, x), off = fabs(y - want) / unit_at(type, want);
        if (!isfinite(y) || (y < 0 ? 1 : 0) > (x < 0 ? 1 : 0))
            fail_msg("activation %d of %g is %g", activation, x, y);
        others += off > 0.5;
        if (fabs(want) >= least && off > worst)
            worst = off;
    }
    free(have);
    print_message("activation %d in %s: off by at most %.4f units, %d not the nearest\n", activation,
                  type == TUB_GPU_F16 ? "float16" : "bfloat16", worst, others);
    assert_true(worst < 0.5 + more);
    assert_true(others <= not_nearest);
}

static void erf_gelu_is_rounded_right(void **state)
{
    (void)state;
    check(TUB_GPU_F16, 1, 0.007, 0, 70);
    check(TUB_GPU_BF16, 1, 0.004, 0, 5);
}

static void others_are_rounded_right(void **state)
{
    (void)state;
    for (int activation = 2; activation <= 5; activation++) {
        check(TUB_GPU_F16, activation, 0.002, 0, 10);
        check(TUB_GPU_BF16, activation, 0.002, 0x1p-118, 25);
    }
}

static uint16_t bits_of(tub_gpu_type type, float x)
{
    uint16_t out;
    tub_gpu_store(&out, 0, type, x);
    return out;
}

static void what_is_no_number_stays_so(void **state)
{
    (void)state;
    for (int i = TUB_GPU_F16; i <= TUB_GPU_BF16; i++)
        for (int activation = 1; activation <= 5; activation++) {
            const tub_gpu_type type = (tub_gpu_type)i;
            const float infinite = activation == 5 ? 1.0f : INFINITY;
            uint16_t *have = computed(type, activation);
            assert_true(isnan(tub_gpu_load(have, bits_of(type, NAN), type)));
            assert_int_equal(have[bits_of(type, 0.0f)], bits_of(type, 0.0f));
            assert_int_equal(have[bits_of(type, -0.0f)], bits_of(type, -0.0f));
            assert_int_equal(have[bits_of(type, INFINITY)], bits_of(type, infinite));
            if (activation == 1)
                assert_int_equal(have[bits_of(type, -INFINITY)], bits_of(type, -0.0f));
            free(have);
        }
}

// As PyTorch computes it: a float32 program is compared with PyTorch's values.
static void float32_is_not_touched(void **state)
{
    (void)state;
    for (int i = 0; i < VALUES; i++) {
        float x = (float)(i - VALUES / 2) / 4096.0f, want = 0.5f * x * (1.0f + erff(x * 0.70710678118654752440f));
        tub_gpu_act_all(TUB_GPU_F32, 1, &x, 1);
        assert_memory_equal(&x, &want, sizeof x);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(erf_gelu_is_rounded_right),
        cmocka_unit_test(others_are_rounded_right),
        cmocka_unit_test(what_is_no_number_stays_so),
        cmocka_unit_test(float32_is_not_touched),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
