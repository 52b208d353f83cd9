// The reader against the ffmpeg command, on clips that the test encodes with it.
// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on

#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <tubelet/video.h>
#include <unistd.h>

#include "temp_folder.h"

#define FFMPEG "ffmpeg -v error -nostdin -y "
#define PATTERN "-f lavfi -i testsrc2=size=%s:rate=25:duration=%s "
#define BFRAMES "-c:v libx264 -preset veryfast -bf 2 -g 12 -threads 1 "

static char *folder;

static int shell(const char *format, ...) __attribute__((format(printf, 1, 2)));

// Runs a command in the test's folder.
static int shell(const char *format, ...)
{
    char text[2048];
    int at = snprintf(text, sizeof text, "cd '%s' && ", folder);
    va_list list;
    va_start(list, format);
    vsnprintf(text + at, sizeof text - (size_t)at, format, list);
    va_end(list);
    return system(text);
}

#define must(...) assert_int_equal(shell(__VA_ARGS__), 0)

typedef struct decoded {
    uint8_t *rgb;
    size_t bytes;
    tub_video_info info;
    double worst_step; // the smallest difference of two neighbours' times
} decoded;

static decoded decode(const char *name, const tub_video_params *params)
{
    decoded d = {.worst_step = 1e9};
    tub_video *video = NULL;
    tub_error err = {0};
    tub_frame frame;
    int height, width;
    bool is_float;
    size_t bytes;
    double before = 0;
    if (tub_video_open(test_path(folder, name), params, &video, &err) != TUB_OK)
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

// All frames of a video against the ffmpeg command's RGB, at most `levels` apart. Returns the info.
static tub_video_info same_as_ffmpeg(const char *name, const tub_video_params *params, const char *map, int levels)
{
    size_t bytes = 0;
    decoded d = decode(name, params);
    // It exits with an error for damaged files, and gives what it could decode.
    (void)shell(FFMPEG "-i '%s' %s -fps_mode passthrough -f rawvideo -pix_fmt rgb24 want.rgb 2>/dev/null", name, map);
    char *want = test_read_file(test_path(folder, "want.rgb"), &bytes);
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

static void b_frames_come_in_display_order(void **state)
{
    (void)state;
    must(FFMPEG PATTERN BFRAMES "-pix_fmt yuv420p b.mp4", "100x68", "1.2");
    tub_video_info info = same_as_ffmpeg("b.mp4", NULL, "", 0);
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
    decoded d = decode("x.avi", NULL);
    assert_int_equal(d.info.frames, 25);
    assert_true(d.worst_step > 0);
    assert_true(d.info.last_pts - d.info.first_pts > 0.9 && d.info.last_pts - d.info.first_pts < 1.1);
    assert_false(d.info.partial);
    free(d.rgb);
}

// Where pixel (y, x) of the frame turned clockwise by `degrees` lies in the flat one of `height` x `width`.
static size_t flat_position(int degrees, int y, int x, int height, int width)
{
    int row = degrees == 90 ? height - 1 - x : degrees == 180 ? height - 1 - y : x;
    int column = degrees == 90 ? y : degrees == 180 ? width - 1 - x : width - 1 - y;
    return ((size_t)row * (size_t)width + (size_t)column) * 3;
}

// Returns the degrees, which depend on the ffmpeg version's idea of the option's sign.
static int rotated(const char *degrees)
{
    must(FFMPEG PATTERN BFRAMES "-pix_fmt yuv420p flat.mp4", "96x56", "0.2");
    // The option of FFmpeg 6 and later, or the tag of earlier ones.
    if (shell(FFMPEG "-display_rotation %s -i flat.mp4 -c copy turned.mp4 2>/dev/null", degrees) != 0)
        must(FFMPEG "-i flat.mp4 -c copy -metadata:s:v:0 rotate=%s turned.mp4", degrees);
    tub_video_info info = same_as_ffmpeg("turned.mp4", NULL, "", 0);
    decoded flat = decode("flat.mp4", NULL), turned = decode("turned.mp4", NULL);
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
    same_as_ffmpeg("f422.mp4", NULL, "", 2);
    must(FFMPEG PATTERN BFRAMES "-pix_fmt yuv444p odd444.mp4", "67x45", "0.2");
    same_as_ffmpeg("odd444.mp4", NULL, "", 8);
    must(FFMPEG PATTERN "-c:v mpeg4 -pix_fmt yuv420p odd420.avi", "67x45", "0.2");
    same_as_ffmpeg("odd420.avi", NULL, "", 8);
    must(FFMPEG PATTERN BFRAMES "-pix_fmt yuv420p -color_range pc -colorspace bt709 full.mp4", "64x48", "0.2");
    tub_video_info info = same_as_ffmpeg("full.mp4", NULL, "", 0);
    assert_string_equal(info.matrix, "bt709");
    assert_string_equal(info.range, "pc");
    must(FFMPEG PATTERN "p.gif", "64x48", "0.4");
    same_as_ffmpeg("p.gif", NULL, "", 0);
}

static void vp9_in_webm(void **state)
{
    (void)state;
    must(FFMPEG PATTERN "-c:v libvpx-vp9 -deadline realtime -cpu-used 8 -threads 1 v.webm", "66x50", "0.4");
    tub_video_info info = same_as_ffmpeg("v.webm", NULL, "", 0);
    assert_int_equal(info.frames, 10);
    assert_false(info.partial);
}

static void edit_lists_are_obeyed(void **state)
{
    (void)state;
    must(FFMPEG PATTERN BFRAMES "-pix_fmt yuv420p whole.mp4", "64x48", "2");
    must(FFMPEG "-ss 0.9 -i whole.mp4 -c copy cut.mp4");
    tub_video_info info = same_as_ffmpeg("cut.mp4", NULL, "", 0);
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
    decoded d = decode("both.ts", NULL);
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
    tub_video_info info = same_as_ffmpeg("pair.mkv", &second, "-map 0:v:1", 0);
    assert_int_equal(info.stream, 1);
    assert_int_equal(info.video_streams, 2);
    assert_int_equal(info.frames, 10);
    tub_video *video = NULL;
    tub_error err = {0};
    assert_int_equal(tub_video_open(test_path(folder, "pair.mkv"), &third, &video, &err), TUB_ERROR_ARGUMENT);
    assert_null(video);
    assert_non_null(strstr(err.text, "pair.mkv"));
}

static tub_video_info damaged(const char *name)
{
    decoded d = decode(name, NULL);
    free(d.rgb);
    assert_true(d.info.partial);
    assert_true(d.info.reason[0] != 0 && !strchr(d.info.reason, '\n'));
    return d.info;
}

static void keep_bytes(const char *from, const char *to, double part)
{
    struct stat about;
    assert_int_equal(stat(test_path(folder, from), &about), 0);
    must("head -c %ld %s > %s", (long)((double)about.st_size * part), from, to);
}

static void cut_files_are_partial(void **state)
{
    (void)state;
    must(FFMPEG PATTERN BFRAMES "-pix_fmt yuv420p -movflags faststart front.mp4", "160x120", "2");
    must(FFMPEG "-i front.mp4 -c copy front.mkv");
    keep_bytes("front.mp4", "cut_front.mp4", 0.6);
    keep_bytes("front.mkv", "cut_front.mkv", 0.6);
    tub_video_info info = damaged("cut_front.mp4");
    assert_true(info.frames > 5 && info.frames < 50);
    info = damaged("cut_front.mkv");
    assert_true(info.frames > 5 && info.frames < 50);
}

static void garbage_inside_is_partial(void **state)
{
    (void)state;
    size_t bytes;
    must(FFMPEG PATTERN BFRAMES "-pix_fmt yuv420p -movflags faststart sound.mp4", "160x120", "2");
    char *file = test_read_file(test_path(folder, "sound.mp4"), &bytes);
    memset(file + bytes / 2, 0x55, bytes / 10);
    test_write_file(test_path(folder, "garbage.mp4"), file, bytes);
    free(file);
    tub_video_info info = damaged("garbage.mp4");
    assert_true(info.frames > 5 && info.frames <= 50);
}

// libav goes on at the cluster behind it, and says nothing.
static void a_hole_in_matroska_is_partial(void **state)
{
    (void)state;
    const char cluster[] = "\x1f\x43\xb6\x75";
    size_t bytes;
    must(FFMPEG PATTERN "-f lavfi -i sine=duration=2 " BFRAMES "-pix_fmt yuv420p -c:a flac -cluster_time_limit 300 "
                        "clusters.mkv",
         "160x120", "2");
    tub_video_info info = same_as_ffmpeg("clusters.mkv", NULL, "", 0);
    assert_false(info.partial);
    char *file = test_read_file(test_path(folder, "clusters.mkv"), &bytes);
    char *middle = memmem(file + bytes / 2, bytes / 2, cluster, 4);
    assert_non_null(middle);
    memset(middle, 0, 4);
    test_write_file(test_path(folder, "hole.mkv"), file, bytes);
    info = damaged("hole.mkv");
    assert_true(info.frames > 5 && info.frames < 50);
    char words[64];
    snprintf(words, sizeof words, "at byte %ld", (long)(middle - file));
    assert_non_null(strstr(info.reason, words));
    free(file);
}

// A copy of a file whose bytes from `part` of it on are zeros, or gone.
static void damage_bytes(const char *from, const char *to, double part, size_t count, bool gone)
{
    size_t bytes;
    char *file = test_read_file(test_path(folder, from), &bytes);
    const size_t at = (size_t)((double)bytes * part);
    assert_true(at + count < bytes);
    if (gone)
        memmove(file + at, file + at + count, bytes - at - count);
    else
        memset(file + at, 0, count);
    test_write_file(test_path(folder, to), file, gone ? bytes - count : bytes);
    free(file);
}

// libav goes on behind the damage, or ends there, and says nothing. What is cut off ends inside a frame.
static void holes_are_told(const char *name, const char *coding)
{
    char broken[64];
    struct stat about;
    snprintf(broken, sizeof broken, "broken_%s", name);
    must(FFMPEG PATTERN "-f lavfi -i sine=duration=2 %s %s", "160x120", "2", coding, name);
    assert_int_equal(stat(test_path(folder, name), &about), 0);
    decoded whole = decode(name, NULL);
    if (whole.info.partial)
        fail_msg("%s is partial: %s", name, whole.info.reason);
    for (int gone = 0; gone < 2; gone++)
        for (int part = 2; part < 8; part += 2) {
            damage_bytes(name, broken, part / 10.0, (size_t)about.st_size / 20, gone);
            if (damaged(broken).frames >= whole.info.frames)
                fail_msg("%s lost nothing", broken);
        }
    keep_bytes(name, broken, 0.6);
    assert_true(damaged(broken).frames < whole.info.frames);
    free(whole.rgb);
}

static void holes_are_partial(void **state)
{
    (void)state;
    holes_are_told("tags.flv", BFRAMES "-pix_fmt yuv420p -c:a aac");
    holes_are_told("fragments.mp4", "-c:v mjpeg -pix_fmt yuvj420p -an -movflags frag_every_frame+empty_moov");
    holes_are_told("packets.wmv", "-c:v wmv2 -b:v 400k -c:a wmav2");
    holes_are_told("pages.ogv", "-c:v libtheora -b:v 400k -c:a flac");
}

static void only_fragments_behind_fragments_are_missed(void **state)
{
    (void)state;
    must(FFMPEG PATTERN BFRAMES "-pix_fmt yuv420p -movflags frag_keyframe+empty_moov f.mp4", "160x120", "2");
    must("(cat f.mp4; head -c 5000 /dev/zero; echo what else stands there) > behind.mp4");
    decoded d = decode("behind.mp4", NULL);
    if (d.info.partial || d.info.frames != 50)
        fail_msg("%d frames, %s", (int)d.info.frames, d.info.reason);
    free(d.rgb);
    size_t bytes;
    char *file = test_read_file(test_path(folder, "f.mp4"), &bytes), *last = NULL;
    for (char *at = file; (at = memmem(at, bytes - (size_t)(at - file), "moof", 4)); at++)
        last = at;
    assert_non_null(last);
    memset(last, 0, 4);
    test_write_file(test_path(folder, "last.mp4"), file, bytes);
    free(file);
    assert_true(damaged("last.mp4").frames < 50);
}

enum { TS_PACKET = 188, TS_VIDEO = 0x100 };

static bool starts_a_frame(const char *packet)
{
    const uint8_t *p = (const uint8_t *)packet;
    return p[1] & 0x40 && ((p[1] & 0x1F) << 8 | p[2]) == TS_VIDEO;
}

static const char *next_frame(const char *packet, const char *end)
{
    do
        packet += TS_PACKET;
    while (packet < end && !starts_a_frame(packet));
    return packet;
}

// Where the file says how long each frame is, libav takes the next one for whole, and tells nothing of those between.
static void frames_gone_from_a_transport_stream_are_missed(void **state)
{
    (void)state;
    size_t bytes;
    must(FFMPEG PATTERN BFRAMES "-pix_fmt yuv420p -omit_video_pes_length 0 sizes.ts", "160x120", "2");
    tub_video_info info = same_as_ffmpeg("sizes.ts", NULL, "", 0);
    assert_int_equal(info.frames, 50);
    assert_false(info.partial);
    char *file = test_read_file(test_path(folder, "sizes.ts"), &bytes);
    char *end = file + bytes, *from = file + bytes / 2 / TS_PACKET * TS_PACKET;
    do // one that has fewer packets than the counter has numbers
        from += next_frame(from, end) - from;
    while (next_frame(from, end) - from >= 10 * TS_PACKET);
    char *to = from + (next_frame(from, end) - from);
    assert_true(to < end);
    char *head = to + (to[3] & 0x20 ? 5 + (uint8_t)to[4] : 4);
    memset(head, 0, 3); // no start, so that it is taken for more of the frame before
    test_write_file(test_path(folder, "headless.ts"), file, bytes);
    head[2] = 1;
    assert_true(damaged("headless.ts").frames < 50);
    memmove(from, to, (size_t)(end - to));
    test_write_file(test_path(folder, "gone.ts"), file, bytes - (size_t)(to - from));
    free(file);
    info = damaged("gone.ts");
    assert_true(info.frames < 50);
    must("head -c %ld sizes.ts > cut.ts", (long)(bytes / 2 / TS_PACKET * TS_PACKET + 100));
    assert_true(damaged("cut.ts").frames < 50);
}

// Each file begins its counters anew; times go on, begin anew, or are later ones.
static void joined_transport_streams_are_whole(void **state)
{
    (void)state;
    must(FFMPEG PATTERN BFRAMES "-pix_fmt yuv420p go.ts", "160x120", "2");
    must(FFMPEG "-i go.ts -c copy -f segment -segment_time 0.5 part%%d.ts && cat part?.ts > joined.ts");
    must("cat go.ts go.ts > again.ts");
    must(FFMPEG "-i go.ts -c copy -output_ts_offset 100 late.ts && cat go.ts late.ts > later.ts");
    static const char *const names[] = {"joined.ts", "again.ts", "later.ts"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        decoded d = decode(names[i], NULL);
        if (d.info.partial || d.info.frames != (i ? 100 : 50))
            fail_msg("%s: %d frames, %s", names[i], (int)d.info.frames, d.info.reason);
        free(d.rgb);
    }
}

// Live ones don't say how many packets there are; larger frames span many packets, and several fit into one.
static void other_asf_is_whole(void **state)
{
    (void)state;
    must(FFMPEG PATTERN "-f lavfi -i sine=duration=2 -c:v wmv2 -b:v 1M -c:a wmav2 one.wmv", "160x120", "2");
    must(FFMPEG "-i one.wmv -c copy -f asf - | cat > live.wmv");
    must(FFMPEG "-i one.wmv -c copy -packet_size 500 small.wmv");
    must(FFMPEG "-i one.wmv -c copy -packet_size 60000 large.wmv");
    static const char *const names[] = {"live.wmv", "small.wmv", "large.wmv"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        decoded d = decode(names[i], NULL);
        if (d.info.partial || d.info.frames != 50)
            fail_msg("%s: %d frames, %s", names[i], (int)d.info.frames, d.info.reason);
        free(d.rgb);
    }
}

static void expect_whole(const char *name, int64_t frames)
{
    decoded d = decode(name, NULL);
    if (d.info.partial || d.info.frames != frames)
        fail_msg("%s: %d frames, %s", name, (int)d.info.frames, d.info.reason);
    free(d.rgb);
}

// A cut inside a packet of sound, and garbage over the head of a packet, that libav passes over.
static void a_broken_program_stream_is_partial(void **state)
{
    (void)state;
    const char sound[] = "\0\0\1\xC0", end[] = "\0\0\1\xB9";
    size_t bytes;
    must(FFMPEG PATTERN "-f lavfi -i sine=duration=2 -c:v mpeg2video -q:v 2 -c:a mp2 packs.mpg", "160x120", "2");
    char *file = test_read_file(test_path(folder, "packs.mpg"), &bytes);
    test_write_file(test_path(folder, "end.bin"), end, 4);
    must("cat packs.mpg end.bin > ended.mpg");
    must("(cat ended.mpg; head -c 1500 /dev/zero; cat ended.mpg; echo what else stands there) > two.mpg");
    expect_whole("packs.mpg", 50);
    expect_whole("ended.mpg", 50);
    expect_whole("two.mpg", 100);
    char *packet = memmem(file + bytes / 2, bytes / 2, sound, 4);
    assert_non_null(packet);
    test_write_file(test_path(folder, "cut.mpg"), file, (size_t)(packet + 100 - file));
    assert_true(damaged("cut.mpg").frames < 50);
    memset(packet, 0x55, 4);
    test_write_file(test_path(folder, "hole.mpg"), file, bytes);
    damaged("hole.mpg");
    free(file);
}

static void append_zeros(const char *from, const char *to, double part, long count)
{
    keep_bytes(from, to, part);
    must("head -c %ld /dev/zero >> %s", count, to);
}

// As downloads and recordings leave them that were given room at the start, and ended early. A few fill up a block.
static void files_that_end_in_zeros_are_partial(void **state)
{
    (void)state;
    static const char *const names[] = {"room.ts", "room.ivf", "room.avi", "room.mp4"};
    static const char *const codings[] = {BFRAMES "-pix_fmt yuv420p", "-c:v libvpx -deadline realtime",
                                          "-c:v mjpeg -q:v 2 -pix_fmt yuvj420p -write_index 0",
                                          "-c:v mpeg4 -movflags frag_every_frame+empty_moov"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        must(FFMPEG PATTERN "%s %s", "160x120", "2", codings[i], names[i]);
        append_zeros(names[i], "some.bin", 1, 3000);
        decoded d = decode("some.bin", NULL);
        if (d.info.partial || d.info.frames != 50)
            fail_msg("%s: %d frames, %s", names[i], (int)d.info.frames, d.info.reason);
        free(d.rgb);
        append_zeros(names[i], "many.bin", 0.6, 100000);
        assert_true(damaged("many.bin").frames < 50);
    }
}

// libav looks for the next chunk, but has read the index.
static void a_hole_in_avi_is_partial(void **state)
{
    (void)state;
    struct stat about;
    must(FFMPEG PATTERN "-c:v mjpeg -pix_fmt yuvj420p chunks.avi", "160x120", "2");
    must(FFMPEG PATTERN "-vf 'select=not(between(n\\,10\\,19))' -fps_mode vfr -c:v mjpeg -pix_fmt yuvj420p gap.avi",
         "160x120", "2"); // frames that are to be shown again are chunks without content
    must(FFMPEG "-i chunks.avi -c copy -f avi - | cat > piped.avi"); // its size isn't stated
    static const char *const whole[] = {"chunks.avi", "gap.avi", "piped.avi"};
    for (size_t i = 0; i < sizeof whole / sizeof *whole; i++) {
        decoded d = decode(whole[i], NULL);
        if (d.info.partial || d.info.frames != (i == 1 ? 40 : 50))
            fail_msg("%s: %d frames, %s", whole[i], (int)d.info.frames, d.info.reason);
        free(d.rgb);
    }
    for (int i = 0; i < 2; i++) {
        assert_int_equal(stat(test_path(folder, whole[i]), &about), 0);
        damage_bytes(whole[i], "hole.avi", 0.5, (size_t)about.st_size / 20, false);
        assert_true(damaged("hole.avi").frames < 50 - 10 * i);
    }
}

// libav ends where no block begins. Behind the trailer nobody looks, and some writers forget it.
static void a_broken_gif_is_partial(void **state)
{
    (void)state;
    size_t bytes;
    must(FFMPEG PATTERN "blocks.gif", "96x64", "1");
    must("(cat blocks.gif; echo what else) > more.gif");
    char *file = test_read_file(test_path(folder, "blocks.gif"), &bytes);
    test_write_file(test_path(folder, "open.gif"), file, bytes - 1);
    free(file);
    static const char *const whole[] = {"blocks.gif", "more.gif", "open.gif"};
    for (size_t i = 0; i < sizeof whole / sizeof *whole; i++) {
        decoded d = decode(whole[i], NULL);
        if (d.info.partial || d.info.frames != 25)
            fail_msg("%s: %d frames, %s", whole[i], (int)d.info.frames, d.info.reason);
        free(d.rgb);
    }
    damage_bytes("blocks.gif", "hole.gif", 0.5, bytes / 20, false);
    assert_true(damaged("hole.gif").frames < 25);
    keep_bytes("blocks.gif", "cut.gif", 0.6);
    assert_true(damaged("cut.gif").frames < 25);
}

// What some writers of FLV do, and what is appended to files.
static void odd_flv_is_whole(void **state)
{
    (void)state;
    size_t bytes;
    must(FFMPEG PATTERN BFRAMES "-pix_fmt yuv420p odd.flv", "160x120", "1");
    char *file = test_read_file(test_path(folder, "odd.flv"), &bytes);
    test_write_file(test_path(folder, "end.flv"), file, bytes - 4); // no size behind the last tag
    must("(cat odd.flv; echo) > line.flv");
    for (size_t at = 13, size; at < bytes; at += 11 + size + 4) {
        size = (size_t)(uint8_t)file[at + 1] << 16 | (size_t)(uint8_t)file[at + 2] << 8 | (uint8_t)file[at + 3];
        file[at + 11 + size] = 0;
        memcpy(file + at + 11 + size + 1, file + at + 1, 3);
    }
    test_write_file(test_path(folder, "links.flv"), file, bytes); // sizes of contents, not of tags
    free(file);
    static const char *const names[] = {"odd.flv", "end.flv", "line.flv", "links.flv"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        decoded d = decode(names[i], NULL);
        if (d.info.partial || d.info.frames != 25)
            fail_msg("%s: %d frames, %s", names[i], (int)d.info.frames, d.info.reason);
        free(d.rgb);
    }
}

static void a_start_inside_a_group_is_partial(void **state)
{
    (void)state;
    must(FFMPEG PATTERN BFRAMES "-pix_fmt yuv420p -x264-params scenecut=0:open-gop=0 all.ts", "160x120", "2");
    // Whole TS packets from the first third on; the tables are repeated often enough to be found.
    struct stat about;
    assert_int_equal(stat(test_path(folder, "all.ts"), &about), 0);
    must("tail -c +%ld all.ts > late.ts", (long)(about.st_size / 3 / 188 * 188 + 1));
    tub_video_info info = damaged("late.ts");
    assert_true(info.frames > 0 && info.frames < 50);
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
    test_write_file(test_path(folder, "empty.mp4"), "", 0);
    test_write_file(test_path(folder, "text.mp4"), "this is no video\n", 17);
    must(FFMPEG "-f lavfi -i sine=duration=0.3 -c:a aac sound_only.mp4");
    must(FFMPEG PATTERN BFRAMES "-pix_fmt yuv420p last.mp4", "64x48", "1");
    keep_bytes("last.mp4", "no_moov.mp4", 0.7);
    must("mkfifo pipe.mp4");
    expect_error(test_path(folder, "missing.mp4"), TUB_ERROR_INPUT, "No such file");
    expect_error(folder, TUB_ERROR_INPUT, "folder");
    expect_error(test_path(folder, "pipe.mp4"), TUB_ERROR_INPUT, "not a regular file");
    expect_error(test_path(folder, "empty.mp4"), TUB_ERROR_VIDEO, "empty");
    expect_error(test_path(folder, "text.mp4"), TUB_ERROR_VIDEO, "not a video");
    expect_error(test_path(folder, "no_moov.mp4"), TUB_ERROR_VIDEO, "not a video");
    expect_error(test_path(folder, "sound_only.mp4"), TUB_ERROR_VIDEO, "no video stream");
    tub_video *video = NULL;
    tub_error err;
    tub_video_params params = {.size = sizeof params, .threads = INT_MAX}; // libav has no memory for so many
    assert_int_equal(tub_video_open(test_path(folder, "last.mp4"), &params, &video, &err), TUB_ERROR_MEMORY);
    assert_non_null(strstr(err.text, "its decoder can't be opened: not enough memory"));
}

// A playlist names other files: it isn't followed, nor is any container that isn't on the list.
static void other_files_are_not_opened(void **state)
{
    (void)state;
    must(FFMPEG PATTERN BFRAMES "-pix_fmt yuv420p target.mp4", "64x48", "0.2");
    static const char concat[] = "ffconcat version 1.0\nfile target.mp4\n";
    static const char playlist[] = "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\ntarget.mp4\n#EXT-X-ENDLIST\n";
    test_write_file(test_path(folder, "list.mp4"), concat, sizeof concat - 1);
    test_write_file(test_path(folder, "live.m3u8"), playlist, sizeof playlist - 1);
    expect_error(test_path(folder, "list.mp4"), TUB_ERROR_VIDEO, "no container that can be read: it is a playlist");
    expect_error(test_path(folder, "live.m3u8"), TUB_ERROR_VIDEO, "no container that can be read: it is a playlist");
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
    assert_int_equal(tub_video_open(test_path(folder, "end.mp4"), &params, &video, NULL), TUB_OK);
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
    assert_int_equal(tub_video_probe(test_path(folder, "probe.mp4"), NULL, false, &info, NULL), TUB_OK);
    assert_false(info.complete);
    assert_int_equal(info.frames, 1);
    assert_int_equal(tub_video_probe(test_path(folder, "probe.mp4"), NULL, true, &info, NULL), TUB_OK);
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

static int set_up(void **state)
{
    (void)state;
    tub_video_silence_decoders();
    folder = test_folder_make();
    return shell("command -v ffmpeg >/dev/null");
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
        cmocka_unit_test(b_frames_come_in_display_order),
        cmocka_unit_test(times_are_made_where_the_file_has_none),
        cmocka_unit_test(rotation_is_applied),
        cmocka_unit_test(other_pixel_formats),
        cmocka_unit_test(vp9_in_webm),
        cmocka_unit_test(edit_lists_are_obeyed),
        cmocka_unit_test(size_may_change_midway),
        cmocka_unit_test(one_stream_of_several),
        cmocka_unit_test(cut_files_are_partial),
        cmocka_unit_test(garbage_inside_is_partial),
        cmocka_unit_test(a_hole_in_matroska_is_partial),
        cmocka_unit_test(holes_are_partial),
        cmocka_unit_test(only_fragments_behind_fragments_are_missed),
        cmocka_unit_test(frames_gone_from_a_transport_stream_are_missed),
        cmocka_unit_test(joined_transport_streams_are_whole),
        cmocka_unit_test(other_asf_is_whole),
        cmocka_unit_test(a_broken_program_stream_is_partial),
        cmocka_unit_test(files_that_end_in_zeros_are_partial),
        cmocka_unit_test(a_hole_in_avi_is_partial),
        cmocka_unit_test(a_broken_gif_is_partial),
        cmocka_unit_test(odd_flv_is_whole),
        cmocka_unit_test(a_start_inside_a_group_is_partial),
        cmocka_unit_test(what_is_no_video_fails_with_a_reason),
        cmocka_unit_test(other_files_are_not_opened),
        cmocka_unit_test(the_last_frame_stays_after_the_end),
        cmocka_unit_test(probing_counts_on_request),
        cmocka_unit_test(names_of_videos),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
