// How an extractor ends: failing videos, a failing device, cancelling, closing, misuse.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "fake_run.h"

static tub_extractor_params four_frames(int threads)
{
    tub_extractor_params params = {.size = sizeof params, .decode_threads = threads};
    params.sampling.clip_length = 4;
    return params;
}

static void close_encoder(fake_encoder *encoder)
{
    tub_encoder *base = &encoder->base;
    tub_encoder_close(&base);
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void expect_failure(const fake_outcome *o, const char *path, const char *text)
{
    assert_true(o->done);
    assert_int_equal(o->result.status, TUB_ERROR_VIDEO);
    assert_int_equal(o->result.total_rows, 0);
    if (!strstr(o->result.text, text))
        fail_msg("\"%s\" doesn't say \"%s\"", o->result.text, text);
    const char *first = strstr(o->result.text, path);
    assert_non_null(first);
    assert_null(strstr(first + 1, path)); // the path appears only once
}

static void check_failing_videos(bool per_frame)
{
    static const struct {
        const char *path, *text;
    } videos[] = {
        {"fake:seed=1,frames=50", NULL},
        {"fake:seed=2,frames=50,refuse=1", "refused"},
        {"fake:seed=3,frames=50,fail=30", "broken at frame 30"},
        {"fake:seed=4,frames=50,partial=1", NULL},
        {"fake:seed=5,frames=50,fail=0", "broken at frame 0"},
        {"fake:seed=6,frames=0", "no frame"},
        {"fake:seed=7,frames=50,blind=20", "can't convert frame 20"},
        {"fake:seed=8,frames=50,height=5", "5x6"},
        {"fake:seed=9,frames=50,float=1", "float"},
        {"fake:seed=10,frames=50", NULL},
    };
    enum { COUNT = sizeof videos / sizeof videos[0] };
    const char *paths[COUNT];
    for (int i = 0; i < COUNT; i++)
        paths[i] = videos[i].path;
    fake_encoder *encoder = fake_encoder_create(&(fake_encoder_params){.per_frame = per_frame});
    tub_extractor_params params = four_frames(2);
    tub_sampling s;
    assert_int_equal(tub_sampling_resolve(&(tub_sampling){.size = sizeof s, .clip_length = 4}, 0, &s, NULL), TUB_OK);
    fake_outcome outcomes[COUNT];
    assert_int_equal(fake_run_all(encoder, &params, paths, COUNT, outcomes, NULL, NULL), TUB_END);
    for (int i = 0; i < COUNT; i++)
        if (videos[i].text)
            expect_failure(&outcomes[i], videos[i].path, videos[i].text);
        else
            fake_check_outcome(encoder, &s, videos[i].path, &outcomes[i]);
    assert_string_equal(outcomes[0].result.text, "");
    assert_string_equal(outcomes[3].result.text, "some damage");
    assert_true(outcomes[3].result.info.partial);
    fake_outcomes_free(outcomes, COUNT);
    close_encoder(encoder);
    assert_int_equal(atomic_load(&fake_counts.open), 0);
}

static void test_failing_videos_fail_alone(void **state)
{
    (void)state;
    fake_counts_reset();
    check_failing_videos(false);
    check_failing_videos(true);
}

static void test_result_of_a_video(void **state)
{
    (void)state;
    fake_encoder *encoder = fake_encoder_create(&(fake_encoder_params){.delay = 1000});
    tub_extractor_params params = four_frames(1);
    const char *path = "fake:frames=42,fps=24";
    fake_outcome o;
    assert_int_equal(fake_run_all(encoder, &params, &path, 1, &o, NULL, NULL), TUB_END);
    assert_int_equal(o.result.frames, 42);
    assert_int_equal(o.result.info.frames, 42);
    assert_int_equal(o.result.total_rows, 10);
    assert_int_equal(o.result.dim, 5);
    assert_true(o.result.fps == 24);
    assert_false(o.result.is_short);
    assert_true(o.result.init_seconds == 0.25);
    assert_true(o.result.decode_seconds > 0.0419 && o.result.decode_seconds < 0.0421);
    assert_true(o.result.convert_seconds > 0.0209 && o.result.convert_seconds < 0.0211);
    assert_true(o.result.forward_seconds >= 0.003);
    assert_true(o.result.wall_seconds >= o.result.forward_seconds);
    fake_outcomes_free(&o, 1);
    params.sampling.fps = 8;
    assert_int_equal(fake_run_all(encoder, &params, &path, 1, &o, NULL, NULL), TUB_END);
    assert_true(o.result.fps == 8);
    assert_int_equal(o.result.frames, 14);
    fake_outcomes_free(&o, 1);
    close_encoder(encoder);
}

static void test_broken_timestamps(void **state)
{
    (void)state;
    fake_encoder *encoder = fake_encoder_create(&(fake_encoder_params){0});
    tub_extractor_params params = four_frames(1);
    params.sampling.fps = 10;
    const char *path = "fake:frames=42,jump=20";
    fake_outcome o;
    assert_int_equal(fake_run_all(encoder, &params, &path, 1, &o, NULL, NULL), TUB_END);
    expect_failure(&o, path, "timestamps jump by 100 hours");
    fake_outcomes_free(&o, 1);
    close_encoder(encoder);
}

static void test_failing_device_ends_it(void **state)
{
    (void)state;
    const char *paths[] = {"fake:seed=1,frames=200", "fake:seed=2,frames=200", "fake:seed=3,frames=200"};
    for (int run = 1; run <= 6; run += 5) {
        fake_encoder *encoder = fake_encoder_create(&(fake_encoder_params){.fail = run, .per_frame = run == 6});
        tub_extractor_params params = four_frames(2);
        fake_outcome outcomes[3];
        tub_error err = {0};
        assert_int_equal(fake_run_all(encoder, &params, paths, 3, outcomes, NULL, &err), TUB_ERROR_DEVICE);
        assert_string_equal(err.text, "the fake device is out of order");
        assert_in_range(encoder->runs, run, run + encoder->params.overlaps); // a run begun behind it is ended too
        fake_outcomes_free(outcomes, 3);
        close_encoder(encoder);
    }
}

static void test_no_jobs(void **state)
{
    (void)state;
    fake_encoder *encoder = fake_encoder_create(&(fake_encoder_params){0});
    tub_extractor_params params = four_frames(2);
    assert_int_equal(fake_run_all(encoder, &params, NULL, 0, NULL, NULL, NULL), TUB_END);
    tub_extractor *x = NULL;
    tub_result r;
    tub_error err;
    assert_int_equal(tub_extractor_open_source(&encoder->base, NULL, &fake_source, &x, NULL), TUB_OK);
    assert_int_equal(tub_extractor_receive(x, &r, &err), TUB_AGAIN);
    tub_extractor_finish(x);
    tub_extractor_finish(x);
    assert_int_equal(tub_extractor_receive(x, &r, &err), TUB_END);
    assert_int_equal(tub_extractor_receive(x, &r, &err), TUB_END);
    assert_int_equal(tub_extractor_submit(x, &(tub_job){.path = "fake:frames=1"}, &err), TUB_ERROR_ARGUMENT);
    tub_extractor_close(&x);
    tub_extractor_close(&x);
    close_encoder(encoder);
}

// One job at a time, none of which ends: a batch that nothing will fill must run anyway.
static void test_one_at_a_time(void **state)
{
    (void)state;
    fake_encoder *encoder = fake_encoder_create(&(fake_encoder_params){.batch = 16});
    tub_extractor_params params = four_frames(3);
    tub_extractor *x = NULL;
    assert_int_equal(tub_extractor_open_source(&encoder->base, &params, &fake_source, &x, NULL), TUB_OK);
    for (int i = 0; i < 20; i++) {
        int rows = 0, done = 0;
        tub_result r;
        assert_int_equal(tub_extractor_submit(x, &(tub_job){.path = "fake:frames=9", .tag = &rows}, NULL), TUB_OK);
        while (tub_extractor_receive(x, &r, NULL) == TUB_OK) {
            assert_ptr_equal(r.tag, &rows);
            rows += r.kind == TUB_RESULT_ROWS ? (int)r.count : 0;
            done += r.kind == TUB_RESULT_DONE;
            tub_result_release(x, &r);
        }
        assert_int_equal(rows, 2);
        assert_int_equal(done, 1);
    }
    tub_extractor_close(&x);
    close_encoder(encoder);
}

static void test_submit_says_again(void **state)
{
    (void)state;
    fake_encoder *encoder = fake_encoder_create(&(fake_encoder_params){0});
    tub_extractor_params params = four_frames(1);
    tub_extractor *x = NULL;
    int accepted = 0, done = 0;
    assert_int_equal(tub_extractor_open_source(&encoder->base, &params, &fake_source, &x, NULL), TUB_OK);
    tub_job job = {.path = "fake:frames=40,delay=200"};
    while (tub_extractor_submit(x, &job, NULL) == TUB_OK)
        assert_true(++accepted < 1000);
    tub_result r;
    while (tub_extractor_receive(x, &r, NULL) == TUB_OK) {
        done += r.kind == TUB_RESULT_DONE;
        tub_result_release(x, &r);
    }
    assert_int_equal(done, accepted);
    tub_extractor_close(&x);
    close_encoder(encoder);
}

static void *cancel_later(void *x)
{
    usleep((useconds_t)(rand() % 8000));
    tub_extractor_cancel(x);
    return NULL;
}

// Submits endless work until somebody cancels; returns the status that ended it.
static tub_status work_until_the_end(tub_extractor *x, tub_error *err)
{
    tub_job job = {.path = "fake:frames=5000,delay=50"};
    tub_result r;
    for (;;) {
        tub_status status;
        while ((status = tub_extractor_submit(x, &job, err)) == TUB_OK)
            ;
        if (status < 0)
            return status;
        status = tub_extractor_receive(x, &r, err);
        if (status != TUB_OK)
            return status;
        if (r.first_row % 3 == 0)
            usleep(300); // a slow writer: results pile up
        tub_result_release(x, &r);
    }
}

static void test_cancel_at_any_moment(void **state)
{
    (void)state;
    srand(7);
    for (int i = 0; i < 60; i++) {
        fake_encoder *encoder =
            fake_encoder_create(&(fake_encoder_params){.per_frame = i & 1, .delay = i % 3 * 200, .batch = 1 + i % 9});
        tub_extractor_params params = four_frames(1 + i % 4);
        params.slot_memory = i % 5 == 0 ? 30 * 128 : 0;
        params.sampling.stride = 1 + i % 5;
        tub_extractor *x = NULL;
        tub_error err = {0};
        pthread_t thread;
        assert_int_equal(tub_extractor_open_source(&encoder->base, &params, &fake_source, &x, &err), TUB_OK);
        pthread_create(&thread, NULL, cancel_later, x);
        assert_int_equal(work_until_the_end(x, &err), TUB_ERROR_CANCELLED);
        tub_result r;
        assert_int_equal(tub_extractor_receive(x, &r, &err), TUB_ERROR_CANCELLED);
        assert_int_equal(tub_extractor_submit(x, &(tub_job){.path = "fake:frames=1"}, &err), TUB_ERROR_CANCELLED);
        pthread_join(thread, NULL);
        double start = now();
        tub_extractor_close(&x);
        assert_true(now() - start < 2);
        close_encoder(encoder);
    }
    assert_int_equal(atomic_load(&fake_counts.open), 0);
}

// Nobody receives: everything fills up and waits. Closing ends it.
static void test_close_in_the_middle(void **state)
{
    (void)state;
    for (int i = 0; i < 20; i++) {
        bool to_the_brim = i >= 16; // one row per result, so that results fill up too
        fake_encoder *encoder =
            fake_encoder_create(&(fake_encoder_params){.per_frame = i & 1, .batch = 3, .dim = to_the_brim ? 70000 : 5});
        tub_extractor_params params = four_frames(2);
        params.sampling.stride = 1;
        tub_extractor *x = NULL;
        assert_int_equal(tub_extractor_open_source(&encoder->base, &params, &fake_source, &x, NULL), TUB_OK);
        while (tub_extractor_submit(x, &(tub_job){.path = "fake:frames=3000"}, NULL) == TUB_OK)
            ;
        tub_progress progress;
        do {
            usleep((useconds_t)(i * 300));
            tub_extractor_progress(x, &progress);
        } while (to_the_brim && progress.rows_done < 33); // one more than fit into the queue
        assert_in_range(progress.slots_free, 0, progress.slots);
        tub_extractor_close(&x);
        assert_null(x);
        close_encoder(encoder);
    }
}

// Received results belong to the caller, even after the close; others are freed with it (sanitizers find leaks).
static void test_results_outlive_the_extractor(void **state)
{
    (void)state;
    fake_encoder *encoder = fake_encoder_create(&(fake_encoder_params){.batch = 3, .dim = 70000});
    const tub_extractor_params params = four_frames(1);
    tub_extractor *x = NULL;
    tub_result held[2];
    assert_int_equal(tub_extractor_open_source(&encoder->base, &params, &fake_source, &x, NULL), TUB_OK);
    assert_int_equal(tub_extractor_submit(x, &(tub_job){.path = "fake:frames=100"}, NULL), TUB_OK);
    for (int i = 0; i < 2; i++)
        assert_int_equal(tub_extractor_receive(x, &held[i], NULL), TUB_OK);
    float *before = malloc((size_t)(held[0].count * held[0].dim) * sizeof *before);
    assert_non_null(before);
    memcpy(before, held[0].rows, (size_t)(held[0].count * held[0].dim) * sizeof *before);
    tub_extractor_close(&x);
    assert_memory_equal(before, held[0].rows, (size_t)(held[0].count * held[0].dim) * sizeof *before);
    for (int i = 0; i < 2; i++) {
        tub_result_release(NULL, &held[i]);
        assert_null(held[i].rows);
        tub_result_release(NULL, &held[i]);
    }
    free(before);
    close_encoder(encoder);
}

// The device is slow and slots are few: workers are waiting for a slot when the extractor is cancelled.
static void test_cancel_while_workers_wait(void **state)
{
    (void)state;
    for (int i = 0; i < 4; i++) {
        fake_encoder *encoder = fake_encoder_create(&(fake_encoder_params){.batch = 16, .delay = 30000});
        tub_extractor_params params = four_frames(2);
        params.slot_memory = 12 * 128;
        tub_extractor *x = NULL;
        tub_progress progress;
        assert_int_equal(tub_extractor_open_source(&encoder->base, &params, &fake_source, &x, NULL), TUB_OK);
        while (tub_extractor_submit(x, &(tub_job){.path = "fake:frames=3000"}, NULL) == TUB_OK)
            ;
        do
            tub_extractor_progress(x, &progress);
        while (progress.slots_free > 0);
        usleep(2000);
        tub_extractor_cancel(x);
        double start = now();
        tub_extractor_close(&x);
        assert_true(now() - start < 2);
        close_encoder(encoder);
    }
}

static void test_rejected_at_open(void **state)
{
    (void)state;
    fake_encoder *encoder = fake_encoder_create(&(fake_encoder_params){.frames = 8});
    tub_extractor *x = NULL;
    tub_error err = {0};
    tub_extractor_params params = four_frames(1);
    assert_int_equal(tub_extractor_open_source(&encoder->base, &params, &fake_source, &x, &err), TUB_ERROR_MODEL);
    assert_null(x);
    assert_non_null(strstr(err.text, "4 frames"));
    assert_non_null(strstr(err.text, "of 8"));
    params.sampling.clip_length = 0;
    params.slot_memory = 1000;
    assert_int_equal(tub_extractor_open_source(&encoder->base, &params, &fake_source, &x, &err), TUB_ERROR_MEMORY);
    assert_non_null(strstr(err.text, "slot memory"));
    params.slot_memory = 0;
    params.sampling.stride = -3;
    assert_int_equal(tub_extractor_open_source(&encoder->base, &params, &fake_source, &x, &err), TUB_ERROR_ARGUMENT);
    assert_int_equal(tub_extractor_open_source(NULL, NULL, &fake_source, &x, &err), TUB_ERROR_ARGUMENT);
    assert_null(x);
    // By default the windows are as long as the encoder's clips.
    assert_int_equal(tub_extractor_open_source(&encoder->base, NULL, &fake_source, &x, &err), TUB_OK);
    assert_int_equal(tub_extractor_submit(x, &(tub_job){.path = NULL}, &err), TUB_ERROR_ARGUMENT);
    tub_extractor_close(&x);
    close_encoder(encoder);
}

static void test_values_that_no_member_has(void **state)
{
    (void)state;
    fake_encoder *encoder = fake_encoder_create(&(fake_encoder_params){.frames = 4});
    const tub_extractor_params sound = four_frames(1);
    tub_extractor_params wrong[] = {sound, sound, sound, sound, sound, sound, sound, sound, sound, sound};
    static const char *const says[] = {"tub_extractor_params.size is 3",
                                       "tub_sampling.size is 3",
                                       "decoder is 4",
                                       "decoder is -1",
                                       "resizer is 3",
                                       "without is 0x41: 0x40",
                                       "decode_threads is -1",
                                       "prefetch is -1",
                                       "video_stream is -1",
                                       "videos is -1"};
    wrong[0].size = 3;
    wrong[1].sampling.size = 3;
    wrong[2].decoder = (tub_decoder)4;
    wrong[3].decoder = (tub_decoder)-1;
    wrong[4].resizer = (tub_resizer)3;
    wrong[5].without = 0x41;
    wrong[6].decode_threads = wrong[7].prefetch = wrong[8].video_stream = -1;
    wrong[9].videos = -1;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        tub_extractor *x = NULL;
        tub_error err = {0};
        assert_int_equal(tub_extractor_open_source(&encoder->base, &wrong[i], &fake_source, &x, &err),
                         TUB_ERROR_ARGUMENT);
        assert_null(x);
        assert_non_null(strstr(err.text, says[i]));
    }
    close_encoder(encoder);
}

int main(void)
{
    alarm(120); // a deadlock is a failure
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_failing_videos_fail_alone),
        cmocka_unit_test(test_result_of_a_video),
        cmocka_unit_test(test_broken_timestamps),
        cmocka_unit_test(test_failing_device_ends_it),
        cmocka_unit_test(test_no_jobs),
        cmocka_unit_test(test_one_at_a_time),
        cmocka_unit_test(test_submit_says_again),
        cmocka_unit_test(test_cancel_at_any_moment),
        cmocka_unit_test(test_close_in_the_middle),
        cmocka_unit_test(test_results_outlive_the_extractor),
        cmocka_unit_test(test_cancel_while_workers_wait),
        cmocka_unit_test(test_rejected_at_open),
        cmocka_unit_test(test_values_that_no_member_has),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
