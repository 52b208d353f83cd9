// Decoding with several threads gives the same frames, and reports the same damage, as one thread. So does decoding
// only what is wanted, except for damage in other frames.
// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tubelet/video.h>

#include "decoding.h"
#include "hash.h"
#include "temp_folder.h"
#include "whole_video.h"

enum { MUTANTS = 12 };

static char *folder;

static void make(const char *name, const char *options)
{
    char command[2048];
    snprintf(command, sizeof command,
             "cd '%s' && ffmpeg -v error -nostdin -y -f lavfi -i testsrc2=size=144x96:rate=25:duration=2,noise=alls=20 "
             "-pix_fmt yuv420p %s %s",
             folder, options, name);
    assert_int_equal(system(command), 0);
}

static outcome decode(const char *path, int threads)
{
    const tub_video_params params = {.size = sizeof params, .threads = threads};
    return whole_video(path, &params);
}

static void same_with_threads(const char *path, const char *what)
{
    outcome want = decode(path, 1);
    for (int threads = 2; threads <= 4; threads++) {
        outcome have = decode(path, threads);
        if (have.status != want.status || strcmp(have.hash, want.hash) != 0 || have.info.frames != want.info.frames ||
            have.info.partial != want.info.partial || strcmp(have.info.reason, want.info.reason) != 0)
            fail_msg("%s: %lld frames (%s) with one thread, %lld (%s) with %d", what, (long long)want.info.frames,
                     want.info.reason, (long long)have.info.frames, have.info.reason, threads);
    }
}

// Whether several threads are still used at the end.
static bool stays_parallel(const char *path)
{
    tub_decoding d;
    tub_status status = TUB_OK;
    AVFrame *frame = av_frame_alloc();
    assert_non_null(frame);
    const tub_decoding_params params = {.threads = 3};
    assert_int_equal(tub_decoding_open(&d, path, &params, NULL), TUB_OK);
    while (status == TUB_OK) {
        av_frame_unref(frame);
        status = tub_decoding_next(&d, frame, NULL);
    }
    bool parallel = d.trusting && status == TUB_END;
    assert_true(status == TUB_END || status == TUB_AGAIN);
    tub_decoding_close(&d);
    av_frame_free(&frame);
    return parallel;
}

static bool wants(const void *every, const tub_frame_place *place)
{
    return place->index % *(const int *)every == 0;
}

static outcome decode_wanted(const char *path, int threads, int every)
{
    const tub_video_params params = {.size = sizeof params, .threads = threads, .wants = wants, .user = &every};
    return whole_video_thinned(path, &params, every);
}

static bool is_same(const outcome *a, const outcome *b)
{
    return a->status == b->status && strcmp(a->hash, b->hash) == 0 && a->info.frames == b->info.frames;
}

// Returns how many frames were left out.
static int64_t same_where_wanted(const char *path, const char *what, bool healthy)
{
    const int every = 4;
    const tub_video_params all = {.size = sizeof all};
    outcome want = whole_video_thinned(path, &all, every), one = decode_wanted(path, 1, every);
    // Damage may go unseen if only unwanted frames have it. If all frames are decoded, nothing changes.
    if (!is_same(&want, &one) && (healthy || !one.info.frames_left_out))
        fail_msg("%s: %lld frames (%s), with what is wanted %lld (%s)", what, (long long)want.info.frames,
                 want.info.reason, (long long)one.info.frames, one.info.reason);
    assert_false(one.info.partial && (one.info.frames_left_out || !want.info.partial));
    for (int threads = 2; threads <= 4; threads++) {
        outcome have = decode_wanted(path, threads, every);
        if (!is_same(&have, &one) || have.info.partial != one.info.partial ||
            have.info.frames_left_out != one.info.frames_left_out)
            fail_msg("%s: what is wanted differs with %d threads", what, threads);
    }
    return one.info.frames_left_out;
}

static uint32_t random_bits(uint32_t *seed)
{
    *seed = *seed * 1664525u + 1013904223u;
    return *seed >> 8;
}

// Flipped bits, stretches of garbage, and sometimes a file that ends early.
static void mutate(const char *name, uint32_t seed, const char *to)
{
    size_t bytes = 0;
    char *data = test_read_file(test_path(folder, name), &bytes);
    assert_non_null(data);
    for (uint32_t left = 1u << random_bits(&seed) % 5; left; left--) {
        size_t at = bytes / 20 + random_bits(&seed) % (bytes * 9 / 10);
        size_t length = random_bits(&seed) & 1 ? 1 : random_bits(&seed) % 150;
        for (size_t i = at; i < at + length && i < bytes; i++)
            data[i] = length == 1 ? (char)(data[i] ^ (1 << random_bits(&seed) % 8)) : (char)random_bits(&seed);
    }
    test_write_file(test_path(folder, to), data, seed % 5 ? bytes : bytes * 2 / 3);
    free(data);
}

// `leaves_out`: whether some of its frames needn't be decoded.
static void try_codec(const char *name, const char *options, bool parallel, bool leaves_out)
{
    make(name, options);
    same_with_threads(test_path(folder, name), name);
    assert_int_equal(same_where_wanted(test_path(folder, name), name, true) > 0, leaves_out);
    assert_int_equal(stays_parallel(test_path(folder, name)), parallel);
    assert_false(decode(test_path(folder, name), 2).info.partial);
    for (uint32_t seed = 1; seed <= MUTANTS; seed++) {
        char mutant[64], what[64];
        snprintf(mutant, sizeof mutant, "mutant_%s", name);
        snprintf(what, sizeof what, "%s, damage %u", name, seed);
        mutate(name, seed, mutant);
        same_with_threads(test_path(folder, mutant), what);
        same_where_wanted(test_path(folder, mutant), what, false);
    }
}

static void h264(void **state)
{
    (void)state;
    try_codec("pyramid.mp4", "-c:v libx264 -bf 3 -x264-params b-pyramid=normal:ref=4:keyint=250", true, true);
    try_codec("groups.ts", "-c:v libx264 -preset veryfast -g 12", true, true);
}

// Slices that are lost one by one.
static void slices_are_left_to_one_thread(void **state)
{
    (void)state;
    try_codec("slices.mkv", "-c:v libx264 -preset veryfast -g 12 -x264-params slices=4", false, false);
}

static void hevc(void **state)
{
    (void)state;
    try_codec("hevc.mp4", "-c:v libx265 -preset veryfast -x265-params log-level=none:keyint=20", true, true);
}

static void vp9(void **state)
{
    (void)state;
    try_codec("vp9.webm", "-c:v libvpx-vp9 -deadline realtime -cpu-used 8 -g 20", true, false);
}

static void av1(void **state)
{
    (void)state;
    try_codec("av1.mkv", "-c:v libaom-av1 -usage realtime -cpu-used 8 -g 20", true, false);
}

// Without times there is no order to check, and other decoders weren't tried.
static void others_have_one_thread(void **state)
{
    (void)state;
    try_codec("old.avi", "-c:v libx264 -preset veryfast -bf 2", false, false);
    try_codec("mpeg4.mkv", "-c:v mpeg4 -bf 2", false, false);
}

static void edit_lists_keep_threads(void **state)
{
    (void)state;
    char command[1024];
    make("whole.mp4", "-c:v libx264 -preset veryfast -g 25");
    snprintf(command, sizeof command, "cd '%s' && ffmpeg -v error -y -ss 0.9 -i whole.mp4 -c copy cut.mp4", folder);
    assert_int_equal(system(command), 0);
    same_with_threads(test_path(folder, "cut.mp4"), "cut.mp4");
    assert_true(decode(test_path(folder, "cut.mp4"), 3).info.frames < 50);
}

static bool wants_none(const void *user, const tub_frame_place *place)
{
    (void)user;
    (void)place;
    return false;
}

static void what_is_left_out_has_times_and_no_pixels(void **state)
{
    (void)state;
    const tub_video_params params = {.size = sizeof params, .wants = wants_none}, all = {.size = sizeof all};
    uint8_t *rgb = malloc(144 * 96 * 3);
    tub_video *video = NULL, *whole = NULL;
    tub_frame frame, other;
    tub_video_info info;
    int64_t refused = 0;
    tub_status last = TUB_OK;
    make("bframes.mp4", "-c:v libx264 -bf 3");
    assert_non_null(rgb);
    assert_int_equal(tub_video_open(test_path(folder, "bframes.mp4"), &params, &video, NULL), TUB_OK);
    assert_int_equal(tub_video_open(test_path(folder, "bframes.mp4"), &all, &whole, NULL), TUB_OK);
    while (tub_video_next(video, &frame, NULL) == TUB_OK) {
        assert_int_equal(tub_video_next(whole, &other, NULL), TUB_OK);
        assert_true(frame.index == other.index && frame.pts == other.pts && frame.duration == other.duration);
        last = tub_video_convert(video, rgb, NULL);
        refused += last == TUB_ERROR_ARGUMENT;
    }
    tub_video_get_info(video, &info);
    assert_int_equal(info.frames, 50);
    assert_true(info.frames_left_out > 10 && info.frames_left_out == refused);
    assert_int_equal(last, TUB_OK);
    tub_video_close(&video);
    tub_video_close(&whole);
    free(rgb);
}

static int set_up(void **state)
{
    (void)state;
    tub_video_silence_decoders();
    folder = test_folder_make();
    return folder ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    test_folder_remove(folder);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(h264),
        cmocka_unit_test(slices_are_left_to_one_thread),
        cmocka_unit_test(hevc),
        cmocka_unit_test(vp9),
        cmocka_unit_test(av1),
        cmocka_unit_test(others_have_one_thread),
        cmocka_unit_test(edit_lists_keep_threads),
        cmocka_unit_test(what_is_left_out_has_times_and_no_pixels),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
