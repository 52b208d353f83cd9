// Warpgroups on the emulator: a product that is right in every order, and faults that are found.
// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on

#include "broken_warpgroups.h"
#include "emulator_check.h"
#include "half.h"

enum { SUMS = GROUP_ROWS * GROUP_COLS };

typedef struct problem {
    tub_gpu_type type;
    int rows, cols, k;
    uint16_t *x, *weight;
    float *out, want[SUMS];
} problem;

static float number(const problem *p, const uint16_t *matrix, int row, int col, int rows)
{
    if (row >= rows || col >= p->k)
        return 0;
    const uint16_t bits = matrix[row * p->k + col];
    return p->type == TUB_GPU_F16 ? tub_from_f16(bits) : tub_from_bf16(bits);
}

static void make(problem *p, tub_gpu_type type, int rows, int cols, int k)
{
    *p = (problem){.type = type, .rows = rows, .cols = cols, .k = k};
    p->x = emulator_numbers(type, (size_t)(rows * k), 1);
    p->weight = emulator_numbers(type, (size_t)(cols * k), 1);
    p->out = emulator_space(TUB_GPU_F32, SUMS);
    for (int i = 0; i < SUMS; i++)
        for (int first = 0; first < k; first += 16) {
            float part = 0;
            for (int j = first; j < first + 16; j++)
                part += number(p, p->x, i / GROUP_COLS, j, rows) * number(p, p->weight, i % GROUP_COLS, j, cols);
            p->want[i] += part;
        }
}

static int launch(const problem *p, broken_group which, int order)
{
    memset(p->out, 0xff, SUMS * sizeof *p->out);
    emulator_order(order);
    return broken_group_launch(which, p->type == TUB_GPU_F16, p->x, p->rows, p->weight, p->cols, p->k, p->out);
}

static bool is_right(const problem *p)
{
    return memcmp(p->out, p->want, sizeof p->want) == 0;
}

// Where a value of a box is: in rows of 128 bytes, whose eight chunks of 16 are swapped by bits 7 to 9 of the address.
static void check_box(const problem *p, int row, int col, int rows, int at)
{
    uint16_t *out = emulator_space(TUB_GPU_F16, (size_t)(rows * 64));
    for (int order = 0; order < EMULATOR_ORDERS; order++) {
        emulator_order(order);
        if (broken_group_box(p->x, p->rows, p->k, row, col, rows, at, out) != 0)
            fail_msg("%s", emulator_said());
        for (int i = 0; i < rows * 64; i++) {
            const int r = row + i / 64, c = col + i % 64, swapped = (at / 128 + i / 64) % 8;
            const bool there = r >= 0 && r < p->rows && c >= 0 && c < p->k;
            const int place = i / 64 * 64 + (i % 64 / 8 ^ swapped) * 8 + i % 8;
            assert_int_equal(out[place], there ? p->x[r * p->k + c] : 0);
        }
    }
}

static void boxes_are_swizzled(void **state)
{
    (void)state;
    problem p;
    make(&p, TUB_GPU_F16, 40, 8, 136);
    check_box(&p, 0, 0, 24, 1024);
    check_box(&p, 3, 64, 16, 1024 + 3 * 128);
    check_box(&p, 30, 100, 20, 2048);
    check_box(&p, -5, -9, 8, 1024);
    check_box(&p, 50, 200, 4, 1024 + 128);
    emulator_forget();
}

// Matrices that fill their boxes and others that don't; fewer and more boxes than places.
static void warpgroups_multiply(void **state)
{
    (void)state;
    static const int sizes[][3] = {{64, 128, 256}, {50, 120, 200}, {1, 8, 8}, {80, 200, 392}};
    problem p;
    for (tub_gpu_type type = TUB_GPU_F16; type <= TUB_GPU_BF16; type++)
        for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
            make(&p, type, sizes[i][0], sizes[i][1], sizes[i][2]);
            for (int order = 0; order < EMULATOR_ORDERS; order++) {
                if (launch(&p, GROUP_SOUND, order) != 0)
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
    make(&p, TUB_GPU_F16, 64, 128, 392);
    for (broken_group which = GROUP_NO_WAIT; which <= GROUP_SOME_MISSING; which++) {
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
    static const char *const said[BROKEN_GROUPS] = {
        [GROUP_NO_BARRIER] = "no barrier was made",
        [GROUP_NOT_READY] = "made ready",
        [GROUP_NOT_MET] = "barrier",
        [GROUP_TWICE] = "there is a barrier already",
        [GROUP_BARRIER_WRITTEN] = "the barrier's place was written",
        [GROUP_ARRIVALS] = "more than the 1 arrivals",
        [GROUP_FEWER_BYTES] = "expected",
        [GROUP_MORE_BYTES] = "16 bytes too",
        [GROUP_UNDER_WAY] = "under way",
        [GROUP_UNALIGNED_BOX] = "no multiple of 128",
        [GROUP_PAST_SHARED] = "a box of 8192 bytes from byte 50176 of 50176 bytes of shared memory on",
        [GROUP_ON_BARRIER] = "a barrier lies in",
        [GROUP_PAST_MATRIX] = "touches byte",
        [GROUP_NO_MAP] = "there is no map",
        [GROUP_LAYOUT] = "isn't of a matrix with 128B swizzle",
        [GROUP_PATTERN] = "begin at a multiple of 1024",
        [GROUP_PAST_ROW] = "from byte 112 of a row",
        [GROUP_PAST_FACTOR] = "isn't in shared memory",
        [GROUP_WRITTEN] = "threads have written",
        [GROUP_NO_BEGIN] = "no tub_gpu_products_begin()",
        [GROUP_LATE_SUMS] = "no tub_gpu_products_begin()",
        [GROUP_WRITTEN_SUMS] = "no tub_gpu_products_begin()",
        [GROUP_TOUCHED_SUMS] = "were touched",
        [GROUP_LESS_WARPS] = "another warp",
        [GROUP_FEWER_WARPS] = "for warp 3 of the warpgroup",
        [GROUP_MATRICES] = "or other matrices",
        [GROUP_LANE] = "for thread (70, 0, 0)",
        [GROUP_SOME_THREADS] = "where 96 of 128 threads are",
        [GROUP_SOME_COUNTS] = "threads",
        [GROUP_HANGS] = "waits in tub_gpu_barrier_try",
        [GROUP_GIVES_UP] = "__trap(), after thread (0, 0, 0) waits in tub_gpu_barrier_try",
        [GROUP_HALF] = "a warpgroup of 96 threads",
        [GROUP_REGISTERS] = "73728 registers, and there are 65536",
        [GROUP_SOME_REGISTERS] = "with 0 and 168 registers",
        [GROUP_NO_SUCH_SYNC] = "number 16 of 16 barriers",
    };
    problem p;
    make(&p, TUB_GPU_BF16, 64, 128, 392);
    for (int which = GROUP_NO_BARRIER; which < BROKEN_GROUPS; which++)
        for (int order = 0; order < EMULATOR_ORDERS; order++) {
            const bool is_under_way = which == GROUP_UNDER_WAY && order != EMULATOR_BACKWARD;
            const int code = launch(&p, (broken_group)which, order);
            if (is_under_way && code == 0)
                continue; // the box came at once
            assert_int_not_equal(code, 0);
            if (said[which] && !strstr(emulator_said(), said[which]))
                fail_msg("kernel %d, order %s, not '%s': %s", which, emulator_order_name(order), said[which],
                         emulator_said());
        }
    emulator_forget();
}

static void maps_have_conditions(void **state)
{
    (void)state;
    const uint16_t *matrix = emulator_numbers(TUB_GPU_F16, 1024, 1);
    assert_int_equal(broken_group_map(matrix, true, 8, 64, 256), 0);
    assert_int_equal(broken_group_map(matrix, true, 1, 8, 1), 0);
    assert_int_not_equal(broken_group_map(matrix, false, 8, 64, 64), 0);
    assert_int_not_equal(broken_group_map(matrix + 1, true, 8, 64, 64), 0);
    assert_int_not_equal(broken_group_map(matrix, true, 8, 60, 64), 0);
    assert_int_not_equal(broken_group_map(matrix, true, 0, 64, 64), 0);
    assert_int_not_equal(broken_group_map(matrix, true, 8, 64, 0), 0);
    assert_int_not_equal(broken_group_map(matrix, true, 8, 64, 257), 0);
    emulator_forget();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(boxes_are_swizzled), cmocka_unit_test(warpgroups_multiply),  cmocka_unit_test(disorder_shows),
        cmocka_unit_test(faults_are_said),    cmocka_unit_test(maps_have_conditions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
