// Pairs of blocks on the emulator: a product by both that is right in every order, and faults that are found.
// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on

#include "broken_pairs.h"
#include "emulator_check.h"
#include "half.h"

enum { SUMS = PAIR_ROWS * PAIR_COLS };

typedef struct problem {
    int k;
    uint16_t *x, *weight;
    float *out, want[SUMS];
} problem;

static void make(problem *p, int k)
{
    *p = (problem){.k = k};
    p->x = emulator_numbers(TUB_GPU_F16, (size_t)(PAIR_ROWS * k), 1);
    p->weight = emulator_numbers(TUB_GPU_F16, (size_t)(PAIR_COLS * k), 1);
    p->out = emulator_space(TUB_GPU_F32, SUMS);
    for (int i = 0; i < SUMS; i++)
        for (int first = 0; first < k; first += 16) {
            float part = 0;
            for (int j = first; j < first + 16 && j < k; j++)
                part += tub_from_f16(p->x[i / PAIR_COLS * k + j]) * tub_from_f16(p->weight[i % PAIR_COLS * k + j]);
            p->want[i] += part;
        }
}

static int launch(const problem *p, broken_pair which, int order)
{
    memset(p->out, 0xff, SUMS * sizeof *p->out);
    emulator_order(order);
    return broken_pair_launch(which, p->x, p->weight, p->k, p->out);
}

static bool is_right(const problem *p)
{
    return memcmp(p->out, p->want, sizeof p->want) == 0;
}

static void pairs_multiply(void **state)
{
    (void)state;
    static const int sizes[] = {8, 64, 200, 640};
    problem p;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        make(&p, sizes[i]);
        for (int order = 0; order < EMULATOR_ORDERS; order++) {
            if (launch(&p, PAIR_SOUND, order) != 0)
                fail_msg("%s", emulator_said());
            assert_true(is_right(&p));
        }
        emulator_forget();
    }
}

static void disorder_shows(void **state)
{
    (void)state;
    problem p;
    make(&p, 640);
    for (broken_pair which = PAIR_OWN_ARRIVALS; which <= PAIR_SWAPPED; which++) {
        int right = 0;
        for (int order = 0; order < EMULATOR_ORDERS; order++)
            right += launch(&p, which, order) == 0 && is_right(&p);
        if (right == EMULATOR_ORDERS)
            fail_msg("kernel %d is right in every order", (int)which);
    }
    emulator_forget();
}

static void faults_are_said(void **state)
{
    (void)state;
    static const char *const said[BROKEN_PAIRS] = {
        [PAIR_NO_FIRST_SYNC] = "barrier",           [PAIR_SOME_SYNC] = "for thread (77, 0, 0), which has ended",
        [PAIR_NOT_MET] = "barrier",     [PAIR_FEWER_BYTES] = "expected",
        [PAIR_NOT_SHARED] = "8192 bytes too",       [PAIR_THIRD] = "block 2 of a cluster of 2",
        [PAIR_ALONE] = "block 1 of a cluster of 1", [PAIR_ODD] = "are no launch of pairs",
        [PAIR_HALF] = "no multiple of 128",
    };
    problem p;
    make(&p, 640);
    for (int which = PAIR_NO_FIRST_SYNC; which < BROKEN_PAIRS; which++)
        for (int order = 0; order < EMULATOR_ORDERS; order++) {
            assert_int_not_equal(launch(&p, (broken_pair)which, order), 0);
            if (!strstr(emulator_said(), said[which]))
                fail_msg("kernel %d, order %s, not '%s': %s", which, emulator_order_name(order), said[which],
                         emulator_said());
        }
    emulator_forget();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pairs_multiply),
        cmocka_unit_test(disorder_shows),
        cmocka_unit_test(faults_are_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
