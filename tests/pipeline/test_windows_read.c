// Reads one video into clips of pixels.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "fake_source.h"

static const tub_transform exact = {.resize = TUB_RESIZE_EXACT, .height = 4, .width = 6};

typedef struct reading {
    fake_video video;
    tub_sampling sampling; // resolved
    int64_t frames, rows, stop_at;
} reading;

static bool check_clip(void *user, const void *const *frames, int64_t row)
{
    reading *r = user;
    int64_t indices[64];
    unsigned char pixels[72];
    assert_int_equal(row, r->rows);
    tub_sampling_clip(&r->sampling, r->frames, row, indices);
    for (int i = 0; i < r->sampling.clip_length; i++) {
        fake_video_pixels(&r->video, indices[i], pixels);
        assert_memory_equal(frames[i], pixels, sizeof pixels);
    }
    r->rows++;
    return r->rows != r->stop_at;
}

static void check(const char *path, tub_sampling sampling)
{
    reading r = {.video = fake_video_parse(path)};
    sampling.size = sizeof sampling;
    assert_int_equal(tub_sampling_resolve(&sampling, 0, &r.sampling, NULL), TUB_OK);
    r.frames = r.video.frames;
    int64_t rows = -1;
    tub_error err = {0};
    fake_counts_reset();
    assert_int_equal(tub_windows_read_source(&fake_source, path, &sampling, &exact, 0, check_clip, &r, &rows, &err),
                     TUB_OK);
    assert_int_equal(rows, tub_sampling_rows(&r.sampling, r.frames));
    assert_int_equal(rows, r.rows);
    assert_int_equal(atomic_load(&fake_counts.repeated), 0);
    assert_int_equal(atomic_load(&fake_counts.open), 0);
}

static void test_clips_by_definition(void **state)
{
    (void)state;
    const char *const paths[] = {"fake:seed=3,frames=100", "fake:seed=4,frames=16", "fake:seed=5,frames=1",
                                 "fake:seed=6,frames=17"};
    for (int i = 0; i < 4; i++) {
        check(paths[i], (tub_sampling){0});
        check(paths[i], (tub_sampling){.clip_length = 5, .stride = 3, .interval = 2});
        check(paths[i], (tub_sampling){.clip_length = 4, .stride = 9, .align = TUB_ALIGN_CENTER});
        check(paths[i], (tub_sampling){.clip_length = 4, .stride = 9, .align = TUB_ALIGN_BACKPAD});
    }
}

static void test_receiver_stops(void **state)
{
    (void)state;
    reading r = {.video = fake_video_parse("fake:frames=100"), .frames = 100, .stop_at = 3};
    tub_sampling s = {.size = sizeof s, .clip_length = 4};
    assert_int_equal(tub_sampling_resolve(&s, 0, &r.sampling, NULL), TUB_OK);
    int64_t rows = 0;
    fake_counts_reset();
    assert_int_equal(
        tub_windows_read_source(&fake_source, "fake:frames=100", &s, &exact, 0, check_clip, &r, &rows, NULL), TUB_OK);
    assert_int_equal(r.rows, 3);
    assert_in_range(atomic_load(&fake_counts.decoded), 12, 13);
}

static void test_errors(void **state)
{
    (void)state;
    reading r = {.video = fake_video_parse("fake:frames=100"), .frames = 100};
    tub_sampling s = {.size = sizeof s, .clip_length = 4};
    assert_int_equal(tub_sampling_resolve(&s, 0, &r.sampling, NULL), TUB_OK);
    int64_t rows = 0;
    tub_error err = {0};
    const tub_transform open_size = {.resize = TUB_RESIZE_SHORTEST, .height = 4};
    assert_int_equal(
        tub_windows_read_source(&fake_source, "fake:frames=9", &s, &open_size, 0, check_clip, &r, &rows, &err),
        TUB_ERROR_ARGUMENT);
    assert_int_equal(tub_windows_read_source(&fake_source, "fake:frames=9", &s, NULL, 0, check_clip, &r, &rows, &err),
                     TUB_ERROR_ARGUMENT);
    assert_int_equal(tub_windows_read_source(&fake_source, "fake:refuse=1", &s, &exact, 0, check_clip, &r, &rows, &err),
                     TUB_ERROR_VIDEO);
    assert_non_null(strstr(err.text, "fake:refuse=1"));
    assert_int_equal(tub_windows_read_source(&fake_source, "fake:frames=0", &s, &exact, 0, check_clip, &r, &rows, &err),
                     TUB_ERROR_VIDEO);
    assert_int_equal(
        tub_windows_read_source(&fake_source, "fake:frames=50,fail=20", &s, &exact, 0, check_clip, &r, &rows, &err),
        TUB_ERROR_VIDEO);
    assert_int_equal(rows, 5);
    assert_int_equal(atomic_load(&fake_counts.open), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_clips_by_definition),
        cmocka_unit_test(test_receiver_stops),
        cmocka_unit_test(test_errors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
