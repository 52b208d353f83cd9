// The resampler compared with its definition, evaluated directly over all frames and thresholds.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdlib.h>

#include "resampler.h"

enum { MOST = 4000 };

// Times are in ticks of 1/`scale` seconds and rates are fractions, so that the definition is evaluated in integers:
// threshold of k: first + (2k+1) * scale * rate_den / (2 * rate_num), in ticks.
typedef struct stream {
    int64_t scale, rate_num, rate_den;
    int frames;
    int64_t pts[MOST];
    int64_t duration; // of the last frame, 0 = unknown
} stream;

// source[k] = source frame of output k; returns the number of outputs.
static int direct(const stream *v, int *source)
{
    int64_t time[MOST] = {0};
    for (int i = 0; i < v->frames; i++)
        time[i] = i && v->pts[i] < time[i - 1] ? time[i - 1] : v->pts[i];
    int last = v->frames - 1;
    // In units of 1/(2 * rate_num) ticks.
    int64_t unit = 2 * v->rate_num, step = v->scale * v->rate_den;
    int64_t length = (time[last] - time[0]) * unit;
    if (v->duration > 0)
        length += v->duration * unit;
    else if (last > 0 && time[last] > time[last - 1])
        length += (time[last] - time[last - 1]) * unit;
    else
        length += 2 * step;
    int outputs = 0;
    for (int64_t k = 0; k == 0 || (2 * k + 1) * step < length; k++) {
        int best = 0;
        for (int i = 0; i < v->frames; i++)
            if ((time[i] - time[0]) * unit < (2 * k + 1) * step)
                best = i;
        source[outputs++] = best;
        assert_true(outputs < MOST);
    }
    return outputs;
}

static void compare(const stream *v)
{
    static int wanted[MOST], got[MOST];
    int outputs = v->frames ? direct(v, wanted) : 0, count = 0;
    tub_resampler r;
    tub_resampler_init(&r, (double)v->rate_num / (double)v->rate_den);
    for (int i = 0; i <= v->frames; i++) {
        const tub_resampler before = r;
        int64_t stands = i < v->frames ? tub_resampler_push(&r, (double)v->pts[i] / (double)v->scale)
                                       : tub_resampler_finish(&r, (double)v->duration / (double)v->scale);
        assert_true(stands >= 0 && (i || stands == 0));
        if (i && i < v->frames && r.previous > before.previous) {
            assert_int_equal(tub_resampler_may_show(r.fps, r.first, before.previous, r.previous), stands > 0);
            assert_true(!stands || tub_resampler_may_show(r.fps, r.first, before.previous, r.previous + 1));
        }
        for (int64_t c = 0; c < stands; c++) {
            assert_true(count < MOST);
            got[count++] = i - 1;
        }
    }
    assert_int_equal(count, outputs);
    for (int i = 0; i < count; i++)
        assert_int_equal(got[i], wanted[i]);
}

static stream constant(int64_t scale, int64_t step, int frames, int64_t first, int64_t rate_num, int64_t rate_den)
{
    stream v = {.scale = scale, .rate_num = rate_num, .rate_den = rate_den, .frames = frames, .duration = step};
    for (int i = 0; i < frames; i++)
        v.pts[i] = first + step * i;
    return v;
}

static void test_constant_rates(void **state)
{
    (void)state;
    static const struct {
        int64_t scale, step, num, den;
    } cases[] = {
        {30, 1, 30, 1},
        {30, 1, 15, 1},
        {30, 1, 25, 1},
        {25, 1, 30, 1},
        {90000, 3003, 30, 1},
        {90000, 3003, 15, 1},
        {24, 1, 24, 1},
        {60000, 1001, 30, 1},
        {30, 1, 120, 1},
        {30, 1, 1, 1},
        {12800, 512, 30000, 1001},
        {1000, 40, 2, 1},
        {15360, 512, 7, 2},
        {50, 1, 30, 1},
    };
    static const int64_t firsts[] = {0, 1, 12345, 90000000, -77};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (int frames = 0; frames <= 130; frames++)
            for (size_t f = 0; f < sizeof firsts / sizeof *firsts; f++) {
                stream v = constant(cases[i].scale, cases[i].step, frames, firsts[f], cases[i].num, cases[i].den);
                compare(&v);
                v.duration = 0;
                compare(&v);
            }
}

// Variable rates, duplicates, timestamps that go backward, gaps, upsampling.
static void test_random_timestamps(void **state)
{
    (void)state;
    static const int64_t rates[][2] = {{30, 1}, {15, 1}, {24000, 1001}, {3, 1}, {240, 1}, {1, 2}};
    srand(7);
    for (int round = 0; round < 600; round++) {
        stream v = {.scale = round % 2 ? 1000 : 90000, .frames = 1 + rand() % 60};
        v.rate_num = rates[round % 6][0];
        v.rate_den = rates[round % 6][1];
        int64_t at = rand() % 100000, tick = v.scale / 30;
        for (int i = 0; i < v.frames; i++) {
            int kind = rand() % 8;
            at += kind == 0 ? 0 : kind == 1 ? -2 * tick : kind == 2 ? 10 * tick : 1 + rand() % (2 * tick);
            v.pts[i] = at;
        }
        v.duration = rand() % 3 ? rand() % (3 * tick) : 0;
        compare(&v);
    }
}

static void test_native(void **state)
{
    (void)state;
    tub_resampler r;
    tub_resampler_init(&r, 0);
    assert_int_equal(tub_resampler_finish(&r, 1), 0);
    tub_resampler_init(&r, 0);
    static const double times[] = {0, 0, 5, 3, NAN, 1e9};
    for (int i = 0; i < 6; i++)
        assert_int_equal(tub_resampler_push(&r, times[i]), i > 0);
    assert_int_equal(tub_resampler_finish(&r, 0), 1);
}

static void test_broken_timestamps_do_no_harm(void **state)
{
    (void)state;
    tub_resampler r;
    tub_resampler_init(&r, 30);
    assert_int_equal(tub_resampler_push(&r, NAN), 0);
    assert_int_equal(tub_resampler_push(&r, INFINITY), 0);
    assert_true(tub_resampler_push(&r, 1e300) > 0);
    assert_int_equal(tub_resampler_push(&r, 1e308), 0);
    assert_int_equal(tub_resampler_finish(&r, 0), 0);
}

static void test_one_frame_is_at_least_one(void **state)
{
    (void)state;
    tub_resampler r;
    tub_resampler_init(&r, 1);
    assert_int_equal(tub_resampler_push(&r, 10), 0);
    assert_int_equal(tub_resampler_finish(&r, 0.01), 1);
    tub_resampler_init(&r, 1);
    assert_int_equal(tub_resampler_push(&r, 10), 0);
    assert_int_equal(tub_resampler_finish(&r, 3), 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_constant_rates),
        cmocka_unit_test(test_random_timestamps),
        cmocka_unit_test(test_native),
        cmocka_unit_test(test_broken_timestamps_do_no_harm),
        cmocka_unit_test(test_one_frame_is_at_least_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
