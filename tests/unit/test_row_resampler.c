// Taking rows out, and interpolating rows.
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <tubelet/sampling.h>

#include "row_resampler.h"

// Every k-th row of valid and backpad windows equals k times the stride: the same number of rows, and the same windows.
static void test_every_is_a_larger_stride(void **state)
{
    (void)state;
    for (int align = TUB_ALIGN_VALID; align <= TUB_ALIGN_BACKPAD; align += TUB_ALIGN_BACKPAD)
        for (int64_t step = 1; step < 6; step++)
            for (int64_t frames = 1; frames < 120; frames++) {
                const tub_sampling small = {.clip_length = 8, .stride = 3, .interval = 1, .align = (tub_align)align};
                tub_sampling large = small;
                large.stride = (int)(3 * step);
                bool backpad = align == TUB_ALIGN_BACKPAD;
                int64_t rows = tub_sampling_rows(&small, frames), left = tub_rows_every(rows, step, backpad);
                assert_int_equal(left, tub_sampling_rows(&large, frames));
                for (int64_t i = 0; i < left; i++) {
                    int64_t a[8], b[8];
                    tub_sampling_clip(&small, frames, tub_rows_every_at(rows, step, i), a);
                    tub_sampling_clip(&large, frames, i, b);
                    assert_memory_equal(a, b, sizeof a);
                }
            }
    assert_int_equal(tub_rows_every(0, 2, true), 0);
}

static void check_linear(const float *expected, int64_t length)
{
    static const float rows[5] = {0.5f, -1.25f, 3, 2, -0.75f};
    for (int64_t i = 0; i < length; i++) {
        float out;
        tub_rows_linear(rows, 5, 1, length, i, &out);
        assert_true(out == expected[i]);
    }
}

// From torch 2.15: F.interpolate(x.view(1, 1, -1), size=n, mode="linear", align_corners=False).
static void test_linear_is_torchs(void **state)
{
    (void)state;
    check_linear((const float[]){0.5f, -0.265625f, -0.984375f, 1.671875f, 2.6875f, 2.0625f, 0.453125f, -0.75f}, 8);
    check_linear((const float[]){-0.08333328366279602f, 3, 0.16666710376739502f}, 3);
    check_linear((const float[]){3}, 1);
    check_linear((const float[]){0.5f, 0.36538463830947876f, -0.30769237875938416f, -0.9807692170143127f,
                                 -0.26923057436943054f, 1.3653844594955444f, 3, 2.615384578704834f, 2.230769157409668f,
                                 1.5769227743148804f, 0.5192303657531738f, -0.5384620428085327f, -0.75f}, 13);
    check_linear((const float[]){0.5f, -1.25f, 3, 2, -0.75f}, 5);
}

static void test_one_row_repeats(void **state)
{
    (void)state;
    const float row[2] = {1, -2};
    for (int64_t i = 0; i < 7; i++) {
        float out[2];
        tub_rows_linear(row, 1, 2, 7, i, out);
        assert_true(out[0] == 1 && out[1] == -2);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_every_is_a_larger_stride),
                                       cmocka_unit_test(test_linear_is_torchs), cmocka_unit_test(test_one_row_repeats)};
    return cmocka_run_group_tests_name("row resampler", tests, NULL, NULL);
}
