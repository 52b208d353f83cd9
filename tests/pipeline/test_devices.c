// Several devices behind one extractor: the same rows in the same order, work goes to whichever is free, and what
// happens to a device's work when it fails.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fake_run.h"

enum { VIDEOS = 12, MANY = 18, CLIPS = 37 };

static char texts[VIDEOS][64];
static const char *paths[VIDEOS];

static int name_videos(void **state)
{
    (void)state;
    for (int i = 0; i < VIDEOS; i++) {
        snprintf(texts[i], sizeof texts[i], "fake:seed=%d,frames=%d", i + 1, CLIPS + 3 + 5 * (i % 3));
        paths[i] = texts[i];
    }
    return 0;
}

typedef struct notes {
    int warnings;
    char last[TUB_ERROR_TEXT];
} notes;

static void note(void *user, int level, const char *text)
{
    notes *n = user;
    n->warnings += level == 0;
    snprintf(n->last, sizeof n->last, "%s", text);
}

static tub_extractor_params four_frames(notes *n)
{
    tub_extractor_params params = {.size = sizeof params, .decode_threads = 3, .log = {note, n}};
    params.sampling.clip_length = 4;
    params.sampling.stride = 1;
    return params;
}

// Runs all videos; those of `lost` (a bit per video) must fail, all others must be right.
static fake_encoder *run(const fake_encoder_params *p, notes *n, tub_status *status, fake_outcome *outcomes,
                         tub_error *err)
{
    const tub_extractor_params params = four_frames(n);
    fake_encoder *encoder = fake_encoder_create(p);
    *status = fake_run_all(encoder, &params, paths, VIDEOS, outcomes, NULL, err);
    return encoder;
}

static void close_encoder(fake_encoder *encoder)
{
    tub_encoder *base = &encoder->base;
    tub_encoder_close(&base);
}

static int check_all(const fake_encoder_params *p, notes *n, int lane_runs[FAKE_LANES])
{
    fake_outcome outcomes[VIDEOS];
    tub_error err = {0};
    tub_status status;
    int failed = 0;
    fake_encoder *encoder = run(p, n, &status, outcomes, &err);
    if (status != TUB_END)
        fail_msg("%s", err.text);
    tub_sampling s = four_frames(n).sampling;
    s.size = sizeof s;
    assert_int_equal(tub_sampling_resolve(&s, 0, &s, &err), TUB_OK);
    for (int i = 0; i < VIDEOS; i++) {
        assert_true(outcomes[i].done);
        if (outcomes[i].result.status == TUB_OK)
            fake_check_outcome(encoder, &s, paths[i], &outcomes[i]);
        else
            failed++;
    }
    for (int i = 0; i < FAKE_LANES && lane_runs; i++)
        lane_runs[i] = encoder->lane_runs[i];
    fake_outcomes_free(outcomes, VIDEOS);
    close_encoder(encoder);
    return failed;
}

static void any_number_gives_the_same(void **state)
{
    (void)state;
    for (int lanes = 1; lanes <= FAKE_LANES; lanes++)
        for (int per_frame = 0; per_frame < 2; per_frame++) {
            const fake_encoder_params p = {.lanes = lanes, .per_frame = per_frame, .delay = 200, .batch = 3};
            notes n = {0};
            assert_int_equal(check_all(&p, &n, NULL), 0);
            assert_int_equal(n.warnings, 0);
        }
}

// Work goes to whichever device is free: none is delayed by another's run, nor by the order of the results.
static void a_slow_one_holds_up_no_other(void **state)
{
    (void)state;
    const fake_encoder_params p = {.lanes = 2, .batch = 4, .lane_waits = {6}};
    notes n = {0};
    fake_outcome outcomes[VIDEOS];
    tub_error err = {0};
    tub_status status;
    fake_encoder *encoder = run(&p, &n, &status, outcomes, &err);
    assert_int_equal(status, TUB_END);
    assert_true(encoder->lane_runs[0] > 0 && encoder->lane_runs[1] >= 6);
    assert_int_equal(encoder->in_vain, 0);
    fake_outcomes_free(outcomes, VIDEOS);
    close_encoder(encoder);
}

// Whenever it fails, the others take over its videos.
static void one_that_fails_hands_its_work_back(void **state)
{
    (void)state;
    for (int at = 1; at <= 12; at++)
        for (int lane = 0; lane < 2; lane++) {
            fake_encoder_params p = {.lanes = 2, .batch = 4, .delay = 100, .gpus = {5, 3}};
            notes n = {0};
            int runs[FAKE_LANES];
            p.lane_fail[lane] = at;
            assert_int_equal(check_all(&p, &n, runs), 0);
            assert_int_equal(runs[lane] >= at, n.warnings);
            if (n.warnings) {
                assert_non_null(strstr(n.last, "is out of order"));
                assert_non_null(strstr(n.last, lane ? "GPU 3, one of 2, failed" : "GPU 5, one of 2, failed"));
            }
        }
}

static void the_last_one_ends_the_run(void **state)
{
    (void)state;
    const fake_encoder_params p = {.lanes = 3, .batch = 4, .delay = 100, .lane_fail = {2, 3, 4}};
    fake_outcome outcomes[VIDEOS];
    tub_error err = {0};
    tub_status status;
    notes n = {0};
    fake_encoder *encoder = run(&p, &n, &status, outcomes, &err);
    assert_int_equal(status, TUB_ERROR_DEVICE);
    assert_non_null(strstr(err.text, "is out of order"));
    assert_int_equal(n.warnings, 2);
    fake_outcomes_free(outcomes, VIDEOS);
    close_encoder(encoder);
}

// Work on which two devices failed is given up; the run goes on with the third.
static void work_that_fails_twice_is_given_up(void **state)
{
    (void)state;
    const fake_encoder_params p = {.lanes = 3, .batch = 4, .delay = 100, .poison = 1 + 5};
    fake_outcome outcomes[VIDEOS];
    tub_error err = {0};
    tub_status status;
    notes n = {0};
    fake_encoder *encoder = run(&p, &n, &status, outcomes, &err);
    // The video has several batches, and the third device fails on the next one.
    assert_int_equal(status, TUB_ERROR_DEVICE);
    assert_int_equal(n.warnings, 2);
    fake_outcomes_free(outcomes, VIDEOS);
    close_encoder(encoder);
}

static void a_single_poisonous_batch_costs_its_videos(void **state)
{
    (void)state;
    // One video with one batch, behind the others.
    static const char *const few[] = {"fake:seed=20,frames=40", "fake:seed=21,frames=4", "fake:seed=22,frames=40"};
    const fake_encoder_params p = {.lanes = 3, .batch = 1, .delay = 100, .poison = 1 + 21};
    notes n = {0};
    const tub_extractor_params params = four_frames(&n);
    fake_outcome outcomes[3];
    tub_error err = {0};
    fake_encoder *encoder = fake_encoder_create(&p);
    assert_int_equal(fake_run_all(encoder, &params, few, 3, outcomes, NULL, &err), TUB_END);
    assert_int_equal(outcomes[0].result.status, TUB_OK);
    assert_int_equal(outcomes[1].result.status, TUB_ERROR_DEVICE);
    assert_non_null(strstr(outcomes[1].result.text, "two devices failed on it"));
    assert_int_equal(outcomes[2].result.status, TUB_OK);
    assert_int_equal(n.warnings, 2);
    fake_outcomes_free(outcomes, 3);
    close_encoder(encoder);
}

// A device gets its next load before the current one is done, unless nothing may overlap.
static void runs_overlap_where_they_can(void **state)
{
    (void)state;
    for (int without = 0; without < 2; without++) {
        const fake_encoder_params p = {.overlaps = true, .batch = 4, .delay = 10000};
        notes n = {0};
        tub_extractor_params params = four_frames(&n);
        fake_outcome outcomes[VIDEOS];
        tub_error err = {0};
        params.without = without ? TUB_WITHOUT_OVERLAP : 0;
        fake_encoder *encoder = fake_encoder_create(&p);
        assert_int_equal(fake_run_all(encoder, &params, paths, VIDEOS, outcomes, NULL, &err), TUB_END);
        assert_int_equal(encoder->ahead > encoder->runs / 10, !without);
        assert_int_equal(encoder->begun_count[0], 0);
        fake_outcomes_free(outcomes, VIDEOS);
        close_encoder(encoder);
    }
}

static void the_slots_are_pinned_while_it_runs(void **state)
{
    (void)state;
    for (int refused = 0; refused < 2; refused++) {
        const fake_encoder_params p = {.lanes = 2, .no_pinning = refused};
        fake_outcome outcomes[VIDEOS];
        tub_error err = {0};
        tub_status status;
        notes n = {0};
        fake_encoder *encoder = run(&p, &n, &status, outcomes, &err);
        assert_int_equal(status, TUB_END);
        assert_int_equal(encoder->pins, 1);
        assert_int_equal(encoder->unpins, !refused);
        assert_int_equal(refused, strstr(n.last, "pins nothing") != NULL);
        fake_outcomes_free(outcomes, VIDEOS);
        close_encoder(encoder);
    }
}

// ---- decoding on the devices ----

static void decode_by(int threads, tub_decoder decoder, const fake_encoder_params *p, const char *const *videos,
                      int count, notes *n)
{
    fake_outcome outcomes[MANY];
    tub_error err = {0};
    tub_extractor_params params = four_frames(n);
    params.decoder = decoder;
    params.decode_threads = threads;
    fake_encoder *encoder = fake_encoder_create(p);
    fake_counts_reset();
    assert_int_equal(fake_run_all(encoder, &params, videos, count, outcomes, NULL, &err), TUB_END);
    fake_outcomes_free(outcomes, count);
    close_encoder(encoder);
}

static void decode_with(tub_decoder decoder, const fake_encoder_params *p, const char *const *videos, int count,
                        notes *n)
{
    decode_by(3, decoder, p, videos, count, n);
}

static void they_decode_in_turn(void **state)
{
    (void)state;
    const fake_encoder_params gpus = {.lanes = 3, .gpus = {0, 2, 5}}, none = {0};
    notes n = {0};
    decode_with(TUB_DECODER_NVDEC, &gpus, paths, VIDEOS, &n);
    for (int i = 0; i < FAKE_GPUS; i++)
        assert_int_equal(fake_counts.decoders[i], i == 1 || i == 3 || i == 6 ? VIDEOS / 3 : 0);
    decode_with(TUB_DECODER_NVDEC, &none, paths, VIDEOS, &n);
    assert_int_equal(fake_counts.decoders[1], VIDEOS);
    // With BOTH, and fewer threads than keep a GPU's decoders busy, the GPU decodes all videos.
    decode_with(TUB_DECODER_BOTH, &none, paths, VIDEOS, &n);
    assert_int_equal(fake_counts.decoders[1], VIDEOS);
    decode_with(TUB_DECODER_AUTO, &gpus, paths, VIDEOS, &n);
    assert_int_equal(fake_counts.decoders[0], VIDEOS);
    decode_with(TUB_DECODER_CPU, &gpus, paths, VIDEOS, &n);
    assert_int_equal(fake_counts.decoders[0], VIDEOS);
    assert_int_equal(n.warnings, 0);
}

// All videos are open at once: eight are decoded on the GPU, the others on the processor.
static void what_is_too_much_for_them_is_the_processors(void **state)
{
    (void)state;
    const fake_encoder_params gpu = {.lanes = 1, .gpus = {4}};
    char names[VIDEOS][64];
    const char *slow[VIDEOS];
    notes n = {0};
    for (int i = 0; i < VIDEOS; i++) {
        snprintf(names[i], sizeof names[i], "fake:seed=%d,frames=9,begun=%d", i + 1, VIDEOS);
        slow[i] = names[i];
    }
    decode_by(VIDEOS, TUB_DECODER_BOTH, &gpu, slow, VIDEOS, &n);
    assert_int_equal(fake_counts.decoders[5], 8);
    assert_int_equal(fake_counts.decoders[0], VIDEOS - 8);
    decode_by(VIDEOS, TUB_DECODER_NVDEC, &gpu, slow, VIDEOS, &n);
    assert_int_equal(fake_counts.decoders[5], VIDEOS);
}

// Eight videos that a GPU refuses are open all the time. One thread decodes the others, which all find a place on the
// GPU, except perhaps the first: it may have come before the eight were refused.
static void what_they_refuse_has_no_place_there(void **state)
{
    (void)state;
    const fake_encoder_params gpu = {.lanes = 1, .gpus = {4}};
    char names[MANY][64];
    const char *mixed[MANY];
    notes n = {0};
    for (int i = 0; i < MANY; i++) {
        const bool refused = i < 8;
        snprintf(names[i], sizeof names[i], "fake:seed=%d,frames=9,delay=%d,why=%d", i + 1, refused ? 100000 : 0,
                 refused);
        mixed[i] = names[i];
    }
    decode_by(9, TUB_DECODER_BOTH, &gpu, mixed, MANY, &n);
    assert_true(fake_counts.decoders[5] >= MANY - 1);
    assert_int_equal(n.warnings, 1);
}

// Two GPUs get sixteen videos, the processor gets the next, which takes no turn; when the first ends, one more has
// room.
static void the_processors_videos_are_no_turns(void **state)
{
    (void)state;
    const fake_encoder_params gpus = {.lanes = 2, .gpus = {0, 4}};
    char names[MANY][64];
    const char *slow[MANY];
    notes n = {0};
    for (int i = 0; i < MANY; i++) {
        snprintf(names[i], sizeof names[i], "fake:seed=%d,frames=9,begun=%d", i + 1, i == 0 ? MANY - 1 : MANY);
        slow[i] = names[i];
    }
    decode_by(MANY - 1, TUB_DECODER_BOTH, &gpus, slow, MANY, &n);
    assert_int_equal(fake_counts.decoders[1], 9);
    assert_int_equal(fake_counts.decoders[5], 8);
    assert_int_equal(fake_counts.decoders[0], 1);
}

static void why_they_do_not_is_said_once(void **state)
{
    (void)state;
    static const char *const mixed[] = {"fake:seed=1,frames=9,why=1", "fake:seed=2,frames=9",
                                        "fake:seed=3,frames=9,why=2", "fake:seed=4,frames=9,why=1",
                                        "fake:seed=5,frames=9,why=2", "fake:seed=6,frames=9"};
    const fake_encoder_params p = {.lanes = 2, .gpus = {0, 1}};
    notes n = {0};
    decode_with(TUB_DECODER_CPU, &p, mixed, 6, &n);
    assert_int_equal(n.warnings, 0);
    decode_with(TUB_DECODER_NVDEC, &p, mixed, 6, &n);
    assert_int_equal(n.warnings, 2);
    assert_non_null(strstr(n.last, "decoded on the processor"));
    // Every video has its own reason: at some point there are no more messages.
    char names[VIDEOS][64];
    const char *many[VIDEOS];
    for (int i = 0; i < VIDEOS; i++) {
        snprintf(names[i], sizeof names[i], "fake:seed=%d,frames=9,why=%d", i + 1, i + 1);
        many[i] = names[i];
    }
    n = (notes){0};
    decode_with(TUB_DECODER_NVDEC, &p, many, VIDEOS, &n);
    assert_int_equal(n.warnings, 8);
}

// They are also counted during decoding: a measurement ends before long videos do.
static void what_they_decode_is_counted(void **state)
{
    (void)state;
    static const char *const mixed[] = {"fake:seed=1,frames=9,why=1", "fake:seed=2,frames=9", "fake:seed=3,frames=9"};
    static const tub_decoder decoders[] = {TUB_DECODER_CPU, TUB_DECODER_NVDEC, TUB_DECODER_BOTH};
    static const int counts[] = {0, 2, 2};
    const fake_encoder_params p = {.lanes = 1};
    for (int i = 0; i < 3; i++) {
        fake_outcome outcomes[3];
        tub_progress progress;
        tub_error err = {0};
        notes n = {0};
        tub_extractor_params params = four_frames(&n);
        params.decoder = decoders[i];
        fake_encoder *encoder = fake_encoder_create(&p);
        assert_int_equal(fake_run_all(encoder, &params, mixed, 3, outcomes, &progress, &err), TUB_END);
        assert_int_equal(progress.videos_by_gpu, counts[i]);
        fake_outcomes_free(outcomes, 3);
        close_encoder(encoder);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_number_gives_the_same),
        cmocka_unit_test(what_they_decode_is_counted),
        cmocka_unit_test(a_slow_one_holds_up_no_other),
        cmocka_unit_test(runs_overlap_where_they_can),
        cmocka_unit_test(the_slots_are_pinned_while_it_runs),
        cmocka_unit_test(one_that_fails_hands_its_work_back),
        cmocka_unit_test(the_last_one_ends_the_run),
        cmocka_unit_test(work_that_fails_twice_is_given_up),
        cmocka_unit_test(a_single_poisonous_batch_costs_its_videos),
        cmocka_unit_test(they_decode_in_turn),
        cmocka_unit_test(what_is_too_much_for_them_is_the_processors),
        cmocka_unit_test(what_they_refuse_has_no_place_there),
        cmocka_unit_test(the_processors_videos_are_no_turns),
        cmocka_unit_test(why_they_do_not_is_said_once),
    };
    return cmocka_run_group_tests(tests, name_videos, NULL);
}
