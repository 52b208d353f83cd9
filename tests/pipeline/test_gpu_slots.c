// Frames that devices make themselves: the same rows, each frame is made once and used on the device that made it, and
// what happens if a device can't make one.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fake_run.h"

enum { VIDEOS = 9 };

static char texts[VIDEOS][64];
static const char *paths[VIDEOS];
static int frames; // in all videos

// Every third one isn't decoded on a GPU.
static int name_videos(void **state)
{
    (void)state;
    for (int i = 0; i < VIDEOS; i++) {
        const int count = 30 + 7 * (i % 4);
        snprintf(texts[i], sizeof texts[i], "fake:seed=%d,frames=%d%s", i + 1, count, i % 3 == 2 ? ",why=1" : "");
        paths[i] = texts[i];
        frames += count;
    }
    return 0;
}

typedef struct notes {
    int warnings;
    char last[TUB_ERROR_TEXT], all[4096];
} notes;

static void note(void *user, int level, const char *text)
{
    notes *n = user;
    n->warnings += level == 0 && !strstr(text, "decoded on the processor");
    snprintf(n->last, sizeof n->last, "%s", text);
    strncat(n->all, text, sizeof n->all - strlen(n->all) - 1);
}

typedef struct outcome {
    int made, copied, own, converted;
    int runs[FAKE_LANES]; // by device
} outcome;

static tub_extractor_params all_windows(notes *n, tub_resizer resizer)
{
    tub_extractor_params params = {
        .size = sizeof params, .decode_threads = 3, .log = {note, n}, .decoder = TUB_DECODER_NVDEC, .resizer = resizer};
    params.sampling.clip_length = 4;
    params.sampling.stride = 1;
    return params;
}

// Every row must be right.
static outcome run(const fake_encoder_params *p, const tub_extractor_params *params)
{
    fake_outcome outcomes[VIDEOS];
    tub_error err = {0};
    fake_encoder *encoder = fake_encoder_create(p);
    tub_encoder *base = &encoder->base;
    outcome o = {0};
    fake_counts_reset();
    if (fake_run_all(encoder, params, paths, VIDEOS, outcomes, NULL, &err) != TUB_END)
        fail_msg("%s", err.text);
    tub_sampling s = params->sampling;
    s.size = sizeof s;
    assert_int_equal(tub_sampling_resolve(&s, 0, &s, &err), TUB_OK);
    for (int i = 0; i < VIDEOS; i++)
        fake_check_outcome(encoder, &s, paths[i], &outcomes[i]);
    for (int i = 0; i < FAKE_LANES; i++) {
        o.made += encoder->made[i];
        o.runs[i] = encoder->lane_runs[i];
        assert_null(encoder->held[i]);
    }
    o.copied = encoder->copied;
    o.own = encoder->own;
    o.converted = fake_counts.converted;
    fake_outcomes_free(outcomes, VIDEOS);
    tub_encoder_close(&base);
    return o;
}

static void one_keeps_them(void **state)
{
    (void)state;
    for (int per_frame = 0; per_frame < 2; per_frame++) {
        const fake_encoder_params p = {.makes_frames = true, .per_frame = per_frame};
        notes n = {0};
        const tub_extractor_params automatic = all_windows(&n, TUB_RESIZER_AUTO),
                                   all = all_windows(&n, TUB_RESIZER_GPU), host = all_windows(&n, TUB_RESIZER_CPU);
        outcome o = run(&p, &automatic);
        assert_true(o.made > frames / 2 && o.made + o.converted == frames);
        assert_int_equal(o.copied, 0);
        assert_true(o.own > 0);
        o = run(&p, &all);
        assert_int_equal(o.made, frames);
        assert_int_equal(o.converted, 0);
        o = run(&p, &host);
        assert_int_equal(o.converted, frames);
        assert_int_equal(o.made + o.own, 0);
        assert_int_equal(n.warnings, 0);
    }
}

static void several_share_them(void **state)
{
    (void)state;
    for (int lanes = 2; lanes <= FAKE_LANES; lanes++) {
        const fake_encoder_params p = {.makes_frames = true, .lanes = lanes, .gpus = {3, 1, 0, 2}, .delay = 200};
        notes n = {0};
        const tub_extractor_params params = all_windows(&n, TUB_RESIZER_AUTO);
        const outcome o = run(&p, &params);
        assert_true(o.made > frames / 2 && o.made + o.converted == frames);
        assert_int_equal(o.copied, o.made);
        assert_int_equal(n.warnings, 0);
    }
}

// In all ways of sampling: slots are reused, for the host's frames and for a device's.
static void whatever_is_sampled(void **state)
{
    (void)state;
    static const tub_sampling samplings[] = {{.clip_length = 3, .stride = 2, .interval = 2},
                                             {.clip_length = 4, .stride = 4, .fps = 12},
                                             {.clip_length = 2, .stride = 1, .align = TUB_ALIGN_BACKPAD}};
    for (int i = 0; i < 3; i++)
        for (int lanes = 1; lanes <= 3; lanes += 2) {
            const fake_encoder_params p = {.makes_frames = true, .lanes = lanes, .frames = samplings[i].clip_length};
            notes n = {0};
            tub_extractor_params params = all_windows(&n, TUB_RESIZER_AUTO);
            params.sampling = samplings[i];
            params.slot_memory = 64 * 40;
            const outcome o = run(&p, &params);
            assert_true(o.made > 0 && o.converted > 0);
        }
}

// Frames that the device has already made stay valid.
static void one_that_fails_is_left_alone(void **state)
{
    (void)state;
    for (int lanes = 1; lanes <= 2; lanes++)
        for (int at = 1; at < 60; at += 9) {
            fake_encoder_params p = {.makes_frames = true, .lanes = lanes};
            notes n = {0};
            const tub_extractor_params params = all_windows(&n, TUB_RESIZER_GPU);
            p.frame_fail[0] = at;
            const outcome o = run(&p, &params);
            assert_int_equal(n.warnings, 1);
            assert_non_null(strstr(n.all, "GPU 0 makes no more frames, the processor does: fake device 0 is blind"));
            assert_int_equal(o.made + o.converted, frames);
            assert_true(lanes == 2 || o.made == at - 1);
        }
}

static atomic_int writing, beside; // log calls in progress, and calls that came meanwhile

static void note_slowly(void *user, int level, const char *text)
{
    atomic_fetch_add(&beside, atomic_fetch_add(&writing, 1) > 0);
    usleep(30000);
    note(user, level, text);
    atomic_fetch_sub(&writing, 1);
}

// A log gets one call at a time.
static void those_that_fail_at_once_are_told_in_turn(void **state)
{
    (void)state;
    const fake_encoder_params p = {.makes_frames = true, .lanes = 2, .frame_fail = {1, 1}};
    notes n = {0};
    tub_extractor_params params = all_windows(&n, TUB_RESIZER_GPU);
    params.log.write = note_slowly;
    run(&p, &params);
    assert_int_equal(n.warnings, 2);
    assert_int_equal(beside, 0);
}

// On a busy machine one device may do nearly all the work.
static void what_a_lost_one_made_is_not_lost(void **state)
{
    (void)state;
    int lost = 0;
    for (int at = 1; at <= 9; at++) {
        fake_encoder_params p = {.makes_frames = true, .lanes = 2, .delay = 100};
        notes n = {0};
        const tub_extractor_params params = all_windows(&n, TUB_RESIZER_AUTO);
        p.lane_fail[at % 2] = at;
        const outcome o = run(&p, &params);
        const bool failed = o.runs[at % 2] >= at;
        assert_int_equal(n.warnings, failed);
        assert_int_equal(strstr(n.all, "is out of order") != NULL, failed);
        lost += failed;
    }
    assert_true(lost > 0);
}

static void where_there_are_none(void **state)
{
    (void)state;
    static const struct {
        fake_encoder_params p;
        const char *why;
        tub_status status;
    } cases[] = {{{.lanes = 2}, "the encoder computes on a fake", TUB_ERROR_DEVICE},
                 {{.makes_frames = true, .lanes = 2, .no_frames = 2}, "fake device 1 has no memory", TUB_ERROR_MEMORY}};
    for (int i = 0; i < 2; i++) {
        notes n = {0};
        const tub_extractor_params params = all_windows(&n, TUB_RESIZER_AUTO), all = all_windows(&n, TUB_RESIZER_GPU);
        const outcome o = run(&cases[i].p, &params);
        assert_int_equal(o.converted, frames);
        assert_int_equal(n.warnings, 0);
        assert_non_null(strstr(n.all, cases[i].why));
        fake_encoder *encoder = fake_encoder_create(&cases[i].p);
        tub_encoder *base = &encoder->base;
        tub_extractor *x = NULL;
        tub_error err = {0};
        assert_int_equal(tub_extractor_open_source(base, &all, &fake_source, &x, &err), cases[i].status);
        assert_null(x);
        assert_non_null(strstr(err.text, cases[i].why));
        assert_null(encoder->held[0]);
        tub_encoder_close(&base);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_keeps_them),
        cmocka_unit_test(several_share_them),
        cmocka_unit_test(whatever_is_sampled),
        cmocka_unit_test(one_that_fails_is_left_alone),
        cmocka_unit_test(those_that_fail_at_once_are_told_in_turn),
        cmocka_unit_test(what_a_lost_one_made_is_not_lost),
        cmocka_unit_test(where_there_are_none),
    };
    return cmocka_run_group_tests(tests, name_videos, NULL);
}
