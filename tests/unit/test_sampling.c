// Settings of windows, their ranges, the published row counts, presets, the mean over a window.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <string.h>
#include <tubelet/sampling.h>

#include "window_mean.h"

static void test_defaults(void **state)
{
    (void)state;
    tub_sampling s, asked = {0};
    assert_int_equal(tub_sampling_resolve(&asked, 0, &s, NULL), TUB_OK);
    assert_int_equal(s.clip_length, 16);
    assert_int_equal(s.stride, 4);
    assert_int_equal(s.interval, 1);
    assert_int_equal(s.size, sizeof s);
    assert_int_equal(tub_sampling_resolve(&asked, 8, &s, NULL), TUB_OK);
    assert_int_equal(s.clip_length, 8);
    asked.clip_length = 32;
    assert_int_equal(tub_sampling_resolve(&asked, 8, &s, NULL), TUB_OK);
    assert_int_equal(s.clip_length, 32);
}

static void refuse(tub_sampling asked, const char *option)
{
    tub_sampling s;
    tub_error err = {0};
    assert_int_equal(tub_sampling_resolve(&asked, 0, &s, &err), TUB_ERROR_ARGUMENT);
    assert_non_null(strstr(err.text, option));
}

static void test_ranges(void **state)
{
    (void)state;
    refuse((tub_sampling){.clip_length = 4097}, "clip length");
    refuse((tub_sampling){.clip_length = -1}, "clip length");
    refuse((tub_sampling){.stride = 65537}, "stride");
    refuse((tub_sampling){.stride = -4}, "stride");
    refuse((tub_sampling){.interval = 1025}, "interval");
    refuse((tub_sampling){.fps = 1000.5}, "fps");
    refuse((tub_sampling){.fps = -1}, "fps");
    refuse((tub_sampling){.fps = NAN}, "fps");
    refuse((tub_sampling){.align = (tub_align)3}, "align");
}

static void test_published_row_counts(void **state)
{
    (void)state;
    // len(range(0, n - 15, 4)); a THUMOS video of 5094 frames has 1270 rows.
    tub_sampling thumos = {.clip_length = 16, .stride = 4, .interval = 1};
    assert_int_equal(tub_sampling_rows(&thumos, 5094), 1270);
    assert_int_equal(tub_sampling_rows(&thumos, 16), 1);
    assert_int_equal(tub_sampling_rows(&thumos, 15), 1);
    assert_int_equal(tub_sampling_rows(&thumos, 0), 0);
    // Ego4D: 39 frames, 32/16: [0, 31] and [7, 38].
    tub_sampling ego = {.clip_length = 32, .stride = 16, .interval = 1, .align = TUB_ALIGN_BACKPAD};
    int64_t clip[32];
    assert_int_equal(tub_sampling_rows(&ego, 39), 2);
    tub_sampling_clip(&ego, 39, 1, clip);
    assert_int_equal(clip[0], 7);
    assert_int_equal(clip[31], 38);
    assert_int_equal(tub_sampling_rows(&ego, 48), 2);
    // mmaction2: centers 2, 6, ..; clipped at both ends.
    tub_sampling centred = {.clip_length = 16, .stride = 4, .interval = 1, .align = TUB_ALIGN_CENTER};
    assert_int_equal(tub_sampling_rows(&centred, 10), 2);
    tub_sampling_clip(&centred, 10, 0, clip);
    assert_int_equal(clip[0], 0);
    assert_int_equal(clip[6], 0);
    assert_int_equal(clip[7], 1);
    assert_int_equal(clip[15], 9);
    assert_int_equal(tub_sampling_rows(&centred, 1), 1);
}

static void test_short_video_repeats_its_last_frame(void **state)
{
    (void)state;
    tub_sampling s = {.clip_length = 4, .stride = 4, .interval = 2};
    int64_t clip[4];
    tub_sampling_clip(&s, 4, 0, clip);
    assert_int_equal(clip[0], 0);
    assert_int_equal(clip[1], 2);
    assert_int_equal(clip[2], 3);
    assert_int_equal(clip[3], 3);
}

// As many frames as can be counted: no intermediate sum overflows.
static void test_endless_video(void **state)
{
    (void)state;
    static int64_t frames[4096];
    tub_sampling s = {.size = sizeof s, .clip_length = 4096, .interval = 1024, .stride = 65536};
    for (int align = TUB_ALIGN_VALID; align <= TUB_ALIGN_BACKPAD; align++) {
        s.align = (tub_align)align;
        int64_t rows = tub_sampling_rows(&s, INT64_MAX);
        assert_true(rows >= INT64_MAX / s.stride - 64 && rows <= INT64_MAX / s.stride + 2);
        tub_sampling_clip(&s, INT64_MAX, rows - 1, frames);
        for (int i = 0; i < s.clip_length; i++)
            assert_true(frames[i] > INT64_MAX - 5000000 && frames[i] < INT64_MAX);
    }
}

static void test_names(void **state)
{
    (void)state;
    tub_error err = {0};
    for (int i = 0; i <= TUB_ALIGN_BACKPAD; i++) {
        tub_align back;
        assert_int_equal(tub_align_parse(tub_align_name((tub_align)i), &back, NULL), TUB_OK);
        assert_int_equal(back, i);
    }
    tub_align align;
    assert_int_equal(tub_align_parse("centre", &align, &err), TUB_ERROR_ARGUMENT);
    assert_non_null(strstr(err.text, "valid, center, backpad"));
}

static void test_presets(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        int stride;
    } original[] = {{"thumos", 4}, {"fineaction", 16}, {"hacs", 16}, {"charades", 4}};
    for (int i = 0; i < 4; i++) {
        const tub_preset *p = tub_preset_find(original[i].name);
        assert_non_null(p);
        assert_int_equal(p->sampling.clip_length, 16);
        assert_int_equal(p->sampling.stride, original[i].stride);
        assert_int_equal(p->sampling.interval, 1);
        assert_int_equal(p->sampling.align, TUB_ALIGN_VALID);
        assert_true(p->sampling.fps == 0);
        assert_int_equal(p->transform.base, TUB_TRANSFORM_OPENTAD);
        assert_true(p->transform.has_size && p->transform.height == 224 && p->transform.width == 224);
    }
    assert_null(tub_preset_find("thumos14"));
    size_t count = 0;
    for (const tub_preset *p; (p = tub_preset_at(count)); count++) {
        tub_sampling s;
        assert_ptr_equal(tub_preset_find(p->name), p);
        assert_true(strlen(p->summary) > 0 && strlen(p->summary) <= 80);
        assert_int_equal(tub_sampling_resolve(&p->sampling, 0, &s, NULL), TUB_OK);
        assert_memory_equal(&s, &p->sampling, sizeof s);
        assert_int_equal(tub_layout_check(&p->layout, NULL), TUB_OK);
        assert_true(strlen(p->reference) > 0 && !strchr(p->reference, '|') && !strchr(p->reference, '*'));
    }
    assert_true(count > 4);
}

// In every alignment, row i is at the middle of its window, except for the padded last row of backpad.
static void test_grid(void **state)
{
    (void)state;
    for (int align = TUB_ALIGN_VALID; align <= TUB_ALIGN_BACKPAD; align++)
        for (int stride = 1; stride < 18; stride += 3)
            for (int interval = 1; interval < 4; interval++) {
                const tub_sampling asked = {.clip_length = 8, .stride = stride, .interval = interval, .align = (tub_align)align};
                tub_sampling s;
                assert_int_equal(tub_sampling_resolve(&asked, 0, &s, NULL), TUB_OK);
                tub_grid grid;
                tub_sampling_grid(&s, &grid);
                assert_true(grid.num_frames == 2 * grid.offset);
                int64_t frames[8], row = 9;
                tub_sampling_clip(&s, 1000, row, frames);
                double middle = align == TUB_ALIGN_CENTER ? (double)frames[4] : ((double)frames[0] + (double)frames[7] + 1) / 2;
                assert_true((double)row * grid.stride + grid.offset == middle);
            }
}

static void test_window_mean(void **state)
{
    (void)state;
    // In float32 the ones would be lost.
    const float a[2] = {16777216, 1}, b[2] = {1, 2}, c[2] = {1, 4};
    const float *rows[] = {a, b, c, b};
    double sum[2];
    float out[2];
    tub_window_mean(rows, 4, 2, sum, out);
    assert_true(out[0] == (float)(16777219.0 / 4));
    assert_true(out[1] == 2.25f);
    tub_window_mean(rows + 1, 1, 2, sum, out);
    assert_true(out[0] == 1 && out[1] == 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_ranges),
        cmocka_unit_test(test_published_row_counts),
        cmocka_unit_test(test_short_video_repeats_its_last_frame),
        cmocka_unit_test(test_endless_video),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_presets),
        cmocka_unit_test(test_grid),
        cmocka_unit_test(test_window_mean),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
