// What an extractor reports while it works: queue depths, why the device waits, a lane for each thread.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fake_run.h"
#include "temp_folder.h"

static tub_progress run(const fake_encoder_params *encoder, int threads, tub_trace *trace, const char *const *paths,
                        int count)
{
    fake_encoder *e = fake_encoder_create(encoder);
    tub_extractor_params params = {.size = sizeof params, .decode_threads = threads, .trace = trace};
    fake_outcome *outcomes = calloc((size_t)count, sizeof *outcomes);
    tub_progress progress = {0};
    params.sampling.clip_length = 4;
    assert_int_equal(fake_run_all(e, &params, paths, count, outcomes, &progress, NULL), TUB_END);
    fake_outcomes_free(outcomes, count);
    free(outcomes);
    tub_encoder *base = &e->base;
    tub_encoder_close(&base);
    return progress;
}

static void check_sums(const tub_progress *p)
{
    double reasons = p->idle_start_seconds + p->idle_open_seconds + p->idle_decode_seconds + p->idle_convert_seconds +
                     p->idle_input_seconds;
    if (fabs(reasons - p->device_wait_seconds) > 1e-6)
        fail_msg("the reasons add up to %f s of %f", reasons, p->device_wait_seconds);
    assert_true(p->idle_start_seconds >= 0 && p->idle_input_seconds >= 0);
    assert_true(p->decode_cpu_seconds > 0 && p->convert_cpu_seconds > 0);
    assert_int_equal(p->jobs_waiting + p->ready + p->results_waiting, 0); // all is done
    assert_in_range(p->items, 1, p->batches * p->batch);
}

static const char *const slow[] = {"fake:seed=1,frames=60,delay=2000", "fake:seed=2,frames=60,delay=2000"};
static const char *const fast[] = {"fake:seed=1,frames=300", "fake:seed=2,frames=300"};

static void test_waits_for_decoding(void **state)
{
    (void)state;
    tub_progress p = run(&(fake_encoder_params){0}, 1, NULL, slow, 2);
    check_sums(&p);
    assert_true(p.device_wait_seconds > 0.1);
    // In the fake source's figures, of the 2 ms or more that a frame takes, 1 ms is decoding and 0.5 ms conversion.
    assert_true(p.idle_decode_seconds + p.idle_convert_seconds > 0.1 * (p.device_wait_seconds - p.idle_start_seconds));
    assert_true(p.idle_decode_seconds > 1.9 * p.idle_convert_seconds && p.idle_convert_seconds > 0);
}

static void test_busy_device(void **state)
{
    (void)state;
    tub_progress p = run(&(fake_encoder_params){.delay = 20000}, 2, NULL, fast, 2);
    check_sums(&p);
    assert_true(p.device_wait_seconds < p.forward_seconds);
    assert_true(p.decode_wait_seconds > 0);
    assert_int_equal(p.items, p.rows_done);
    assert_int_equal(p.batch, 4);
}

static double number(const json_t *event, const char *key)
{
    return json_number_value(json_object_get(event, key));
}

static bool is_span(const json_t *event)
{
    return !strcmp(json_string_value(json_object_get(event, "ph")), "X");
}

// Two spans in one lane don't overlap, or one contains the other.
static void check_pair(const json_t *a, const json_t *b)
{
    const double slack = 0.002; // times are rounded down to 1 ns
    double a0 = number(a, "ts"), a1 = a0 + number(a, "dur"), b0 = number(b, "ts"), b1 = b0 + number(b, "dur");
    bool apart = a1 <= b0 + slack || b1 <= a0 + slack;
    bool within = (a0 <= b0 + slack && b1 <= a1 + slack) || (b0 <= a0 + slack && a1 <= b1 + slack);
    if (!apart && !within)
        fail_msg("%s %f to %f and %s %f to %f overlap", json_string_value(json_object_get(a, "name")), a0, a1,
                 json_string_value(json_object_get(b, "name")), b0, b1);
}

static void test_each_thread_is_traced(void **state)
{
    (void)state;
    tub_trace *trace = NULL;
    assert_int_equal(tub_trace_open(NULL, &trace, NULL), TUB_OK);
    tub_progress p = run(&(fake_encoder_params){.delay = 200}, 2, trace, fast, 2);
    char *folder = test_folder_make();
    assert_int_equal(tub_trace_save(trace, test_path(folder, "t.json"), NULL), TUB_OK);
    tub_trace_close(&trace);
    json_t *root = json_load_file(test_path(folder, "t.json"), 0, NULL), *event;
    const json_t *events = json_object_get(root, "traceEvents");
    assert_non_null(events);
    int forwards = 0, decoded = 0, videos = 0, converted = 0;
    size_t i;
    json_array_foreach(events, i, event)
    {
        const char *name = json_string_value(json_object_get(event, "name"));
        forwards += is_span(event) && !strcmp(name, "forward");
        decoded += is_span(event) && !strcmp(name, "decode");
        converted += is_span(event) && !strcmp(name, "convert");
        videos += is_span(event) && !strcmp(name, "video");
        // Only compared with the nearest ones before it; all pairs would be too many.
        for (size_t j = i > 40 ? i - 40 : 0; is_span(event) && j < i; j++) {
            const json_t *other = json_array_get(events, j);
            if (is_span(other) && number(other, "tid") == number(event, "tid"))
                check_pair(other, event);
        }
    }
    assert_int_equal(forwards, p.batches);
    assert_int_equal(decoded, p.frames_decoded + 2); // plus both ends
    assert_int_equal(videos, 2);
    assert_in_range(converted, 1, p.frames_decoded);
    json_decref(root);
    test_folder_remove(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_waits_for_decoding),
        cmocka_unit_test(test_busy_device),
        cmocka_unit_test(test_each_thread_is_traced),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
