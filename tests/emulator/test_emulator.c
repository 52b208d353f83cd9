// The emulator itself: it runs correct kernels, and finds what is wrong with others.
// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on

#include "broken_kernels.h"
#include "emulator_check.h"
#include "half.h"

enum { THREADS = BROKEN_THREAD_COUNT };

typedef struct tensors {
    float *in, *out;
} tensors;

static tensors make(void)
{
    tensors t = {emulator_memory(THREADS * sizeof(float)), emulator_memory(THREADS * sizeof(float))};
    for (int i = 0; i < THREADS; i++)
        t.in[i] = (float)i + 0.5f;
    return t;
}

static void sound_kernels_run(void **state)
{
    (void)state;
    for (int order = 0; order < EMULATOR_ORDERS; order++)
        for (broken_kernel which = BROKEN_NOT; which <= BROKEN_NOT_COPIES; which++) {
            const tensors t = make();
            emulator_order(order);
            if (broken_launch(which, t.in, t.out) != 0)
                fail_msg("%s", emulator_said());
            for (int i = 0; i < THREADS; i++)
                assert_true(t.out[i] == (which == BROKEN_NOT_COPIES ? t.in[i] : (float)((i + 1) % THREADS)));
            emulator_forget();
        }
}

// Such a kernel runs, but its result depends on the order.
static void missing_barriers_show(void **state)
{
    (void)state;
    emulator_watch(false);
    for (broken_kernel which = BROKEN_NO_BARRIER; which <= BROKEN_EARLY_COPY; which++) {
        int right = 0;
        for (int order = 0; order < EMULATOR_ORDERS; order++) {
            const tensors t = make();
            emulator_order(order);
            assert_int_equal(broken_launch(which, t.in, t.out), 0);
            int same = 0;
            for (int i = 0; i < THREADS; i++)
                same += t.out[i] == (which > BROKEN_NO_WARP_BARRIER ? t.in[i] : (float)((i + 1) % THREADS));
            right += same == THREADS;
            emulator_forget();
        }
        if (right == EMULATOR_ORDERS)
            fail_msg("kernel %d is right in every order", (int)which);
    }
    emulator_watch(true);
}

// It is also reported, whatever the result.
static void missing_barriers_are_said(void **state)
{
    (void)state;
#ifndef EMULATOR_SEES_ACCESSES
    skip();
#endif
    for (broken_kernel which = BROKEN_NO_BARRIER; which <= BROKEN_EARLY_COPY; which++)
        for (int order = 0; order < EMULATOR_ORDERS; order++) {
            const tensors t = make();
            emulator_order(order);
            assert_int_not_equal(broken_launch(which, t.in, t.out), 0);
            if (!strstr(emulator_said(), "no barrier is between") && !strstr(emulator_said(), "is under way"))
                fail_msg("kernel %d: %s", (int)which, emulator_said());
            emulator_forget();
        }
}

static void faults_are_said(void **state)
{
    (void)state;
    static const char *const said[BROKEN_KERNELS] = {
        [BROKEN_LEAVES] = "for thread (40, 0, 0), which has ended",
        [BROKEN_BRANCHES] = "at line",
        [BROKEN_LANE] = "for thread (5, 0, 0), which has ended",
        [BROKEN_MASK] = "the mask 0xff isn't the lane's",
        [BROKEN_PAST_SHARED] = "of 256 bytes of shared memory",
        [BROKEN_BEFORE_SHARED] = "byte -4 of 256 bytes of shared memory was written",
        [BROKEN_PAST_ARRAY] = "outside of an array",
        [BROKEN_PAST_TENSOR] = "touches byte 256 of the 256 of piece",
        [BROKEN_UNALIGNED] = "an unaligned address",
        [BROKEN_UNALIGNED_COPY] = "isn't aligned",
        [BROKEN_UNALIGNED_ROW] = "ldmatrix",
        [BROKEN_UNALIGNED_TILE] = "load_matrix_sync",
        [BROKEN_COPY_TO_TENSOR] = "which isn't shared memory",
        [BROKEN_TRAP] = "__trap()",
        [BROKEN_ENDLESS_STACK] = "touches",
        [BROKEN_THREADS] = "1025 x 1 x 1 threads",
        [BROKEN_DEPTH] = "1 x 1 x 65536 blocks",
        [BROKEN_SHARED] = "49168 bytes of shared memory",
    };
    for (int which = BROKEN_LEAVES; which < BROKEN_KERNELS; which++)
        for (int order = 0; order < EMULATOR_ORDERS; order++) {
            const tensors t = make();
            emulator_order(order);
            assert_int_not_equal(broken_launch((broken_kernel)which, t.in, t.out), 0);
            if (!strstr(emulator_said(), said[which]) || strncmp(emulator_said(), "kernel, block (0, 0, 0)", 23) != 0)
                fail_msg("kernel %d, not '%s': %s", which, said[which], emulator_said());
            emulator_forget();
        }
}

// PTX's fragments, and that a launch can ask for what it may not have by default.
static void tensor_cores_multiply(void **state)
{
    (void)state;
    for (int order = 0; order < EMULATOR_ORDERS; order++) {
        uint16_t *a = emulator_numbers(TUB_GPU_F16, 256, 1), *b = emulator_numbers(TUB_GPU_F16, 128, 1);
        float *out = emulator_numbers(TUB_GPU_F32, 128, 1), want[128];
        for (int i = 0; i < 128; i++) {
            float part = 0;
            for (int k = 0; k < 16; k++)
                part += tub_from_f16(a[i / 8 * 16 + k]) * tub_from_f16(b[i % 8 * 16 + k]);
            want[i] = out[i] + part;
        }
        emulator_order(order);
        assert_int_equal(broken_multiply(a, b, out), 0);
        assert_memory_equal(out, want, sizeof want);
        emulator_forget();
    }
}

static void shared_memory_can_be_asked_for(void **state)
{
    (void)state;
    emulator_order(EMULATOR_FORWARD);
    assert_int_equal(broken_ask_for_shared(64 << 10), 0);
    assert_int_not_equal(broken_ask_for_shared((64 << 10) + 16), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sound_kernels_run),         cmocka_unit_test(missing_barriers_show),
        cmocka_unit_test(missing_barriers_are_said), cmocka_unit_test(faults_are_said),
        cmocka_unit_test(tensor_cores_multiply),     cmocka_unit_test(shared_memory_can_be_asked_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
