// The reader compared with the ffmpeg command, on clips that the test encodes with it.
// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <tubelet/video.h>

#include "ffmpeg_clips.h"

static void b_frames_come_in_display_order(void **state)
{
    (void)state;
    must(FFMPEG PATTERN BFRAMES "-pix_fmt yuv420p b.mp4", "100x68", "1.2");
    tub_video_info info = clips_same_as_ffmpeg("b.mp4", NULL, "", 0);
    assert_int_equal(info.frames, 30);
    assert_string_equal(info.codec, "h264");
    assert_string_equal(info.pixel_format, "yuv420p");
    assert_int_equal(info.width, 100);
    assert_int_equal(info.height, 68);
    assert_int_equal(info.rotation, 0);
    assert_true(fabs(info.fps - 25) < 1e-9);
    assert_true(fabs(info.last_pts - info.first_pts - 29 / 25.0) < 1e-6);
    if (info.partial)
        fail_msg("partial: %s", info.reason);
}

static void times_are_made_where_the_file_has_none(void **state)
{
    (void)state;
    must(FFMPEG PATTERN BFRAMES "-pix_fmt yuv420p x.avi", "64x48", "1");
    clips_decoded d = clips_decode("x.avi", NULL);
    assert_int_equal(d.info.frames, 25);
    assert_true(d.worst_step > 0);
    assert_true(d.info.last_pts - d.info.first_pts > 0.9 && d.info.last_pts - d.info.first_pts < 1.1);
    assert_false(d.info.partial);
    free(d.rgb);
}

// Where pixel (y, x) of the frame rotated clockwise by `degrees` is in the unrotated one of `height` x `width`.
static size_t flat_position(int degrees, int y, int x, int height, int width)
{
    int row = degrees == 90 ? height - 1 - x : degrees == 180 ? height - 1 - y : x;
    int column = degrees == 90 ? y : degrees == 180 ? width - 1 - x : width - 1 - y;
    return ((size_t)row * (size_t)width + (size_t)column) * 3;
}

// Returns the degrees, which depend on how the ffmpeg version interprets the option's sign.
static int rotated(const char *degrees)
{
    must(FFMPEG PATTERN BFRAMES "-pix_fmt yuv420p flat.mp4", "96x56", "0.2");
    // The option in FFmpeg 6 and later, or the tag in earlier versions.
    if (clips_shell(FFMPEG "-display_rotation %s -i flat.mp4 -c copy turned.mp4 2>/dev/null", degrees) != 0)
        must(FFMPEG "-i flat.mp4 -c copy -metadata:s:v:0 rotate=%s turned.mp4", degrees);
    tub_video_info info = clips_same_as_ffmpeg("turned.mp4", NULL, "", 0);
    clips_decoded flat = clips_decode("flat.mp4", NULL), turned = clips_decode("turned.mp4", NULL);
    assert_int_equal(info.width, info.rotation == 180 ? 96 : 56);
    assert_int_equal(info.height, info.rotation == 180 ? 56 : 96);
    for (int y = 0; y < info.height; y++)
        for (int x = 0; x < info.width; x++)
            assert_memory_equal(turned.rgb + ((size_t)y * (size_t)info.width + (size_t)x) * 3,
                                flat.rgb + flat_position(info.rotation, y, x, 56, 96), 3);
    free(flat.rgb);
    free(turned.rgb);
    return info.rotation;
}

static void rotation_is_applied(void **state)
{
    (void)state;
    int quarter = rotated("90");
    assert_true(quarter == 90 || quarter == 270);
    assert_int_equal(rotated("270"), 360 - quarter);
    assert_int_equal(rotated("180"), 180);
}

static void other_pixel_formats(void **state)
{
    (void)state;
    must(FFMPEG PATTERN BFRAMES "-pix_fmt yuv422p10le f422.mp4", "64x48", "0.2");
    clips_same_as_ffmpeg("f422.mp4", NULL, "", 2);
    must(FFMPEG PATTERN BFRAMES "-pix_fmt yuv444p odd444.mp4", "67x45", "0.2");
    clips_same_as_ffmpeg("odd444.mp4", NULL, "", 8);
    must(FFMPEG PATTERN "-c:v mpeg4 -pix_fmt yuv420p odd420.avi", "67x45", "0.2");
    clips_same_as_ffmpeg("odd420.avi", NULL, "", 8);
    must(FFMPEG PATTERN BFRAMES "-pix_fmt yuv420p -color_range pc -colorspace bt709 full.mp4", "64x48", "0.2");
    tub_video_info info = clips_same_as_ffmpeg("full.mp4", NULL, "", 0);
    assert_string_equal(info.matrix, "bt709");
    assert_string_equal(info.range, "pc");
    must(FFMPEG PATTERN "p.gif", "64x48", "0.4");
    clips_same_as_ffmpeg("p.gif", NULL, "", 0);
}

static void vp9_in_webm(void **state)
{
    (void)state;
    must(FFMPEG PATTERN "-c:v libvpx-vp9 -deadline realtime -cpu-used 8 -threads 1 v.webm", "66x50", "0.4");
    tub_video_info info = clips_same_as_ffmpeg("v.webm", NULL, "", 0);
    assert_int_equal(info.frames, 10);
    assert_false(info.partial);
}

// MPEG video without a container, like a .m2v and many a .mpg.
static void mpeg_video_needs_no_container(void **state)
{
    (void)state;
    must(FFMPEG PATTERN "-c:v mpeg2video -bf 2 -g 12 -threads 1 es.m2v", "64x48", "1.2");
    clips_decoded d = clips_decode("es.m2v", NULL);
    assert_true(d.worst_step > 0.039 && d.worst_step < 0.041);
    free(d.rgb);
    tub_video_info info = clips_same_as_ffmpeg("es.m2v", NULL, "", 0);
    assert_int_equal(info.frames, 30);
    assert_false(info.partial);
}

static void edit_lists_are_obeyed(void **state)
{
    (void)state;
    must(FFMPEG PATTERN BFRAMES "-pix_fmt yuv420p whole.mp4", "64x48", "2");
    must(FFMPEG "-ss 0.9 -i whole.mp4 -c copy cut.mp4");
    tub_video_info info = clips_same_as_ffmpeg("cut.mp4", NULL, "", 0);
    assert_true(info.frames < info.container_frames);
    if (info.partial)
        fail_msg("partial: %s", info.reason);
}

static void size_may_change_midway(void **state)
{
    (void)state;
    must(FFMPEG PATTERN BFRAMES "-pix_fmt yuv420p one.ts", "64x48", "0.8");
    must(FFMPEG PATTERN BFRAMES "-pix_fmt yuv420p two.ts", "48x80", "0.6");
    must("cat one.ts two.ts > both.ts");
    clips_decoded d = clips_decode("both.ts", NULL);
    assert_int_equal(d.info.frames, 20 + 15);
    assert_int_equal(d.info.width, 64);
    assert_int_equal(d.info.height, 48);
    assert_true(d.worst_step > 0);
    if (d.info.partial)
        fail_msg("partial: %s", d.info.reason);
    free(d.rgb);
}

static void one_stream_of_several(void **state)
{
    (void)state;
    must(FFMPEG PATTERN "-f lavfi -i testsrc=size=80x60:rate=10:duration=1 -map 0 -map 1 " BFRAMES
                        "-pix_fmt yuv420p pair.mkv",
         "64x48", "0.4");
    tub_video_params second = {.size = sizeof second, .stream = 2}, third = {.size = sizeof third, .stream = 3};
    tub_video_info info = clips_same_as_ffmpeg("pair.mkv", &second, "-map 0:v:1", 0);
    assert_int_equal(info.stream, 1);
    assert_int_equal(info.video_streams, 2);
    assert_int_equal(info.frames, 10);
    tub_video *video = NULL;
    tub_error err = {0};
    assert_int_equal(tub_video_open(test_path(clips_folder, "pair.mkv"), &third, &video, &err), TUB_ERROR_ARGUMENT);
    assert_null(video);
    assert_non_null(strstr(err.text, "pair.mkv"));
}

static void expect_error(const char *path, tub_status status, const char *words)
{
    tub_video *video = NULL;
    tub_error err = {0};
    assert_int_equal(tub_video_open(path, NULL, &video, &err), status);
    assert_null(video);
    if (!strstr(err.text, path) || !strstr(err.text, words) || strchr(err.text, '\n'))
        fail_msg("not clear: %s", err.text);
}

static void what_is_no_video_fails_with_a_reason(void **state)
{
    (void)state;
    test_write_file(test_path(clips_folder, "empty.mp4"), "", 0);
    test_write_file(test_path(clips_folder, "text.mp4"), "this is no video\n", 17);
    must(FFMPEG "-f lavfi -i sine=duration=0.3 -c:a aac sound_only.mp4");
    must(FFMPEG PATTERN BFRAMES "-pix_fmt yuv420p last.mp4", "64x48", "1");
    clips_keep("last.mp4", "no_moov.mp4", 0.7);
    must("mkfifo pipe.mp4");
    expect_error(test_path(clips_folder, "missing.mp4"), TUB_ERROR_INPUT, "No such file");
    expect_error(clips_folder, TUB_ERROR_INPUT, "folder");
    expect_error(test_path(clips_folder, "pipe.mp4"), TUB_ERROR_INPUT, "not a regular file");
    expect_error(test_path(clips_folder, "empty.mp4"), TUB_ERROR_VIDEO, "empty");
    expect_error(test_path(clips_folder, "text.mp4"), TUB_ERROR_VIDEO, "not a video");
    expect_error(test_path(clips_folder, "no_moov.mp4"), TUB_ERROR_VIDEO, "not a video");
    expect_error(test_path(clips_folder, "sound_only.mp4"), TUB_ERROR_VIDEO, "no video stream");
    tub_video *video = NULL;
    tub_error err;
    tub_video_params params = {.size = sizeof params, .threads = 1025}; // libav would start that many
    assert_int_equal(tub_video_open(test_path(clips_folder, "last.mp4"), &params, &video, &err), TUB_ERROR_ARGUMENT);
    assert_non_null(strstr(err.text, "last.mp4: 1025 threads: must be from 1 to 1024"));
}

// A playlist names other files: it isn't opened, nor is any other container that isn't on the list.
static void other_files_are_not_opened(void **state)
{
    (void)state;
    must(FFMPEG PATTERN BFRAMES "-pix_fmt yuv420p target.mp4", "64x48", "0.2");
    static const char concat[] = "ffconcat version 1.0\nfile target.mp4\n";
    static const char playlist[] = "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\ntarget.mp4\n#EXT-X-ENDLIST\n";
    test_write_file(test_path(clips_folder, "list.mp4"), concat, sizeof concat - 1);
    test_write_file(test_path(clips_folder, "live.m3u8"), playlist, sizeof playlist - 1);
    expect_error(test_path(clips_folder, "list.mp4"), TUB_ERROR_VIDEO,
                 "no container that can be read: it is a playlist");
    expect_error(test_path(clips_folder, "live.m3u8"), TUB_ERROR_VIDEO,
                 "no container that can be read: it is a playlist");
}

static void the_last_frame_stays_after_the_end(void **state)
{
    (void)state;
    must(FFMPEG PATTERN BFRAMES "-pix_fmt yuv420p end.mp4", "64x48", "0.2");
    tub_transform t = {.resize = TUB_RESIZE_EXACT,
                       .height = 20,
                       .width = 30,
                       .interpolation = TUB_BILINEAR,
                       .domain = TUB_DOMAIN_FLOAT,
                       .rescale = true,
                       .scale = 1.0f / 255.0f,
                       .std = {1, 1, 1}};
    tub_video_params params = {.size = sizeof params, .transform = &t};
    tub_video *video = NULL;
    tub_frame frame;
    int height, width;
    bool is_float;
    size_t bytes;
    assert_int_equal(tub_video_open(test_path(clips_folder, "end.mp4"), &params, &video, NULL), TUB_OK);
    tub_video_pixels(video, &height, &width, &is_float, &bytes);
    assert_true(height == 20 && width == 30 && is_float && bytes == 20 * 30 * 3 * sizeof(float));
    float *last = malloc(bytes), *again = malloc(bytes);
    assert_true(last && again);
    while (tub_video_next(video, &frame, NULL) == TUB_OK)
        assert_int_equal(tub_video_convert(video, last, NULL), TUB_OK);
    assert_int_equal(frame.index, 4);
    assert_int_equal(tub_video_convert(video, again, NULL), TUB_OK);
    assert_memory_equal(last, again, bytes);
    double open_seconds, decode_seconds, convert_seconds;
    tub_video_seconds(video, &open_seconds, &decode_seconds, &convert_seconds);
    assert_true(open_seconds > 0 && decode_seconds > 0 && convert_seconds > 0);
    tub_video_close(&video);
    free(last);
    free(again);
}

static void probing_counts_on_request(void **state)
{
    (void)state;
    must(FFMPEG PATTERN BFRAMES "-pix_fmt yuv420p probe.mp4", "64x48", "1");
    tub_video_info info;
    assert_int_equal(tub_video_probe(test_path(clips_folder, "probe.mp4"), NULL, false, &info, NULL), TUB_OK);
    assert_false(info.complete);
    assert_int_equal(info.frames, 1);
    assert_int_equal(tub_video_probe(test_path(clips_folder, "probe.mp4"), NULL, true, &info, NULL), TUB_OK);
    assert_true(info.complete);
    assert_int_equal(info.frames, 25);
}

static void names_of_videos(void **state)
{
    (void)state;
    static const char *const yes[] = {"a.mp4", "A.MKV", "x/y.z/b.WebM", "c.ts", "d.gif", "e.ivf", "f.mpg", "..mov"};
    static const char *const no[] = {"", "mp4", ".mp4", "a.mp4.txt", "a", "x.mp4/y", "x/.avi", "a.npy", "a."};
    for (size_t i = 0; i < sizeof yes / sizeof *yes; i++)
        assert_true(tub_video_name_is_known(yes[i]));
    for (size_t i = 0; i < sizeof no / sizeof *no; i++)
        assert_false(tub_video_name_is_known(no[i]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(b_frames_come_in_display_order),
        cmocka_unit_test(times_are_made_where_the_file_has_none),
        cmocka_unit_test(rotation_is_applied),
        cmocka_unit_test(other_pixel_formats),
        cmocka_unit_test(vp9_in_webm),
        cmocka_unit_test(mpeg_video_needs_no_container),
        cmocka_unit_test(edit_lists_are_obeyed),
        cmocka_unit_test(size_may_change_midway),
        cmocka_unit_test(one_stream_of_several),
        cmocka_unit_test(what_is_no_video_fails_with_a_reason),
        cmocka_unit_test(other_files_are_not_opened),
        cmocka_unit_test(the_last_frame_stays_after_the_end),
        cmocka_unit_test(probing_counts_on_request),
        cmocka_unit_test(names_of_videos),
    };
    return cmocka_run_group_tests(tests, clips_set_up, clips_tear_down);
}
