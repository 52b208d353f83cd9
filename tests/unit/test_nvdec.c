// Decoding on a GPU against decoding on the processor. libav's own code for GPUs runs, on a driver and a decoder that
// are fakes (tests/fakes/fake_nvdec_cuda.c, fake_nvcuvid.c): CTest puts them where the loader looks first.
// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on

#include <libavutil/hwcontext.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tubelet/video.h>

#include "decoder_list.h"
#include "hash.h"
#include "temp_folder.h"
#include "whole_video.h"

static char *folder;
static bool libav_knows_gpus;

static bool make(const char *name, const char *filter, const char *options)
{
    char command[2048];
    snprintf(command, sizeof command,
             "cd '%s' && ffmpeg -v error -nostdin -y -f lavfi -i testsrc2=size=%s:rate=25:duration=2 "
             "-vf noise=alls=20,%s %s %s",
             folder, "146x98", filter, options, name);
    return system(command) == 0;
}

static outcome decode(const char *path, int gpu)
{
    const tub_video_params params = {.size = sizeof params, .gpu = gpu};
    setenv("FAKE_NVDEC_VIDEO", path, 1);
    const outcome o = whole_video(path, &params);
    assert_true(o.hash[0]); // it was opened
    return o;
}

// The same frames and the same words about them. Returns what the GPU's outcome says.
static tub_video_info same_frames(const char *name)
{
    const char *path = test_path(folder, name);
    const outcome want = decode(path, 0), have = decode(path, 1);
    assert_int_equal(want.status, TUB_END);
    assert_int_equal(have.status, TUB_END);
    assert_true(want.info.frames > 0);
    assert_int_equal(have.info.frames, want.info.frames);
    if (strcmp(have.hash, want.hash) != 0)
        fail_msg("%s: other frames by %s (%s)", name, have.info.decoder, have.info.why_not_gpu);
    assert_string_equal(have.info.pixel_format, want.info.pixel_format);
    assert_string_equal(have.info.matrix, want.info.matrix);
    assert_string_equal(have.info.range, want.info.range);
    assert_string_equal(have.info.profile, want.info.profile);
    assert_int_equal(have.info.partial, want.info.partial);
    assert_string_equal(have.info.reason, want.info.reason);
    assert_string_equal(want.info.why_not_gpu, "");
    assert_string_not_equal(want.info.decoder, "nvdec");
    return have.info;
}

// The others have nothing to say where libav itself knows no NVIDIA GPUs.
static void on_gpu(const char *name)
{
    if (!libav_knows_gpus)
        skip();
    const tub_video_info info = same_frames(name);
    if (strcmp(info.decoder, "nvdec") != 0)
        fail_msg("%s: decoded by %s: %s", name, info.decoder, info.why_not_gpu);
    assert_string_equal(info.why_not_gpu, "");
}

static void on_the_processor(const char *name, const char *why)
{
    const tub_video_info info = same_frames(name);
    assert_string_not_equal(info.decoder, "nvdec");
    if (!strstr(info.why_not_gpu, why))
        fail_msg("%s: \"%s\", not \"%s\"", name, info.why_not_gpu, why);
}

// ---- what a GPU decodes ----

static const char h264[] = "-c:v libx264 -preset veryfast -bf 3 -threads 1";

static void h264_with_b_frames(void **state)
{
    (void)state;
    assert_true(make("b.mp4", "format=yuv420p", h264));
    on_gpu("b.mp4");
}

static void other_ranges_and_matrices(void **state)
{
    (void)state;
    assert_true(make("full.mp4", "scale=out_range=full,format=yuvj420p", h264));
    on_gpu("full.mp4");
    assert_true(make("709.mp4", "format=yuv420p,setparams=colorspace=bt709:range=tv", h264));
    on_gpu("709.mp4");
}

static void several_slices_a_frame(void **state)
{
    (void)state;
    assert_true(make("slices.mp4", "format=yuv420p", "-c:v libx264 -slices 4 -threads 1"));
    on_gpu("slices.mp4");
}

static void hevc_of_8_10_and_12_bits(void **state)
{
    (void)state;
    static const char *const formats[] = {"format=yuv420p", "format=yuv420p10le", "format=yuv420p12le"};
    for (int i = 0; i < 3; i++)
        if (make("hevc.mp4", formats[i], "-c:v libx265 -x265-params log-level=none"))
            on_gpu("hevc.mp4");
        else
            print_message("no encoder for HEVC, %s\n", formats[i]);
}

static void vp8_vp9_and_av1(void **state)
{
    (void)state;
    if (make("8.webm", "format=yuv420p", "-c:v libvpx -auto-alt-ref 0"))
        on_gpu("8.webm");
    if (make("9.webm", "format=yuv420p", "-c:v libvpx-vp9 -auto-alt-ref 0 -deadline realtime -cpu-used 8"))
        on_gpu("9.webm");
    if (make("av1.mkv", "format=yuv420p", "-c:v libaom-av1 -cpu-used 8 -usage realtime -lag-in-frames 0"))
        on_gpu("av1.mkv");
}

static void turned_ones(void **state)
{
    (void)state;
    assert_true(make("t.mp4", "format=yuv420p", h264));
    char command[1024];
    snprintf(command, sizeof command,
             "cd '%s' && ffmpeg -v error -nostdin -y -i t.mp4 -c copy -metadata:s:v rotate=90 turned.mp4", folder);
    assert_int_equal(system(command), 0);
    on_gpu("turned.mp4");
}

// ---- what it doesn't ----

static void codecs_and_formats_that_no_gpu_decodes_alike(void **state)
{
    (void)state;
    assert_true(make("m.mkv", "format=yuv420p", "-c:v mpeg4"));
    on_the_processor("m.mkv", "mpeg4 isn't decoded on GPUs");
    assert_true(make("444.mp4", "format=yuv444p", h264));
    on_the_processor("444.mp4", "yuv444p");
}

static void what_the_driver_says(void **state)
{
    (void)state;
    static const struct {
        const char *trouble, *why;
    } cases[] = {{"no_gpu", "GPU 0 can't be used (CUDA error 100)"},
                 {"no_engines", "no video decoder"},
                 {"nothing", "doesn't decode h264 of 8 bits"},
                 {"small", "frames are 146x98; this GPU decodes h264 of 48x48 to 64x64"},
                 {"refuses", "can't be opened"}};
    assert_true(make("d.mp4", "format=yuv420p", h264));
    on_gpu("d.mp4");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        setenv("FAKE_NVDEC", cases[i].trouble, 1);
        on_the_processor("d.mp4", cases[i].why);
    }
    unsetenv("FAKE_NVDEC");
}

static void a_gpu_that_is_not_there(void **state)
{
    (void)state;
    assert_true(make("g.mp4", "format=yuv420p", h264));
    on_gpu("g.mp4");
    const outcome o = decode(test_path(folder, "g.mp4"), 3);
    assert_string_equal(o.info.decoder, "h264");
    assert_non_null(strstr(o.info.why_not_gpu, "GPU 2 can't be used"));
}

// In the middle of a video: all of it comes from the processor then, once.
static void a_decoder_that_fails(void **state)
{
    (void)state;
    assert_true(make("f.mp4", "format=yuv420p", h264));
    on_gpu("f.mp4");
    setenv("FAKE_NVDEC", "fails", 1);
    on_the_processor("f.mp4", "had trouble with it");
    setenv("FAKE_NVDEC", "keeps", 1);
    on_the_processor("f.mp4", "had trouble with it");
    unsetenv("FAKE_NVDEC");
}

static void what_a_gpu_takes_is_listed(void **state)
{
    (void)state;
    char codecs[160], why[160];
    assert_true(tub_nvdec_list(0, codecs, sizeof codecs, why, sizeof why));
    assert_string_equal(codecs,
                        "h264, hevc, hevc 10 bit, hevc 12 bit, vp8, vp9, vp9 10 bit, vp9 12 bit, av1, av1 10 bit");
    assert_string_equal(why, "");
    assert_true(tub_nvdec_list(0, codecs, 14, why, sizeof why)); // cut off, not overrun
    assert_string_equal(codecs, "h264, hevc, h");
    assert_false(tub_nvdec_list(2, codecs, sizeof codecs, why, sizeof why));
    assert_non_null(strstr(why, "GPU 2 can't be used"));
    setenv("FAKE_NVDEC", "no_engines", 1);
    assert_false(tub_nvdec_list(0, codecs, sizeof codecs, why, sizeof why));
    assert_non_null(strstr(why, "no video decoder"));
    setenv("FAKE_NVDEC", "nothing", 1);
    assert_false(tub_nvdec_list(0, codecs, sizeof codecs, why, sizeof why));
    assert_non_null(strstr(why, "takes no codec"));
    unsetenv("FAKE_NVDEC");
}

static void damage_that_shows(void **state)
{
    (void)state;
    size_t bytes = 0;
    assert_true(make("whole.mkv", "format=yuv420p", h264));
    char *file = test_read_file(test_path(folder, "whole.mkv"), &bytes);
    assert_non_null(file);
    test_write_file(test_path(folder, "cut.mkv"), file, bytes * 2 / 3);
    free(file);
    const tub_video_info info = same_frames("cut.mkv");
    assert_true(info.partial);
}

static int start(void **state)
{
    (void)state;
    AVBufferRef *device = av_hwdevice_ctx_alloc(AV_HWDEVICE_TYPE_CUDA);
    libav_knows_gpus = device != NULL;
    av_buffer_unref(&device);
    folder = test_folder_make();
    tub_video_silence_decoders();
    unsetenv("FAKE_NVDEC");
    return 0;
}

static int end(void **state)
{
    (void)state;
    test_folder_remove(folder);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(h264_with_b_frames),
        cmocka_unit_test(other_ranges_and_matrices),
        cmocka_unit_test(several_slices_a_frame),
        cmocka_unit_test(hevc_of_8_10_and_12_bits),
        cmocka_unit_test(vp8_vp9_and_av1),
        cmocka_unit_test(turned_ones),
        cmocka_unit_test(codecs_and_formats_that_no_gpu_decodes_alike),
        cmocka_unit_test(what_the_driver_says),
        cmocka_unit_test(a_gpu_that_is_not_there),
        cmocka_unit_test(a_decoder_that_fails),
        cmocka_unit_test(what_a_gpu_takes_is_listed),
        cmocka_unit_test(damage_that_shows),
    };
    return cmocka_run_group_tests(tests, start, end);
}
