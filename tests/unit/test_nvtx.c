// A profiler in the process gets the spans as ranges, even if nothing is recorded.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dlfcn.h>
#include <stdlib.h>
#include <tubelet/trace.h>

static int counted(void *profiler, const char *name)
{
    const int *number = dlsym(profiler, name);
    assert_non_null(number);
    return *number;
}

static void test_spans_are_ranges(void **state)
{
    (void)state;
    tub_trace *trace = NULL;
    tub_trace_params params = {.size = sizeof params, .ranges_only = true};
    setenv("NVTX_INJECTION64_PATH", TEST_FAKES "/libfake_nvtx.so", 1);
    assert_int_equal(tub_trace_open(&params, &trace, NULL), TUB_OK);
    void *profiler = dlopen(TEST_FAKES "/libfake_nvtx.so", RTLD_LAZY | RTLD_NOLOAD);
    assert_non_null(profiler);
    tub_lane *lane = tub_trace_lane(trace, "a thread");
    assert_int_equal(counted(profiler, "fake_nvtx_named"), 1);
    for (int i = 0; i < 12; i++) // deeper than a trace records
        tub_lane_begin(lane, "forward");
    assert_int_equal(counted(profiler, "fake_nvtx_depth"), 12);
    for (int i = 0; i < 13; i++)
        tub_lane_end(lane, NULL, -1);
    assert_int_equal(counted(profiler, "fake_nvtx_depth"), 0);
    assert_int_equal(counted(profiler, "fake_nvtx_ranges"), 12);
    assert_int_equal(tub_trace_dropped(trace), 0);
    tub_trace_close(&trace);
    dlclose(profiler);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_spans_are_ranges)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
