// How many items the CUDA backend's executable begins with, from what fitted in an earlier run, on the fake device.
// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gpu_subject.h"
#include "temp_folder.h"

// `is_short`: memory is short once during the run.
static int wave_of_a_run(size_t memory, bool is_short)
{
    fake_gpu_reset();
    fake_gpu.memory = memory;
    gpu_subject *s = gpu_subject_start(TUB_F32, 16, 0);
    fake_gpu.short_call = is_short;
    gpu_subject_run_all(s, 16);
    const int wave = s->executable->wave;
    gpu_subject_stop(s);
    return wave;
}

static void what_fitted_is_remembered(void **state)
{
    (void)state;
    float wanted[ITEMS * COLS];
    gpu_subject_wanted_rows(wanted);
    assert_int_equal(wave_of_a_run(0, false), 16);
    assert_int_equal(wave_of_a_run(0, true), 8);
    assert_int_equal(wave_of_a_run(0, false), 8); // later runs begin with what fitted, and are never short
    fake_gpu_reset();
    gpu_subject *s = gpu_subject_start(TUB_F32, 16, 0);
    assert_int_equal(s->warned, 0);
    assert_non_null(strstr(s->last, "8 items at once, as more didn't fit in an earlier run"));
    gpu_subject_run_all(s, 16);
    assert_memory_equal(s->rows, wanted, sizeof wanted);
    gpu_subject_stop(s);
}

static void more_memory_is_tried_anew(void **state)
{
    (void)state;
    assert_int_equal(wave_of_a_run(0, true), 8);
    assert_int_equal(wave_of_a_run((size_t)2 << 30, false), 16);
    assert_int_equal(wave_of_a_run((size_t)1000 << 20, false), 8); // with less memory than before
}

static void other_programs_and_limits_know_nothing(void **state)
{
    (void)state;
    assert_int_equal(wave_of_a_run(0, true), 8);
    fake_gpu_reset();
    gpu_subject *s = gpu_subject_start(TUB_F32, 15, 0);
    assert_int_equal(s->executable->wave, 15);
    gpu_subject_stop(s);
    s = gpu_subject_start(TUB_F16, 16, 0);
    assert_int_equal(s->executable->wave, 16);
    gpu_subject_stop(s);
    s = gpu_subject_start(TUB_F32, 16, (size_t)900 << 20);
    assert_int_equal(s->executable->wave, 16);
    gpu_subject_stop(s);
    gpu_subject_without = TUB_GPU_WITHOUT_TUNING;
    s = gpu_subject_start(TUB_F32, 16, 0);
    assert_int_equal(s->executable->wave, 16);
    gpu_subject_stop(s);
}

static void a_torn_file_of_fits_costs_nothing(void **state)
{
    char path[512];
    assert_int_equal(wave_of_a_run(0, true), 8);
    snprintf(path, sizeof path, "%s/tubelet/gpu-fits.txt", (const char *)*state);
    size_t bytes = 0;
    char *text = test_read_file(path, &bytes);
    assert_non_null(text);
    assert_true(bytes > 36);
    for (size_t cut = 0; cut < bytes; cut += 7) {
        test_write_file(path, text, cut);
        const int wave = wave_of_a_run(0, false);
        assert_true(wave == 16 || wave == 8);
    }
    test_write_file(path, "ffffffffffffffffffffffffffffffff -1 -1\n\n%s%n%d 1 1 1\n", 54);
    assert_int_equal(wave_of_a_run(0, false), 16);
    // Lines of others stay.
    char line[128];
    memset(line, 'a', 32);
    snprintf(line + 32, sizeof line - 32, " 77 3\n");
    test_write_file(path, line, strlen(line));
    assert_int_equal(wave_of_a_run(0, true), 8);
    free(text);
    text = test_read_file(path, &bytes);
    assert_non_null(strstr(text, " 77 3\n"));
    free(text);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, gpu_subject_enter, gpu_subject_leave)
    const struct CMUnitTest tests[] = {
        TEST(what_fitted_is_remembered),
        TEST(more_memory_is_tried_anew),
        TEST(other_programs_and_limits_know_nothing),
        TEST(a_torn_file_of_fits_costs_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
