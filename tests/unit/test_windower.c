// The windower compared with the definition of the modes, for every small combination of settings and length.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "windower.h"

enum { FRAMES_MOST = 4096 };

static int64_t span_of(const tub_sampling *s)
{
    return (int64_t)(s->clip_length - 1) * s->interval + 1;
}

// Written anew from sampling.h, without the library's arithmetic.
static int64_t expected_rows(const tub_sampling *s, int64_t n)
{
    int64_t rows = 0, w = span_of(s), last = -1;
    if (n == 0)
        return 0;
    if (s->align == TUB_ALIGN_CENTER) {
        for (int64_t centre = s->stride / 2; centre < n; centre += s->stride)
            rows++;
        return rows ? rows : 1;
    }
    for (int64_t start = 0; start + w <= n; start += s->stride) {
        rows++;
        last = start + w;
    }
    if (rows == 0)
        return 1;
    return rows + (s->align == TUB_ALIGN_BACKPAD && last != n);
}

static int64_t expected_frame(const tub_sampling *s, int64_t n, int64_t row, int64_t j)
{
    int64_t k = row * s->stride + j * s->interval;
    if (s->align == TUB_ALIGN_CENTER)
        k = s->stride / 2 + row * s->stride - (int64_t)(s->clip_length / 2) * s->interval + j * s->interval;
    if (s->align == TUB_ALIGN_BACKPAD && n >= span_of(s) && row * s->stride + span_of(s) > n)
        k = n - span_of(s) + j * s->interval;
    return k < 0 ? 0 : k > n - 1 ? n - 1 : k;
}

typedef struct run {
    const tub_sampling *s;
    tub_windower *w;
    int64_t n;
    int held, most;
    int pushes[FRAMES_MOST]; // of each frame that isn't released yet
    int64_t rows;
    int64_t handles[64];
} run;

#define check(r, condition)                                                                                            \
    do {                                                                                                               \
        if (!(condition))                                                                                              \
            fail_msg("L %d S %d I %d %s n %d: %s", (r)->s->clip_length, (r)->s->stride, (r)->s->interval,              \
                     tub_align_name((r)->s->align), (int)(r)->n, #condition);                                          \
    } while (0)

// Frame k's handle is 1000 + k, so that a window shows which frames it got.
static void take_windows(run *r)
{
    int64_t row, handle;
    while (tub_windower_next(r->w, &row, r->handles)) {
        check(r, row == r->rows);
        for (int j = 0; j < r->s->clip_length; j++) {
            int64_t k = r->handles[j] - 1000;
            check(r, k == expected_frame(r->s, r->n, row, j));
            check(r, r->pushes[k] > 0);
        }
        r->rows++;
    }
    while (tub_windower_release(r->w, &handle)) {
        check(r, handle >= 1000 && handle < 1000 + r->n && r->pushes[handle - 1000] > 0);
        r->pushes[handle - 1000]--;
        r->held--;
    }
    check(r, r->held >= 0);
}

static void count_push(run *r, int64_t k)
{
    r->pushes[k]++;
    r->held++;
    if (r->held > r->most)
        r->most = r->held;
    check(r, r->held <= tub_windower_most_held(r->s));
}

static int feed(const tub_sampling *s, int64_t n)
{
    static run state;
    run *r = &state;
    memset(r, 0, sizeof *r);
    r->s = s;
    r->n = n;
    r->w = tub_windower_create(s);
    check(r, r->w != NULL);
    for (int64_t k = 0; k < n; k++) {
        check(r, tub_sampling_wants(s, k) == tub_windower_wants(r->w, k));
        check(r, tub_sampling_wants(s, k) || tub_sampling_leaves_out(s));
        if (tub_windower_wants(r->w, k)) {
            check(r, tub_windower_push(r->w, k, 1000 + k));
            count_push(r, k);
        } else {
            tub_windower_skip(r->w, k);
        }
        take_windows(r);
    }
    bool extra = n > 0 && tub_windower_needs_last(r->w, n);
    if (extra)
        check(r, r->pushes[n - 1] == 0);
    check(r, tub_windower_finish(r->w, n, 1000 + n - 1));
    if (extra)
        count_push(r, n - 1);
    take_windows(r);
    check(r, r->rows == expected_rows(s, n));
    check(r, r->rows == tub_sampling_rows(s, n));
    check(r, r->held == 0);
    tub_windower_destroy(&r->w);
    return r->most;
}

static void clips_follow_the_definition(const tub_sampling *s, int64_t n)
{
    int64_t clip[64];
    assert_int_equal(tub_sampling_rows(s, n), expected_rows(s, n));
    for (int64_t row = 0; row < tub_sampling_rows(s, n); row++) {
        tub_sampling_clip(s, n, row, clip);
        for (int j = 0; j < s->clip_length; j++)
            assert_int_equal(clip[j], expected_frame(s, n, row, j));
    }
}

static void test_every_small_combination(void **state)
{
    (void)state;
    int runs = 0;
    for (int align = 0; align <= TUB_ALIGN_BACKPAD; align++)
        for (int length = 1; length <= 6; length++)
            for (int stride = 1; stride <= 9; stride++)
                for (int interval = 1; interval <= 5; interval++)
                    for (int n = 0; n <= 48; n++) {
                        tub_sampling s = {
                            .clip_length = length, .stride = stride, .interval = interval, .align = (tub_align)align};
                        clips_follow_the_definition(&s, n);
                        feed(&s, n);
                        runs++;
                    }
    assert_int_equal(runs, 3 * 6 * 9 * 5 * 49);
}

// With the usual settings it holds what one window needs, and no more.
static void test_bound_is_tight(void **state)
{
    (void)state;
    static const struct {
        int length, stride, interval;
        tub_align align;
        int most;
    } cases[] = {
        {16, 4, 1, TUB_ALIGN_VALID, 16},   {16, 16, 1, TUB_ALIGN_VALID, 16}, {16, 3, 1, TUB_ALIGN_VALID, 16},
        {16, 4, 4, TUB_ALIGN_VALID, 16},   {8, 64, 2, TUB_ALIGN_VALID, 8},   {32, 16, 1, TUB_ALIGN_BACKPAD, 33},
        {16, 1, 1, TUB_ALIGN_BACKPAD, 16}, {16, 4, 1, TUB_ALIGN_CENTER, 17},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        tub_sampling s = {.clip_length = cases[i].length,
                          .stride = cases[i].stride,
                          .interval = cases[i].interval,
                          .align = cases[i].align};
        assert_int_equal(tub_windower_most_held(&s), cases[i].most);
        // One less than the bound: a window may hold the frame that is kept for the end anyway.
        assert_true(feed(&s, 400) >= cases[i].most - (s.align == TUB_ALIGN_CENTER));
    }
}

static void test_long_videos_and_large_settings(void **state)
{
    (void)state;
    static const tub_sampling cases[] = {
        {.clip_length = 16, .stride = 7, .interval = 3, .align = TUB_ALIGN_CENTER},
        {.clip_length = 64, .stride = 1, .interval = 2, .align = TUB_ALIGN_BACKPAD},
        {.clip_length = 64, .stride = 5, .interval = 9, .align = TUB_ALIGN_BACKPAD},
        {.clip_length = 2, .stride = 1000, .interval = 999, .align = TUB_ALIGN_VALID},
        {.clip_length = 3, .stride = 4, .interval = 5, .align = TUB_ALIGN_CENTER},
        {.clip_length = 64, .stride = 4, .interval = 40, .align = TUB_ALIGN_CENTER},
        {.clip_length = 64, .stride = 2, .interval = 63, .align = TUB_ALIGN_VALID},
    };
    static const int64_t lengths[] = {1, 2, 63, 64, 65, 127, 999, 1000, 1001, 4000, 4095, 4096};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (size_t j = 0; j < sizeof lengths / sizeof *lengths; j++)
            feed(&cases[i], lengths[j]);
}

// A day at 30 frames a second: the frames held stay bounded, and every window comes.
static void test_a_very_long_video(void **state)
{
    (void)state;
    const int64_t n = 30 * 86400 + 7;
    for (int align = 0; align <= TUB_ALIGN_BACKPAD; align++) {
        tub_sampling s = {.clip_length = 16, .stride = 16, .interval = 1, .align = (tub_align)align};
        tub_windower *w = tub_windower_create(&s);
        int64_t row, rows = 0, handle, handles[16], held = 0;
        assert_non_null(w);
        for (int64_t k = 0; k <= n; k++) {
            if (k < n) {
                assert_true(tub_windower_push(w, k, k));
                held++;
            } else {
                assert_false(tub_windower_needs_last(w, n));
                assert_true(tub_windower_finish(w, n, -1));
            }
            assert_true(held <= tub_windower_most_held(&s));
            while (tub_windower_next(w, &row, handles))
                rows++;
            while (tub_windower_release(w, &handle))
                held--;
        }
        assert_int_equal(held, 0);
        assert_int_equal(rows, tub_sampling_rows(&s, n));
        tub_windower_destroy(&w);
    }
}

// Slowed-down video: one source frame stands for several indices under one handle.
static void test_one_handle_for_several_frames(void **state)
{
    (void)state;
    const int64_t copies = 3, n = 60;
    tub_sampling s = {.clip_length = 8, .stride = 4, .interval = 1, .align = TUB_ALIGN_BACKPAD};
    tub_windower *w = tub_windower_create(&s);
    int64_t row, handle, handles[8], released[20] = {0};
    assert_non_null(w);
    for (int64_t k = 0; k <= n; k++) {
        if (k < n)
            assert_true(tub_windower_push(w, k, k / copies));
        else
            assert_true(tub_windower_finish(w, n, -1));
        while (tub_windower_next(w, &row, handles))
            for (int j = 0; j < 8; j++)
                assert_int_equal(handles[j], expected_frame(&s, n, row, j) / copies);
        while (tub_windower_release(w, &handle))
            released[handle]++;
    }
    for (int i = 0; i < 20; i++)
        assert_int_equal(released[i], copies);
    tub_windower_destroy(&w);
}

static void test_abandoning_gives_everything_back_once(void **state)
{
    (void)state;
    for (int stop = 0; stop < 40; stop++) {
        tub_sampling s = {.clip_length = 5, .stride = 3, .interval = 2, .align = TUB_ALIGN_CENTER};
        tub_windower *w = tub_windower_create(&s);
        int64_t row, handle, handles[5], held = 0;
        int returned[40] = {0};
        assert_non_null(w);
        for (int64_t k = 0; k < stop; k++) {
            if (tub_windower_wants(w, k)) {
                assert_true(tub_windower_push(w, k, k));
                held++;
            } else {
                tub_windower_skip(w, k);
            }
            while (tub_windower_next(w, &row, handles))
                ;
            if (k % 7 == 0)
                while (tub_windower_release(w, &handle)) {
                    held--;
                    returned[handle]++;
                }
        }
        while (tub_windower_drop(w, &handle)) {
            held--;
            returned[handle]++;
        }
        assert_int_equal(held, 0);
        for (int i = 0; i < 40; i++)
            assert_true(returned[i] <= 1);
        assert_false(tub_windower_release(w, &handle));
        tub_windower_destroy(&w);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_small_combination),
        cmocka_unit_test(test_bound_is_tight),
        cmocka_unit_test(test_long_videos_and_large_settings),
        cmocka_unit_test(test_a_very_long_video),
        cmocka_unit_test(test_one_handle_for_several_frames),
        cmocka_unit_test(test_abandoning_gives_everything_back_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
