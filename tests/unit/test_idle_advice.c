// What the command advises if the device had to wait.
// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
// clang-format on
#include <string.h>

#include "../../cli/advice.c"

const char *cli_translate(const char *text)
{
    return text;
}

// A run whose device waited for decoding, with one thread on two processors, or one thread for each processor.
static void expect(tub_decoder decoder, bool on_gpu, int threads, const char *remedy)
{
    const tub_progress waited = {
        .forward_seconds = 3, .device_wait_seconds = 1, .idle_decode_seconds = 1, .decode_threads = threads};
    const cli_decoding decoding = {.processors = 2, .on_gpu = on_gpu, .decoder = decoder};
    char text[256], expected[256];
    snprintf(expected, sizeof expected, "device idle 25 %%: waiting for decode; %s", remedy);
    assert_true(cli_idle_advice(&waited, &decoding, text, sizeof text));
    assert_string_equal(text, expected);
}

static void test_no_gpu_is_advised_where_none_computes(void **state)
{
    (void)state;
    expect(TUB_DECODER_AUTO, false, 1, "raise --decode-threads");
    expect(TUB_DECODER_AUTO, false, 2, "every processor has a decoding thread: more processors would help");
}

static void test_a_gpu_that_computes_may_decode(void **state)
{
    (void)state;
    expect(TUB_DECODER_AUTO, true, 1, "raise --decode-threads, or let the GPU decode, too: --decoder both");
    expect(TUB_DECODER_CPU, true, 2, "every processor has a decoding thread: let the GPU decode, too (--decoder both)");
}

static void test_what_decodes_already_is_not_advised(void **state)
{
    (void)state;
    for (int threads = 1; threads <= 2; threads++)
        expect(TUB_DECODER_NVDEC, true, threads, "let the processor decode, too: --decoder both");
    expect(TUB_DECODER_BOTH, true, 1, "raise --decode-threads");
    expect(TUB_DECODER_BOTH, true, 2, "every processor has a decoding thread: more processors would help");
}

static void test_a_busy_device_needs_no_advice(void **state)
{
    (void)state;
    const tub_progress busy = {.forward_seconds = 99, .device_wait_seconds = 1, .idle_decode_seconds = 1};
    const cli_decoding decoding = {.processors = 2};
    char text[256];
    assert_false(cli_idle_advice(&busy, &decoding, text, sizeof text));
    assert_string_equal(text, "device busy 99 %: the model is what takes the time");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_gpu_is_advised_where_none_computes),
        cmocka_unit_test(test_a_gpu_that_computes_may_decode),
        cmocka_unit_test(test_what_decodes_already_is_not_advised),
        cmocka_unit_test(test_a_busy_device_needs_no_advice),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
