// What an extractor returns: rows equal to a direct computation, whatever the windows, batches, threads and slots.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "fake_run.h"
#include "slot_pool.h"
#include "windower.h"

static const char *const mixed[] = {
    "fake:seed=1,frames=40",  "fake:seed=2,frames=1",  "fake:seed=3,frames=3",           "fake:seed=4,frames=4",
    "fake:seed=5,frames=97",  "fake:seed=6,frames=13", "fake:seed=7,frames=61,jitter=1", "fake:seed=8,frames=2",
    "fake:seed=9,frames=150", "fake:seed=10,frames=5", "fake:seed=11,frames=7,fps=25",   "fake:seed=12,frames=20",
};
enum { MIXED = sizeof mixed / sizeof mixed[0] };

static const tub_sampling samplings[] = {
    {.stride = 4},
    {.stride = 1},
    {.stride = 3},
    {.stride = 7},
    {.stride = 3, .interval = 2},
    {.stride = 5, .interval = 3},
    {.stride = 4, .align = TUB_ALIGN_CENTER},
    {.stride = 1, .align = TUB_ALIGN_CENTER},
    {.stride = 9, .interval = 2, .align = TUB_ALIGN_CENTER},
    {.stride = 4, .align = TUB_ALIGN_BACKPAD},
    {.stride = 7, .interval = 2, .align = TUB_ALIGN_BACKPAD},
    {.stride = 4, .fps = 7.3},
    {.stride = 3, .fps = 71.9},
    {.stride = 2, .fps = 23.7, .interval = 2, .align = TUB_ALIGN_CENTER},
    {.stride = 11, .fps = 11.3, .align = TUB_ALIGN_CENTER},
    {.stride = 5, .fps = 13.1, .align = TUB_ALIGN_BACKPAD},
    {.stride = 9, .fps = 40.3, .interval = 3},
};
enum { SAMPLINGS = sizeof samplings / sizeof samplings[0] };

static tub_extractor_params with(int sampling, int threads)
{
    tub_extractor_params params = {.size = sizeof params, .sampling = samplings[sampling], .decode_threads = threads};
    params.sampling.clip_length = 4;
    return params;
}

static void check_samplings(bool per_frame)
{
    for (int i = 0; i < SAMPLINGS; i++) {
        fake_encoder_params encoder = {.per_frame = per_frame};
        tub_extractor_params params = with(i, 2);
        fake_check(&encoder, &params, mixed, MIXED);
    }
}

static void test_clip_models(void **state)
{
    (void)state;
    check_samplings(false);
}

static void test_frame_models(void **state)
{
    (void)state;
    check_samplings(true);
}

static void test_batches_and_threads(void **state)
{
    (void)state;
    const int batches[] = {1, 7, 16}, threads[] = {1, 2, 4}, some[] = {0, 5, 8, 10, 13};
    for (int b = 0; b < 3; b++)
        for (int t = 0; t < 3; t++)
            for (int i = 0; i < 5; i++) {
                fake_encoder_params encoder = {.batch = batches[b], .per_frame = i & 1, .eager = (b + t) & 1};
                tub_extractor_params params = with(some[i], threads[t]);
                params.prefetch = 1 + t;
                fake_check(&encoder, &params, mixed, MIXED);
            }
}

// With the minimum number of slots for a number of workers: batches are sealed early, workers wait, and nothing
// deadlocks.
static void check_at_the_bound(int sampling, int workers, int batch, bool per_frame)
{
    fake_encoder_params encoder = {.batch = batch, .per_frame = per_frame};
    tub_extractor_params params = with(sampling, workers);
    tub_sampling s = params.sampling, resolved;
    s.size = sizeof s;
    assert_int_equal(tub_sampling_resolve(&s, 0, &resolved, NULL), TUB_OK);
    int pinned = (int)(per_frame ? 1 : tub_windower_most_held(&resolved)) + (s.fps > 0 ? 2 : 0);
    params.slot_memory = (size_t)tub_slots_least(workers, pinned) * 128; // 72 bytes per frame, rounded up
    fake_check(&encoder, &params, mixed, MIXED);
}

static void test_least_slots(void **state)
{
    (void)state;
    for (int i = 0; i < SAMPLINGS; i++)
        for (int workers = 1; workers <= 3; workers += 2) {
            check_at_the_bound(i, workers, 16, false);
            check_at_the_bound(i, workers, 16, true);
        }
}

static void test_one_window_videos_at_the_bound(void **state)
{
    (void)state;
    const char *paths[60];
    char text[60][48];
    for (int i = 0; i < 60; i++) {
        snprintf(text[i], sizeof text[i], "fake:seed=%d,frames=4", 100 + i);
        paths[i] = text[i];
    }
    for (int workers = 1; workers <= 4; workers++) {
        fake_encoder_params encoder = {.batch = 8, .delay = 100};
        tub_extractor_params params = with(0, workers);
        params.slot_memory = (size_t)tub_slots_least(workers, 4) * 128;
        fake_check(&encoder, &params, paths, 60);
    }
}

// A slow device: slots run out and workers wait, and batches are still full if there are enough slots.
static void test_enough_slots_fill_batches(void **state)
{
    (void)state;
    fake_encoder *encoder = fake_encoder_create(&(fake_encoder_params){.batch = 4, .delay = 300});
    tub_extractor_params params = with(0, 2);
    const char *paths[] = {"fake:seed=1,frames=400", "fake:seed=2,frames=400"};
    fake_outcome outcomes[2];
    tub_progress progress;
    assert_int_equal(fake_run_all(encoder, &params, paths, 2, outcomes, &progress, NULL), TUB_END);
    assert_int_equal(encoder->items, 200);
    assert_in_range(encoder->runs, 50, 53);
    assert_int_equal(progress.frames_decoded, 800);
    assert_int_equal(progress.rows_done, 200);
    assert_int_equal(progress.decode_threads, 2);
    assert_int_equal(progress.slots_free, progress.slots);
    assert_true(progress.decode_seconds > 0.79 && progress.decode_seconds < 0.81);
    assert_true(progress.forward_seconds > 0.01);
    fake_outcomes_free(outcomes, 2);
    tub_encoder *base = &encoder->base;
    tub_encoder_close(&base);
}

static void run_counting(bool per_frame, const tub_sampling *sampling, const char *path, int *items)
{
    fake_encoder *encoder = fake_encoder_create(&(fake_encoder_params){.per_frame = per_frame});
    tub_extractor_params params = {.size = sizeof params, .sampling = *sampling, .decode_threads = 1};
    params.sampling.clip_length = 4;
    fake_outcome outcome;
    fake_counts_reset();
    assert_int_equal(fake_run_all(encoder, &params, &path, 1, &outcome, NULL, NULL), TUB_END);
    *items = encoder->items;
    fake_outcomes_free(&outcome, 1);
    tub_encoder *base = &encoder->base;
    tub_encoder_close(&base);
}

static void test_frames_are_converted_once_and_only_if_wanted(void **state)
{
    (void)state;
    int items = 0;
    run_counting(false, &(tub_sampling){.stride = 1}, "fake:frames=30", &items);
    assert_int_equal(items, 27);
    assert_int_equal(atomic_load(&fake_counts.converted), 30);
    assert_int_equal(atomic_load(&fake_counts.repeated), 0);
    run_counting(false, &(tub_sampling){.stride = 10}, "fake:frames=30", &items);
    assert_int_equal(items, 3);
    assert_int_equal(atomic_load(&fake_counts.decoded), 30);
    assert_int_equal(atomic_load(&fake_counts.converted), 12);
    run_counting(true, &(tub_sampling){.stride = 10}, "fake:frames=30", &items);
    assert_int_equal(items, 12);
    run_counting(true, &(tub_sampling){.stride = 1}, "fake:frames=30", &items);
    assert_int_equal(items, 30);
    // Twice as many output frames: each source frame is still one item.
    run_counting(true, &(tub_sampling){.stride = 1, .fps = 60.1}, "fake:frames=30,fps=30", &items);
    assert_int_equal(items, 30);
    assert_int_equal(atomic_load(&fake_counts.repeated), 0);
    // The last frame is converted although it wasn't wanted: center windows repeat it.
    run_counting(false, &(tub_sampling){.stride = 9, .align = TUB_ALIGN_CENTER}, "fake:frames=8", &items);
    assert_int_equal(items, 1);
    assert_int_equal(atomic_load(&fake_counts.repeated), 0);
}

static void test_rows_do_not_depend_on_the_neighbours(void **state)
{
    (void)state;
    char text[200][64];
    const char *paths[200];
    for (int i = 0; i < 200; i++) {
        snprintf(text[i], sizeof text[i], "fake:seed=%d,frames=1", 500 + i);
        paths[i] = text[i];
    }
    fake_encoder_params encoder = {.batch = 16};
    tub_extractor_params params = with(0, 4);
    fake_check(&encoder, &params, paths, 200);
    encoder.per_frame = true;
    fake_check(&encoder, &params, paths, 200);
}

static void test_chunks_of_rows(void **state)
{
    (void)state;
    const char *path = "fake:seed=4,frames=300";
    fake_encoder_params encoder = {.dim = 20000}; // 80 KB per row: 3 per chunk
    tub_extractor_params params = with(0, 1);
    fake_check(&encoder, &params, &path, 1);
    encoder.dim = 100000; // more than a chunk
    fake_check(&encoder, &params, &path, 1);
}

// If fewer videos are left than decoding threads, these share the threads.
static void test_last_videos_are_decoded_with_several_threads(void **state)
{
    (void)state;
    static const struct {
        int workers;
        int64_t videos;
        unsigned without;
        int threads;
    } cases[] = {{1, 1, 0, 1},  {4, 1, 0, 4},  {5, 2, 0, 2},
                 {4, 4, 0, 1},  {4, 9, 0, 1},  {4, 0, 0, 1},
                 {64, 1, 0, 8}, {64, 3, 0, 8}, {4, 1, TUB_WITHOUT_OVERLAP, 1}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[64];
        const char *path = text;
        snprintf(text, sizeof text, "fake:seed=4,frames=30,threads=%d", cases[i].threads);
        tub_extractor_params params = with(0, cases[i].workers);
        params.videos = cases[i].videos;
        params.without = cases[i].without;
        fake_check(&(fake_encoder_params){0}, &params, &path, 1);
    }
    // More videos come than were announced: the third is opened when one of the others has been read.
    const char *paths[] = {"fake:seed=1,frames=40", "fake:seed=2,frames=30", "fake:seed=3,frames=50,threads=1"};
    tub_extractor_params params = with(0, 2);
    params.videos = 1;
    fake_check(&(fake_encoder_params){0}, &params, paths, 3);
}

int main(void)
{
    alarm(120); // a deadlock is a failure
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_clip_models),
        cmocka_unit_test(test_frame_models),
        cmocka_unit_test(test_batches_and_threads),
        cmocka_unit_test(test_least_slots),
        cmocka_unit_test(test_one_window_videos_at_the_bound),
        cmocka_unit_test(test_enough_slots_fill_batches),
        cmocka_unit_test(test_frames_are_converted_once_and_only_if_wanted),
        cmocka_unit_test(test_rows_do_not_depend_on_the_neighbours),
        cmocka_unit_test(test_chunks_of_rows),
        cmocka_unit_test(test_last_videos_are_decoded_with_several_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
