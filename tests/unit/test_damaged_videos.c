// Damaged containers: what is missing is reported, even where libav goes on silently. Also things that look like damage
// but aren't.
// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <tubelet/video.h>

#include "ffmpeg_clips.h"

static off_t unreadable_from; // 0: the whole file can be read
static bool only_small_reads; // and libav's reads succeed

// Replaces the system's (tests/CMakeLists.txt).
ssize_t __real_pread(int fd, void *data, size_t bytes, off_t offset);
ssize_t __wrap_pread(int fd, void *data, size_t bytes, off_t offset);
ssize_t __wrap_pread(int fd, void *data, size_t bytes, off_t offset)
{
    if (!unreadable_from || offset + (off_t)bytes <= unreadable_from || (only_small_reads && bytes > 4096))
        return __real_pread(fd, data, bytes, offset);
    errno = ESTALE;
    return -1;
}

static tub_video_info damaged(const char *name)
{
    clips_decoded d = clips_decode(name, NULL);
    free(d.rgb);
    assert_true(d.info.partial);
    assert_true(d.info.reason[0] != 0 && !strchr(d.info.reason, '\n'));
    return d.info;
}

static void expect_whole(const char *name, int64_t frames)
{
    clips_decoded d = clips_decode(name, NULL);
    if (d.info.partial || d.info.frames != frames)
        fail_msg("%s: %d frames, %s", name, (int)d.info.frames, d.info.reason);
    free(d.rgb);
}

// Copies a file; the bytes from `part` of it on become zeros, or are removed.
static void damage_bytes(const char *from, const char *to, double part, size_t count, bool gone)
{
    size_t bytes;
    char *file = test_read_file(test_path(clips_folder, from), &bytes);
    const size_t at = (size_t)((double)bytes * part);
    assert_true(at + count < bytes);
    if (gone)
        memmove(file + at, file + at + count, bytes - at - count);
    else
        memset(file + at, 0, count);
    test_write_file(test_path(clips_folder, to), file, gone ? bytes - count : bytes);
    free(file);
}

static void cut_files_are_partial(void **state)
{
    (void)state;
    must(FFMPEG PATTERN BFRAMES "-pix_fmt yuv420p -movflags faststart front.mp4", "160x120", "2");
    must(FFMPEG "-i front.mp4 -c copy front.mkv");
    clips_keep("front.mp4", "cut_front.mp4", 0.6);
    clips_keep("front.mkv", "cut_front.mkv", 0.6);
    tub_video_info info = damaged("cut_front.mp4");
    assert_true(info.frames > 5 && info.frames < 50);
    info = damaged("cut_front.mkv");
    assert_true(info.frames > 5 && info.frames < 50);
}

// A server that is away for a while says nothing about the video, which may be whole.
static void files_that_cant_be_read_to_their_end_fail(void **state)
{
    (void)state;
    static const char *const names[] = {"unread.mp4", "unread.mkv", "unread.avi", "unread.ts"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        tub_video *video = NULL;
        tub_error err = {0};
        tub_frame frame;
        struct stat about;
        must(FFMPEG PATTERN "-c:v mpeg4 -q:v 2 -movflags faststart %s", "320x240", "4", names[i]);
        assert_int_equal(stat(test_path(clips_folder, names[i]), &about), 0);
        assert_true(about.st_size > 400000);
        assert_int_equal(tub_video_open(test_path(clips_folder, names[i]), NULL, &video, &err), TUB_OK);
        unreadable_from = about.st_size / 2;
        tub_status status;
        while ((status = tub_video_next(video, &frame, &err)) == TUB_OK)
            ;
        unreadable_from = 0;
        tub_video_close(&video);
        assert_int_equal(status, TUB_ERROR_INPUT);
        assert_non_null(strstr(err.text, names[i]));
        assert_non_null(strstr(err.text, strerror(ESTALE)));
    }
}

// What is checked again when libav has reached the end.
static void files_whose_pieces_cant_be_looked_at_fail(void **state)
{
    (void)state;
    static const char *const names[] = {"looked.mkv", "looked.mp4", "looked.avi", "looked.flv"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        tub_video_info info;
        tub_error err = {0};
        must(FFMPEG PATTERN BFRAMES "-pix_fmt yuv420p %s", "160x120", "1", names[i]);
        unreadable_from = 1;
        only_small_reads = true;
        tub_status status = tub_video_probe(test_path(clips_folder, names[i]), NULL, true, &info, &err);
        unreadable_from = 0;
        only_small_reads = false;
        if (status != TUB_ERROR_INPUT)
            fail_msg("%s: status %d, %s", names[i], (int)status, info.reason);
        assert_non_null(strstr(err.text, strerror(ESTALE)));
    }
}

static void garbage_inside_is_partial(void **state)
{
    (void)state;
    size_t bytes;
    must(FFMPEG PATTERN BFRAMES "-pix_fmt yuv420p -movflags faststart sound.mp4", "160x120", "2");
    char *file = test_read_file(test_path(clips_folder, "sound.mp4"), &bytes);
    memset(file + bytes / 2, 0x55, bytes / 10);
    test_write_file(test_path(clips_folder, "garbage.mp4"), file, bytes);
    free(file);
    tub_video_info info = damaged("garbage.mp4");
    assert_true(info.frames > 5 && info.frames <= 50);
}

// libav goes on silently at the next cluster.
static void a_hole_in_matroska_is_partial(void **state)
{
    (void)state;
    const char cluster[] = "\x1f\x43\xb6\x75";
    size_t bytes;
    must(FFMPEG PATTERN "-f lavfi -i sine=duration=2 " BFRAMES "-pix_fmt yuv420p -c:a flac -cluster_time_limit 300 "
                        "clusters.mkv",
         "160x120", "2");
    tub_video_info info = clips_same_as_ffmpeg("clusters.mkv", NULL, "", 0);
    assert_false(info.partial);
    char *file = test_read_file(test_path(clips_folder, "clusters.mkv"), &bytes);
    char *middle = memmem(file + bytes / 2, bytes / 2, cluster, 4);
    assert_non_null(middle);
    memset(middle, 0, 4);
    test_write_file(test_path(clips_folder, "hole.mkv"), file, bytes);
    info = damaged("hole.mkv");
    assert_true(info.frames > 5 && info.frames < 50);
    char words[64];
    snprintf(words, sizeof words, "at byte %ld", (long)(middle - file));
    assert_non_null(strstr(info.reason, words));
    free(file);
}

// libav goes on behind the damage, or ends there, silently. What is cut off ends inside a frame.
static void holes_are_told(const char *name, const char *coding)
{
    char broken[64];
    struct stat about;
    snprintf(broken, sizeof broken, "broken_%s", name);
    must(FFMPEG PATTERN "-f lavfi -i sine=duration=2 %s %s", "160x120", "2", coding, name);
    assert_int_equal(stat(test_path(clips_folder, name), &about), 0);
    clips_decoded whole = clips_decode(name, NULL);
    if (whole.info.partial)
        fail_msg("%s is partial: %s", name, whole.info.reason);
    for (int gone = 0; gone < 2; gone++)
        for (int part = 2; part < 8; part += 2) {
            damage_bytes(name, broken, part / 10.0, (size_t)about.st_size / 20, gone);
            if (damaged(broken).frames >= whole.info.frames)
                fail_msg("%s lost nothing", broken);
        }
    clips_keep(name, broken, 0.6);
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
    expect_whole("behind.mp4", 50);
    size_t bytes;
    char *file = test_read_file(test_path(clips_folder, "f.mp4"), &bytes), *last = NULL;
    for (char *at = file; (at = memmem(at, bytes - (size_t)(at - file), "moof", 4)); at++)
        last = at;
    assert_non_null(last);
    memset(last, 0, 4);
    test_write_file(test_path(clips_folder, "last.mp4"), file, bytes);
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

// If the file states each frame's length, libav takes the next frame for whole, and reports none of those between.
static void frames_gone_from_a_transport_stream_are_missed(void **state)
{
    (void)state;
    size_t bytes;
    must(FFMPEG PATTERN BFRAMES "-pix_fmt yuv420p -omit_video_pes_length 0 sizes.ts", "160x120", "2");
    tub_video_info info = clips_same_as_ffmpeg("sizes.ts", NULL, "", 0);
    assert_int_equal(info.frames, 50);
    assert_false(info.partial);
    char *file = test_read_file(test_path(clips_folder, "sizes.ts"), &bytes);
    char *end = file + bytes, *from = file + bytes / 2 / TS_PACKET * TS_PACKET;
    do // one with fewer packets than the counter has values
        from += next_frame(from, end) - from;
    while (next_frame(from, end) - from >= 10 * TS_PACKET);
    char *to = from + (next_frame(from, end) - from);
    assert_true(to < end);
    char *head = to + (to[3] & 0x20 ? 5 + (uint8_t)to[4] : 4);
    memset(head, 0, 3); // no start code, so that it is read as more of the frame before
    test_write_file(test_path(clips_folder, "headless.ts"), file, bytes);
    head[2] = 1;
    assert_true(damaged("headless.ts").frames < 50);
    memmove(from, to, (size_t)(end - to));
    test_write_file(test_path(clips_folder, "gone.ts"), file, bytes - (size_t)(to - from));
    free(file);
    info = damaged("gone.ts");
    assert_true(info.frames < 50);
    must("head -c %ld sizes.ts > cut.ts", (long)(bytes / 2 / TS_PACKET * TS_PACKET + 100));
    assert_true(damaged("cut.ts").frames < 50);
}

// Each file restarts its counters; times go on, restart, or jump ahead.
static void joined_transport_streams_are_whole(void **state)
{
    (void)state;
    must(FFMPEG PATTERN BFRAMES "-pix_fmt yuv420p go.ts", "160x120", "2");
    must(FFMPEG "-i go.ts -c copy -f segment -segment_time 0.5 part%%d.ts && cat part?.ts > joined.ts");
    must("cat go.ts go.ts > again.ts");
    must(FFMPEG "-i go.ts -c copy -output_ts_offset 100 late.ts && cat go.ts late.ts > later.ts");
    static const char *const names[] = {"joined.ts", "again.ts", "later.ts"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        expect_whole(names[i], i ? 100 : 50);
}

// Live streams don't say how many packets there are. Large frames span many packets, and several small ones fit into
// one.
static void other_asf_is_whole(void **state)
{
    (void)state;
    must(FFMPEG PATTERN "-f lavfi -i sine=duration=2 -c:v wmv2 -b:v 1M -c:a wmav2 one.wmv", "160x120", "2");
    must(FFMPEG "-i one.wmv -c copy -f asf - | cat > live.wmv");
    must(FFMPEG "-i one.wmv -c copy -packet_size 500 small.wmv");
    must(FFMPEG "-i one.wmv -c copy -packet_size 60000 large.wmv");
    static const char *const names[] = {"live.wmv", "small.wmv", "large.wmv"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        expect_whole(names[i], 50);
}

// A cut inside an audio packet, and garbage over a packet's header, which libav skips.
static void a_broken_program_stream_is_partial(void **state)
{
    (void)state;
    const char sound[] = "\0\0\1\xC0", end[] = "\0\0\1\xB9";
    size_t bytes;
    must(FFMPEG PATTERN "-f lavfi -i sine=duration=2 -c:v mpeg2video -q:v 2 -c:a mp2 packs.mpg", "160x120", "2");
    char *file = test_read_file(test_path(clips_folder, "packs.mpg"), &bytes);
    test_write_file(test_path(clips_folder, "end.bin"), end, 4);
    must("cat packs.mpg end.bin > ended.mpg");
    must("(cat ended.mpg; head -c 1500 /dev/zero; cat ended.mpg; echo what else stands there) > two.mpg");
    expect_whole("packs.mpg", 50);
    expect_whole("ended.mpg", 50);
    expect_whole("two.mpg", 100);
    char *packet = memmem(file + bytes / 2, bytes / 2, sound, 4);
    assert_non_null(packet);
    test_write_file(test_path(clips_folder, "cut.mpg"), file, (size_t)(packet + 100 - file));
    assert_true(damaged("cut.mpg").frames < 50);
    memset(packet, 0x55, 4);
    test_write_file(test_path(clips_folder, "hole.mpg"), file, bytes);
    damaged("hole.mpg");
    free(file);
}

static void append_zeros(const char *from, const char *to, double part, long count)
{
    clips_keep(from, to, part);
    must("head -c %ld /dev/zero >> %s", count, to);
}

// Downloads and recordings that were given space at the start, and ended early. A few zeros only fill up a block.
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
        expect_whole("some.bin", 50);
        append_zeros(names[i], "many.bin", 0.6, 100000);
        assert_true(damaged("many.bin").frames < 50);
    }
}

// libav looks for the next chunk, but it has read the index.
static void a_hole_in_avi_is_partial(void **state)
{
    (void)state;
    struct stat about;
    must(FFMPEG PATTERN "-c:v mjpeg -pix_fmt yuvj420p chunks.avi", "160x120", "2");
    must(FFMPEG PATTERN "-vf 'select=not(between(n\\,10\\,19))' -fps_mode vfr -c:v mjpeg -pix_fmt yuvj420p gap.avi",
         "160x120", "2"); // frames that are shown again are chunks without content
    must(FFMPEG "-i chunks.avi -c copy -f avi - | cat > piped.avi"); // its size isn't stated
    static const char *const whole[] = {"chunks.avi", "gap.avi", "piped.avi"};
    for (size_t i = 0; i < sizeof whole / sizeof *whole; i++)
        expect_whole(whole[i], i == 1 ? 40 : 50);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(stat(test_path(clips_folder, whole[i]), &about), 0);
        damage_bytes(whole[i], "hole.avi", 0.5, (size_t)about.st_size / 20, false);
        assert_true(damaged("hole.avi").frames < 50 - 10 * i);
    }
}

// libav ends where no block begins. Nobody looks behind the trailer, and some writers forget it.
static void a_broken_gif_is_partial(void **state)
{
    (void)state;
    size_t bytes;
    must(FFMPEG PATTERN "blocks.gif", "96x64", "1");
    must("(cat blocks.gif; echo what else) > more.gif");
    char *file = test_read_file(test_path(clips_folder, "blocks.gif"), &bytes);
    test_write_file(test_path(clips_folder, "open.gif"), file, bytes - 1);
    free(file);
    static const char *const whole[] = {"blocks.gif", "more.gif", "open.gif"};
    for (size_t i = 0; i < sizeof whole / sizeof *whole; i++)
        expect_whole(whole[i], 25);
    damage_bytes("blocks.gif", "hole.gif", 0.5, bytes / 20, false);
    assert_true(damaged("hole.gif").frames < 25);
    clips_keep("blocks.gif", "cut.gif", 0.6);
    assert_true(damaged("cut.gif").frames < 25);
}

// What some FLV writers do, and what gets appended to files.
static void odd_flv_is_whole(void **state)
{
    (void)state;
    size_t bytes;
    must(FFMPEG PATTERN BFRAMES "-pix_fmt yuv420p odd.flv", "160x120", "1");
    char *file = test_read_file(test_path(clips_folder, "odd.flv"), &bytes);
    test_write_file(test_path(clips_folder, "end.flv"), file, bytes - 4); // no size after the last tag
    must("(cat odd.flv; echo) > line.flv");
    for (size_t at = 13, size; at < bytes; at += 11 + size + 4) {
        size = (size_t)(uint8_t)file[at + 1] << 16 | (size_t)(uint8_t)file[at + 2] << 8 | (uint8_t)file[at + 3];
        file[at + 11 + size] = 0;
        memcpy(file + at + 11 + size + 1, file + at + 1, 3);
    }
    test_write_file(test_path(clips_folder, "links.flv"), file, bytes); // sizes of contents instead of tags
    free(file);
    static const char *const names[] = {"odd.flv", "end.flv", "line.flv", "links.flv"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        expect_whole(names[i], 25);
}

static void a_start_inside_a_group_is_partial(void **state)
{
    (void)state;
    must(FFMPEG PATTERN BFRAMES "-pix_fmt yuv420p -x264-params scenecut=0:open-gop=0 all.ts", "160x120", "2");
    // Whole TS packets from the first third on. The tables are repeated often enough to be found.
    struct stat about;
    assert_int_equal(stat(test_path(clips_folder, "all.ts"), &about), 0);
    must("tail -c +%ld all.ts > late.ts", (long)(about.st_size / 3 / 188 * 188 + 1));
    tub_video_info info = damaged("late.ts");
    assert_true(info.frames > 0 && info.frames < 50);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cut_files_are_partial),
        cmocka_unit_test(files_that_cant_be_read_to_their_end_fail),
        cmocka_unit_test(files_whose_pieces_cant_be_looked_at_fail),
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
    };
    return cmocka_run_group_tests(tests, clips_set_up, clips_tear_down);
}
