#include "ffmpeg_clips.h"

// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

char *clips_folder;

int clips_set_up(void **state)
{
    (void)state;
    tub_video_silence_decoders();
    clips_folder = test_folder_make();
    return clips_shell("command -v ffmpeg >/dev/null");
}

int clips_tear_down(void **state)
{
    (void)state;
    test_folder_remove(clips_folder);
    return 0;
}

int clips_shell(const char *format, ...)
{
    char text[2048];
    int at = snprintf(text, sizeof text, "cd '%s' && ", clips_folder);
    va_list list;
    va_start(list, format);
    vsnprintf(text + at, sizeof text - (size_t)at, format, list);
    va_end(list);
    return system(text);
}

void clips_keep(const char *from, const char *to, double part)
{
    struct stat about;
    assert_int_equal(stat(test_path(clips_folder, from), &about), 0);
    must("head -c %ld %s > %s", (long)((double)about.st_size * part), from, to);
}

clips_decoded clips_decode(const char *name, const tub_video_params *params)
{
    clips_decoded d = {.worst_step = 1e9};
    tub_video *video = NULL;
    tub_error err = {0};
    tub_frame frame;
    int height, width;
    bool is_float;
    size_t bytes;
    double before = 0;
    if (tub_video_open(test_path(clips_folder, name), params, &video, &err) != TUB_OK)
        fail_msg("%s", err.text);
    tub_video_pixels(video, &height, &width, &is_float, &bytes);
    tub_status status;
    for (int64_t n = 0; (status = tub_video_next(video, &frame, &err)) == TUB_OK; n++) {
        assert_int_equal(frame.index, n);
        d.worst_step = n ? fmin(d.worst_step, frame.pts - before) : d.worst_step;
        before = frame.pts;
        d.rgb = realloc(d.rgb, d.bytes + bytes);
        assert_non_null(d.rgb);
        assert_int_equal(tub_video_convert(video, d.rgb + d.bytes, &err), TUB_OK);
        d.bytes += bytes;
    }
    assert_int_equal(status, TUB_END);
    assert_int_equal(tub_video_next(video, &frame, &err), TUB_END);
    tub_video_get_info(video, &d.info);
    assert_true(d.info.complete);
    assert_int_equal((size_t)d.info.frames * bytes, d.bytes);
    tub_video_close(&video);
    assert_null(video);
    return d;
}

tub_video_info clips_same_as_ffmpeg(const char *name, const tub_video_params *params, const char *map, int levels)
{
    size_t bytes = 0;
    clips_decoded d = clips_decode(name, params);
    // For damaged files, it exits with an error but writes what it could decode.
    (void)clips_shell(FFMPEG "-i '%s' %s -fps_mode passthrough -f rawvideo -pix_fmt rgb24 want.rgb 2>/dev/null", name,
                      map);
    char *want = test_read_file(test_path(clips_folder, "want.rgb"), &bytes);
    assert_non_null(want);
    assert_int_equal(d.bytes, bytes);
    assert_true(bytes > 0);
    int worst = 0;
    for (size_t i = 0; i < bytes; i++) {
        int difference = abs((int)d.rgb[i] - (int)(uint8_t)want[i]);
        worst = difference > worst ? difference : worst;
    }
    if (worst > levels)
        fail_msg("%s: differs by up to %d levels", name, worst);
    free(want);
    free(d.rgb);
    return d.info;
}
