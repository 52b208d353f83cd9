// An extractor without its savings: the same rows, and as much work as if each window were handled by itself.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <unistd.h>

#include "fake_run.h"

enum { EACH_WINDOW = TUB_WITHOUT_CONVERT_ONCE | TUB_WITHOUT_ENCODE_ONCE };

static const char *const videos[] = {"fake:seed=1,frames=40", "fake:seed=2,frames=1", "fake:seed=3,frames=21",
                                     "fake:seed=4,frames=4"};
enum { VIDEOS = sizeof videos / sizeof videos[0] };

static tub_extractor_params without(unsigned without, int stride, int interval)
{
    return (tub_extractor_params){
        .size = sizeof(tub_extractor_params),
        .sampling = {.clip_length = 4, .stride = stride, .interval = interval},
        .decode_threads = 2,
        .without = without,
    };
}

// The number of 4-frame clips in a video of `frames` frames, and of distinct frames in them.
static int count_clips(int frames, int stride, int interval)
{
    int span = 3 * interval + 1;
    return frames < span ? 1 : (frames - span) / stride + 1;
}

static void test_rows_stay(void **state)
{
    (void)state;
    const int grids[][2] = {{1, 1}, {3, 1}, {4, 1}, {7, 1}, {3, 2}, {5, 3}};
    for (int per_frame = 0; per_frame < 2; per_frame++)
        for (unsigned flags = 0; flags < 32; flags += 2) // every combination of flags that needs no file
            for (int g = 0; g < 6; g++) {
                fake_encoder_params encoder = {.per_frame = per_frame};
                tub_extractor_params params = without(flags, grids[g][0], grids[g][1]);
                fake_check(&encoder, &params, videos, VIDEOS);
            }
}

static void run(fake_encoder *encoder, const tub_extractor_params *params, const char *const *paths, int count)
{
    fake_outcome outcomes[VIDEOS];
    fake_counts_reset();
    assert_int_equal(fake_run_all(encoder, params, paths, count, outcomes, NULL, NULL), TUB_END);
    fake_outcomes_free(outcomes, count);
}

static void test_each_window_converts_its_frames(void **state)
{
    (void)state;
    const int grids[][2] = {{1, 1}, {3, 1}, {4, 1}, {9, 1}, {2, 2}};
    for (int g = 0; g < 5; g++) {
        int stride = grids[g][0], interval = grids[g][1];
        fake_encoder *encoder = fake_encoder_create(&(fake_encoder_params){0});
        tub_extractor_params params = without(TUB_WITHOUT_CONVERT_ONCE, stride, interval);
        run(encoder, &params, videos, 1);
        int span = 3 * interval + 1, clips = count_clips(40, stride, interval);
        // Frames after the last window may be converted once in vain: that no window needs them is known too late.
        int most = 4 * clips + 40 - ((clips - 1) * stride + span);
        assert_in_range(atomic_load(&fake_counts.converted), 4 * clips, most);
        assert_int_equal(atomic_load(&fake_counts.decoded), 40);
        assert_int_equal(encoder->items, clips);
        tub_encoder_close(&(tub_encoder *){&encoder->base});
    }
}

static void test_each_window_encodes_its_frames(void **state)
{
    (void)state;
    fake_encoder *encoder = fake_encoder_create(&(fake_encoder_params){.per_frame = true});
    tub_extractor_params params = without(TUB_WITHOUT_ENCODE_ONCE, 3, 1);
    run(encoder, &params, videos, 1);
    assert_int_equal(count_clips(40, 3, 1), 13);
    assert_int_equal(encoder->items, 4 * 13);
    params.without = 0;
    encoder->items = 0;
    run(encoder, &params, videos, 1);
    assert_int_equal(encoder->items, 40);
    tub_encoder_close(&(tub_encoder *){&encoder->base});
}

static void test_batches_end_with_their_video(void **state)
{
    (void)state;
    const char *const tiny[] = {"fake:seed=1,frames=8", "fake:seed=2,frames=8", "fake:seed=3,frames=8"};
    fake_encoder *encoder = fake_encoder_create(&(fake_encoder_params){.batch = 4, .delay = 1000});
    tub_extractor_params params = without(TUB_WITHOUT_MIXING, 4, 1);
    run(encoder, &params, tiny, 3); // 2 clips each
    assert_int_equal(encoder->runs, 3);
    assert_int_equal(atomic_load(&fake_counts.most_open), 1);
    tub_encoder_close(&(tub_encoder *){&encoder->base});
}

static void test_nothing_is_decoded_meanwhile(void **state)
{
    (void)state;
    const char *video = "fake:seed=1,frames=60,delay=300";
    fake_outcome outcome;
    tub_progress progress;
    fake_encoder *encoder = fake_encoder_create(&(fake_encoder_params){.batch = 4, .delay = 5000});
    tub_extractor_params params = without(TUB_WITHOUT_OVERLAP, 4, 1);
    assert_int_equal(fake_run_all(encoder, &params, &video, 1, &outcome, &progress, NULL), TUB_END);
    // The device waits for all 60 frames of 0.3 ms; otherwise all but the first few are decoded during the 4 runs of 5
    // ms.
    assert_true(progress.device_wait_seconds >= 0.018);
    fake_outcomes_free(&outcome, 1);
    tub_encoder_close(&(tub_encoder *){&encoder->base});
}

static void test_frames_of_no_use_are_left_out(void **state)
{
    (void)state;
    const struct {
        int stride, interval;
        double fps;
        bool some;
    } cases[] = {{4, 1, 0, false}, {9, 1, 0, true},  {4, 4, 0, true},
                 {3, 2, 0, false}, {4, 1, 12, true}, {2, 1, 60, false}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (int align = 0; align <= TUB_ALIGN_BACKPAD; align++)
            for (int per_frame = 0; per_frame < 2; per_frame++) {
                fake_encoder_params encoder = {.per_frame = per_frame};
                tub_extractor_params params = without(0, cases[i].stride, cases[i].interval);
                params.sampling.fps = cases[i].fps;
                params.sampling.align = (tub_align)align;
                fake_counts_reset();
                fake_check(&encoder, &params, videos, VIDEOS);
                if (align == TUB_ALIGN_VALID)
                    assert_int_equal(atomic_load(&fake_counts.left_out) > 0, cases[i].some);
                params.without = TUB_WITHOUT_LEAVING_OUT;
                fake_counts_reset();
                fake_check(&encoder, &params, videos, VIDEOS);
                assert_int_equal(atomic_load(&fake_counts.left_out), 0);
            }
}

static void test_what_is_left_out_is_counted(void **state)
{
    (void)state;
    fake_outcome outcomes[VIDEOS];
    tub_progress progress;
    fake_encoder *encoder = fake_encoder_create(&(fake_encoder_params){0});
    tub_extractor_params params = without(0, 9, 1);
    fake_counts_reset();
    assert_int_equal(fake_run_all(encoder, &params, videos, VIDEOS, outcomes, &progress, NULL), TUB_END);
    assert_true(progress.frames_left_out > 0);
    assert_int_equal(progress.frames_left_out, atomic_load(&fake_counts.left_out));
    assert_int_equal(progress.frames_decoded, atomic_load(&fake_counts.decoded));
    fake_outcomes_free(outcomes, VIDEOS);
    tub_encoder_close(&(tub_encoder *){&encoder->base});
}

static void test_what_cannot_be_repeated_is_refused(void **state)
{
    (void)state;
    tub_error err;
    fake_encoder *encoder = fake_encoder_create(&(fake_encoder_params){0});
    tub_extractor_params params = without(EACH_WINDOW, 4, 1);
    params.sampling.fps = 10;
    tub_extractor *x = NULL;
    assert_int_equal(tub_extractor_open_source(&encoder->base, &params, &fake_source, &x, &err), TUB_ERROR_ARGUMENT);
    params.sampling.fps = 0;
    params.sampling.align = TUB_ALIGN_CENTER;
    assert_int_equal(tub_extractor_open_source(&encoder->base, &params, &fake_source, &x, &err), TUB_ERROR_ARGUMENT);
    assert_null(x);
    tub_encoder_close(&(tub_encoder *){&encoder->base});
}

int main(void)
{
    alarm(120); // a deadlock is a failure
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows_stay),
        cmocka_unit_test(test_each_window_converts_its_frames),
        cmocka_unit_test(test_each_window_encodes_its_frames),
        cmocka_unit_test(test_batches_end_with_their_video),
        cmocka_unit_test(test_frames_of_no_use_are_left_out),
        cmocka_unit_test(test_what_is_left_out_is_counted),
        cmocka_unit_test(test_nothing_is_decoded_meanwhile),
        cmocka_unit_test(test_what_cannot_be_repeated_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
