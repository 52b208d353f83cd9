// Traces: spans nest, each thread has its lane, nothing is recorded without a trace, memory is bounded.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <jansson.h>
#include <math.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <tubelet/trace.h>

#include "clock.h"
#include "temp_folder.h"

static void doze(long microseconds)
{
    nanosleep(&(struct timespec){0, microseconds * 1000}, NULL);
}

static json_t *saved(const tub_trace *trace)
{
    char *folder = test_folder_make();
    const char *path = test_path(folder, "t.json");
    assert_int_equal(tub_trace_save(trace, path, NULL), TUB_OK);
    json_error_t error;
    json_t *root = json_load_file(path, JSON_REJECT_DUPLICATES, &error);
    if (!root)
        fail_msg("line %d: %s", error.line, error.text);
    test_folder_remove(folder);
    return root;
}

static const char *text(const json_t *object, const char *key)
{
    const char *value = json_string_value(json_object_get(object, key));
    return value ? value : "";
}

// The n-th event with that name and phase.
static const json_t *find(const json_t *root, const char *phase, const char *name, int n)
{
    size_t i;
    json_t *event;
    json_array_foreach(json_object_get(root, "traceEvents"), i, event) if (!strcmp(text(event, "ph"), phase) &&
                                                                           !strcmp(text(event, "name"), name) &&
                                                                           n-- == 0) return event;
    return NULL;
}

static double number(const json_t *event, const char *key)
{
    return json_number_value(json_object_get(event, key));
}

static void work_for(double seconds)
{
    const double end = tub_thread_cpu() + seconds;
    while (tub_thread_cpu() < end)
        continue;
}

static void test_no_trace_is_nothing(void **state)
{
    (void)state;
    tub_lane *lane = tub_trace_lane(NULL, "nobody");
    assert_null(lane);
    tub_lane_begin(lane, "a");
    tub_lane_took(lane, "b", 1);
    tub_lane_count(lane, "c", 1);
    tub_lane_end(lane, "detail", 1);
}

static void test_spans_nest(void **state)
{
    (void)state;
    tub_trace *trace = NULL;
    assert_int_equal(tub_trace_open(NULL, &trace, NULL), TUB_OK);
    tub_lane *lane = tub_trace_lane(trace, "a \"lane\"\n");
    tub_lane_begin(lane, "outer");
    tub_lane_begin(lane, "inner");
    doze(300);
    tub_lane_end(lane, NULL, 7);
    tub_lane_begin(lane, "busy");
    work_for(20e-3);
    tub_lane_end(lane, NULL, -1);
    tub_lane_took(lane, "short", 1e-6); // left out
    tub_lane_took(lane, "long", 60);    // longer than its enclosing span: cut
    tub_lane_count(lane, "depth", 3);
    tub_lane_end(lane, "caf\xe9", -1);
    tub_lane_end(lane, NULL, -1); // no span is open
    json_t *root = saved(trace);
    const json_t *outer = find(root, "X", "outer", 0), *inner = find(root, "X", "inner", 0);
    const json_t *cut = find(root, "X", "long", 0), *count = find(root, "C", "depth", 0);
    assert_non_null(outer);
    assert_non_null(inner);
    assert_non_null(cut);
    assert_null(find(root, "X", "short", 0));
    assert_null(find(root, "X", "outer", 1));
    assert_true(number(inner, "ts") >= number(outer, "ts"));
    assert_true(number(inner, "dur") >= 300);
    assert_true(number(inner, "ts") + number(inner, "dur") <= number(outer, "ts") + number(outer, "dur"));
    // Processor time: nearly none for a span that slept, all its time for one that worked; waits have none.
    const json_t *busy = find(root, "X", "busy", 0);
    assert_true(number(busy, "tdur") >= 20000 && number(busy, "tdur") <= number(outer, "tdur"));
    assert_true(number(inner, "tdur") < 0.9 * number(inner, "dur"));
    assert_true(number(busy, "tts") >= number(inner, "tts"));
    assert_null(json_object_get(cut, "tdur"));
    assert_true(number(cut, "ts") >= number(outer, "ts"));
    assert_true(number(cut, "ts") + number(cut, "dur") <= number(outer, "ts") + number(outer, "dur"));
    assert_int_equal(number(json_object_get(inner, "args"), "value"), 7);
    assert_string_equal(text(json_object_get(outer, "args"), "detail"), "caf?");
    assert_int_equal(number(json_object_get(count, "args"), "value"), 3);
    assert_string_equal(text(json_object_get(find(root, "M", "thread_name", 0), "args"), "name"), "a \"lane\"\n");
    json_decref(root);
    tub_trace_close(&trace);
    assert_null(trace);
}

// A span that began before the trace starts with it: a time below 0 was an invalid number in JSON.
static void test_outside_of_any_span(void **state)
{
    (void)state;
    tub_trace *trace = NULL;
    assert_int_equal(tub_trace_open(NULL, &trace, NULL), TUB_OK);
    tub_lane *lane = tub_trace_lane(trace, "free");
    doze(300);
    tub_lane_took(lane, "long", 3600.0005);
    tub_lane_took(lane, "endless", HUGE_VAL);
    tub_lane_took(lane, "never", -HUGE_VAL);
    tub_lane_took(lane, "unknown", NAN);
    json_t *root = saved(trace);
    assert_true(number(find(root, "X", "long", 0), "ts") == 0);
    assert_true(number(find(root, "X", "long", 0), "dur") >= 300);
    assert_true(number(find(root, "X", "endless", 0), "ts") == 0);
    assert_null(find(root, "X", "never", 0));
    assert_null(find(root, "X", "unknown", 0));
    json_decref(root);
    tub_trace_close(&trace);
}

static void *many(void *context)
{
    tub_lane *lane = tub_trace_lane(context, "worker");
    for (int i = 0; i < 5000; i++) {
        tub_lane_begin(lane, "work");
        tub_lane_end(lane, NULL, i);
    }
    return NULL;
}

static void test_threads_have_lanes(void **state)
{
    (void)state;
    enum { THREADS = 4 };
    tub_trace *trace = NULL;
    pthread_t threads[THREADS];
    assert_int_equal(tub_trace_open(NULL, &trace, NULL), TUB_OK);
    for (int i = 0; i < THREADS; i++)
        pthread_create(&threads[i], NULL, many, trace);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    json_t *root = saved(trace);
    int seen[THREADS + 1] = {0};
    size_t i;
    json_t *event;
    json_array_foreach(json_object_get(root, "traceEvents"), i, event)
    {
        int lane = (int)number(event, "tid");
        if (strcmp(text(event, "ph"), "X"))
            continue;
        assert_in_range(lane, 1, THREADS);
        assert_int_equal(number(json_object_get(event, "args"), "value"), seen[lane]);
        seen[lane]++;
    }
    for (int t = 1; t <= THREADS; t++)
        assert_int_equal(seen[t], 5000);
    assert_int_equal(tub_trace_dropped(trace), 0);
    json_decref(root);
    tub_trace_close(&trace);
}

static void test_room_is_bounded(void **state)
{
    (void)state;
    tub_trace *trace = NULL;
    tub_trace_params params = {.size = sizeof params, .most_events = 1500};
    assert_int_equal(tub_trace_open(&params, &trace, NULL), TUB_OK);
    many(trace);
    assert_int_equal(tub_trace_dropped(trace), 3500);
    json_t *root = saved(trace);
    assert_non_null(find(root, "X", "work", 1499));
    assert_null(find(root, "X", "work", 1500));
    assert_int_equal(number(json_object_get(root, "otherData"), "dropped"), 3500);
    json_decref(root);
    tub_trace_close(&trace);
}

static void test_misuse(void **state)
{
    (void)state;
    tub_trace *trace = NULL;
    tub_error err = {0};
    tub_trace_params params = {.size = 1};
    assert_int_equal(tub_trace_open(&params, &trace, &err), TUB_ERROR_ARGUMENT);
    assert_int_equal(tub_trace_open(NULL, &trace, &err), TUB_OK);
    tub_lane *lane = tub_trace_lane(trace, "deep");
    for (int i = 0; i < 12; i++)
        tub_lane_begin(lane, "deep");
    for (int i = 0; i < 12; i++)
        tub_lane_end(lane, NULL, -1);
    json_t *root = saved(trace);
    assert_non_null(find(root, "X", "deep", 7)); // the outer eight are there
    assert_null(find(root, "X", "deep", 8));
    json_decref(root);
    assert_int_equal(tub_trace_save(trace, "/nowhere/at/all.json", &err), TUB_ERROR_OUTPUT);
    tub_trace_close(&trace);
    tub_trace_close(&trace);
    tub_trace_close(NULL);
}

static void test_no_room_names_the_file(void **state)
{
    (void)state;
    tub_trace *trace = NULL;
    tub_error err = {0};
    struct rlimit usual, little;
    char *folder = test_folder_make();
    assert_int_equal(tub_trace_open(NULL, &trace, &err), TUB_OK);
    tub_lane *lane = tub_trace_lane(trace, "long");
    for (int i = 0; i < 2000; i++) {
        tub_lane_begin(lane, "short");
        tub_lane_end(lane, NULL, i);
    }
    void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &usual), 0);
    little = (struct rlimit){.rlim_cur = 1000, .rlim_max = usual.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &little), 0);
    tub_status status = tub_trace_save(trace, test_path(folder, "t.json"), &err);
    setrlimit(RLIMIT_FSIZE, &usual);
    signal(SIGXFSZ, handler);
    assert_int_equal(status, TUB_ERROR_OUTPUT);
    assert_non_null(strstr(err.text, "t.json: can't write it: File too large"));
    assert_int_equal(test_count_files(folder, ""), 0);
    tub_trace_close(&trace);
    test_folder_remove(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_trace_is_nothing),
        cmocka_unit_test(test_spans_nest),
        cmocka_unit_test(test_outside_of_any_span),
        cmocka_unit_test(test_threads_have_lanes),
        cmocka_unit_test(test_room_is_bounded),
        cmocka_unit_test(test_misuse),
        cmocka_unit_test(test_no_room_names_the_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
