// Decoding on a GPU compared with decoding on the processor. libav's own code for GPUs runs on a fake driver and a fake
// decoder (tests/fakes/fake_nvdec_cuda.c, fake_nvcuvid.c), which CTest puts where the loader looks first.
// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on

#include <dlfcn.h>
#include <libavcodec/avcodec.h>
#include <libavutil/hwcontext.h>
#include <libswscale/version.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tubelet/extractor.h>
#include <tubelet/video.h>

#include "decoder_list.h"
#include "fake_encoder.h"
#include "fake_gpu.h"
#include "fake_gpu_backend.h"
#include "gpu_frames.h"
#include "hash.h"
#include "temp_folder.h"
#include "video_planes.h"
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

// The same frames and the same messages about them. Returns what the GPU's outcome says.
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

// The other frames prove nothing if this libav doesn't support NVIDIA GPUs.
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

static const char vp9[] = "-c:v libvpx-vp9 -auto-alt-ref 0 -deadline realtime -cpu-used 8";

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
    if (make("9.webm", "format=yuv420p", vp9))
        on_gpu("9.webm");
    if (make("av1.mkv", "format=yuv420p", "-c:v libaom-av1 -cpu-used 8 -usage realtime -lag-in-frames 0"))
        on_gpu("av1.mkv");
}

// For ffmpeg 6 and later, or else for earlier versions.
static const char turn[] =
    "cd '%s' && ffmpeg -v quiet -nostdin -y -display_rotation 90 -i t.mp4 -c copy turned.mp4 || (cd '%s' && "
    "ffmpeg -v error -nostdin -y -i t.mp4 -c copy -metadata:s:v rotate=90 turned.mp4)";

static void turned_ones(void **state)
{
    (void)state;
    assert_true(make("t.mp4", "format=yuv420p", h264));
    char command[1024];
    snprintf(command, sizeof command, turn, folder, folder);
    assert_int_equal(system(command), 0);
    on_gpu("turned.mp4");
}

// H.264's surfaces consist of whole blocks, and a container may crop them to an odd number of columns.
static void odd_containers(void **state)
{
    enum { WIDTH_AT = 28 }; // after the entry's name
    (void)state;
    size_t bytes = 0, at = 0;
    assert_true(make("even.mp4", "format=yuv420p", h264));
    char *file = test_read_file(test_path(folder, "even.mp4"), &bytes);
    assert_non_null(file);
    while (memcmp(file + at, "avc1\0\0\0\0\0\0", 10) != 0)
        assert_true(++at + WIDTH_AT + 2 < bytes);
    assert_int_equal(file[at + WIDTH_AT + 1]-- & 0xff, 146);
    test_write_file(test_path(folder, "odd.mp4"), file, bytes);
    free(file);
    on_gpu("odd.mp4");
}

// ---- frames that stay on the GPU ----

static const tub_transform transforms[] = {{.resize = TUB_RESIZE_SHORTEST,
                                            .height = 40,
                                            .interpolation = TUB_BICUBIC,
                                            .antialias = true,
                                            .crop_height = 40,
                                            .crop_width = 40,
                                            .std = {1, 1, 1}},
                                           {.resize = TUB_RESIZE_EXACT,
                                            .height = 32,
                                            .width = 48,
                                            .interpolation = TUB_BILINEAR,
                                            .domain = TUB_DOMAIN_FLOAT,
                                            .rescale = true,
                                            .scale = 1.0f / 255.0f,
                                            .std = {1, 1, 1}}};

// One patch with the whole frame, in float32, whose values are the levels themselves.
static void check_made(bool is_float, int height, int width, const float *made, const uint8_t *pixels)
{
    const size_t plane = (size_t)height * (size_t)width;
    if (is_float) {
        assert_memory_equal(made, pixels, 3 * plane * sizeof *made);
        return;
    }
    for (size_t i = 0; i < plane; i++)
        for (size_t c = 0; c < 3; c++)
            assert_true(made[c * plane + i] == (float)pixels[3 * i + c]);
}

// How many of the video's frames can be made into pixels without leaving the GPU. All are equal to the processor's,
// whoever makes them.
static int made_on_gpu(const char *path, const tub_transform *t, bool with_host)
{
    const tub_video_params software = {.size = sizeof software, .transform = t},
                           on = {.size = sizeof on, .transform = t, .gpu = 1};
    const tub_open_params opened = {0};
    tub_backend *backend = NULL;
    tub_video *want = NULL, *have = NULL;
    tub_frame frame;
    void *memory = NULL;
    size_t bytes = 0;
    int size[2], made = 0, all = 0;
    bool is_float;
    setenv("FAKE_NVDEC_VIDEO", path, 1);
    assert_int_equal(tub_video_open(path, &software, &want, NULL), TUB_OK);
    assert_int_equal(tub_video_open(path, &on, &have, NULL), TUB_OK);
    tub_video_pixels(have, &size[0], &size[1], &is_float, &bytes);
    assert_int_equal(fake_gpu_backend.open(&opened, &backend, NULL), TUB_OK);
    float levels[3 * 256];
    for (int i = 0; i < 3 * 256; i++)
        levels[i] = (float)(i % 256);
    const tub_gpu_form whole = {TUB_GPU_F32, size[0], size[1], levels};
    const size_t made_bytes = (size_t)size[0] * (size_t)size[1] * 3 * sizeof(float);
    assert_int_equal(tub_gpu_frames_hold_as(backend, &whole, made_bytes, &memory, NULL), TUB_OK);
    uint8_t *pixels = malloc(bytes), *other = malloc(bytes);
    for (; tub_video_next(want, &frame, NULL) == TUB_OK; all++) {
        const tub_frame_recipe *recipe;
        tub_frame_planes planes;
        assert_int_equal(tub_video_next(have, &frame, NULL), TUB_OK);
        assert_int_equal(tub_video_convert(want, pixels, NULL), TUB_OK);
        const tub_status status = tub_video_planes(have, with_host, &recipe, &planes, NULL);
        if (status == TUB_OK) {
            memset(memory, 0xee, made_bytes);
            assert_int_equal(tub_gpu_frames_make(backend, recipe, &planes, memory, NULL, NULL), TUB_OK);
            check_made(is_float, size[0], size[1], memory, pixels);
        } else {
            assert_int_equal(tub_video_convert(have, other, NULL), TUB_OK);
            assert_memory_equal(other, pixels, bytes);
        }
        made += status == TUB_OK && planes.on_device;
        assert_true(!with_host || status == TUB_OK);
    }
    assert_int_equal(tub_video_next(have, &frame, NULL), TUB_END);
    assert_true(all > 20);
    free(pixels);
    free(other);
    fake_gpu_backend.close(&backend);
    tub_video_close(&want);
    tub_video_close(&have);
    return made;
}

// All frames, if our conversions are known to equal libswscale's; otherwise a test decides: all are, or none.
static void all_on_gpu(const char *name, const tub_transform *t, bool with_host)
{
    const int made = made_on_gpu(test_path(folder, name), t, with_host);
#if defined(__x86_64__) && LIBSWSCALE_VERSION_MAJOR == 6
    assert_int_equal(made, libav_knows_gpus ? 50 : 0);
#else
    assert_true(made == 0 || made == 50);
#endif
}

static void pixels_are_made_where_frames_are(void **state)
{
    (void)state;
    assert_true(make("p.mp4", "format=yuv420p", h264));
    assert_true(make("p709.mp4", "scale=out_range=full,format=yuvj420p,setparams=colorspace=bt709", h264));
    assert_true(make("p.mkv", "format=yuv420p", "-c:v mpeg4"));
    for (int i = 0; i < 4; i++) {
        all_on_gpu("p.mp4", &transforms[i / 2], i % 2);
        all_on_gpu("p709.mp4", &transforms[i / 2], i % 2);
        assert_int_equal(made_on_gpu(test_path(folder, "p.mkv"), &transforms[i / 2], i % 2), 0);
    }
}

static void pixels_of_more_than_8_bits(void **state)
{
    (void)state;
    static const char *const formats[] = {"format=yuv420p10le", "format=yuv420p12le"};
    for (int i = 0; i < 4; i++)
        if (make("deep.mp4", formats[i % 2], "-c:v libx265 -x265-params log-level=none"))
            all_on_gpu("deep.mp4", &transforms[i / 2], i % 2);
}

// Rotated frames are copied to the host.
static void what_only_the_processor_makes(void **state)
{
    (void)state;
    assert_true(make("t.mp4", "format=yuv420p", h264));
    char command[1024];
    snprintf(command, sizeof command, turn, folder, folder);
    assert_int_equal(system(command), 0);
    for (int i = 0; i < 2; i++)
        assert_int_equal(made_on_gpu(test_path(folder, "turned.mp4"), &transforms[i], i), 0);
}

// ---- what a GPU doesn't decode ----

static void codecs_and_formats_that_no_gpu_decodes_alike(void **state)
{
    (void)state;
    assert_true(make("m.mkv", "format=yuv420p", "-c:v mpeg4"));
    on_the_processor("m.mkv", "mpeg4 isn't decoded on GPUs");
    assert_true(make("444.mp4", "format=yuv444p", h264));
    on_the_processor("444.mp4", "yuv444p");
    assert_true(make("lossless.mp4", "format=yuv420p", "-c:v libx264 -qp 0"));
    on_the_processor("lossless.mp4", "profile High 4:4:4 Predictive");
    assert_true(make("simple.mp4", "format=yuv420p", "-c:v libx264 -profile:v baseline"));
    on_gpu("simple.mp4");
}

// A GPU's planes begin at even rows, where libav doesn't look for them.
static void odd_sizes(void **state)
{
    (void)state;
    if (make("wide.webm", "scale=145:98,format=yuv420p", vp9))
        on_the_processor("wide.webm", "frames are 145x98; odd sizes");
    if (make("odd.webm", "scale=145:97,format=yuv420p", vp9))
        on_the_processor("odd.webm", "frames are 145x97; odd sizes");
    if (make("high.webm", "scale=146:97,format=yuv420p", "-c:v libvpx -auto-alt-ref 0"))
        on_the_processor("high.webm", "frames are 146x97; odd sizes");
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
                 {"no_streams", "the GPU has no stream for it (CUDA error 801)"},
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

// Fails in the middle of a video: then all frames come from the processor, each once.
static void a_decoder_that_fails(void **state)
{
    (void)state;
    assert_true(make("f.mp4", "format=yuv420p", h264));
    on_gpu("f.mp4");
    setenv("FAKE_NVDEC", "fails", 1);
    on_the_processor("f.mp4", "had trouble with it");
    setenv("FAKE_NVDEC", "keeps", 1);
    on_the_processor("f.mp4", "had trouble with it");
    setenv("FAKE_NVDEC", "copies_none", 1);
    on_the_processor("f.mp4", "can't be copied on the GPU");
    // Frames came, but neither they nor others can be fetched later; frames made on the GPU can.
    setenv("FAKE_NVDEC", "gives_none", 1);
    on_the_processor("f.mp4", " the GPU");
    all_on_gpu("f.mp4", &transforms[0], false);
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

// A function of a fake library, whose code stays loaded.
static void *fake_function(const char *library, const char *name)
{
    void *opened = dlopen(library, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    void *function = opened ? dlsym(opened, name) : NULL;
    assert_non_null(function);
    dlclose(opened);
    return function;
}

// How often the GPU's context was made so far. None exists any more.
static int contexts(void)
{
    int made = 0, (*ask)(int *) = NULL;
    *(void **)(void *)&ask = fake_function("libcuda.so.1", "fake_contexts");
    assert_int_equal(ask(&made), 0);
    return made;
}

// Whichever call of the library fails, alone or with all after it, frames equal the processor's. Fails each of the
// first calls, which open the decoder and fetch the first frames, and some of the others.
static void each_call_fails(const char *library, const char *path, const outcome *want)
{
    enum { FIRST = 40, STEP = 97 };
    int (*break_call)(int at) = NULL;
    *(void **)(void *)&break_call = fake_function(library, "fake_failing_call");
    break_call(0);
    assert_string_equal(decode(path, 1).info.decoder, "nvdec");
    const int calls = break_call(0);
    assert_true(calls > 50);
    for (int at = 1; at <= calls; at += at < FIRST ? 1 : STEP)
        for (int sign = -1; sign <= 1; sign += 2) {
            break_call(sign * at);
            const outcome have = decode(path, 1);
            break_call(0);
            if (have.status != TUB_END || have.info.frames != want->info.frames || have.info.partial ||
                strcmp(have.hash, want->hash) != 0)
                fail_msg("%s, call %d of %d: %d, %lld frames by %s (%s)", library, sign * at, calls, have.status,
                         (long long)have.info.frames, have.info.decoder, have.info.why_not_gpu);
            assert_int_equal(strcmp(have.info.decoder, "nvdec") != 0, have.info.why_not_gpu[0] != 0);
        }
    contexts();
}

static void whichever_call_fails(void **state)
{
    (void)state;
    if (!libav_knows_gpus)
        skip();
    assert_true(make("e.mp4", "format=yuv420p", h264));
    const char *path = test_path(folder, "e.mp4");
    const outcome want = decode(path, 0);
    each_call_fails("libcuda.so.1", path, &want);
    each_call_fails("libnvcuvid.so.1", path, &want);
}

static void extract(const char *path, int times, const char *decoder)
{
    const tub_extractor_params params = {.size = sizeof params, .decoder = TUB_DECODER_NVDEC, .decode_threads = 1};
    fake_encoder *encoder = fake_encoder_create(&(fake_encoder_params){.height = 40, .width = 40});
    tub_encoder *base = &encoder->base;
    tub_extractor *x = NULL;
    tub_result result;
    tub_error err = {0};
    encoder->base.info.transform = transforms[0];
    setenv("FAKE_NVDEC_VIDEO", path, 1);
    assert_int_equal(tub_extractor_open(base, &params, &x, &err), TUB_OK);
    for (int i = 0; i < times; i++) {
        assert_int_equal(tub_extractor_submit(x, &(tub_job){.path = path}, &err), TUB_OK);
        do {
            if (tub_extractor_receive(x, &result, &err) != TUB_OK)
                fail_msg("%s", err.text);
            tub_result_release(x, &result);
        } while (result.kind != TUB_RESULT_DONE);
        assert_int_equal(result.status, TUB_OK);
        assert_string_equal(result.info.decoder, decoder);
    }
    tub_extractor_close(&x);
    tub_encoder_close(&base);
}

// Making a context takes long, so a run makes it once, though each video has its own decoder.
static void a_run_keeps_the_gpu(void **state)
{
    (void)state;
    assert_true(make("k.mp4", "format=yuv420p", h264));
    const int before = contexts();
    extract(test_path(folder, "k.mp4"), 3, libav_knows_gpus ? "nvdec" : "h264");
    assert_int_equal(contexts(), before + 1);
    setenv("FAKE_NVDEC", "no_gpu", 1);
    extract(test_path(folder, "k.mp4"), 1, "h264");
    assert_int_equal(contexts(), before + 1);
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
        cmocka_unit_test(odd_containers),
        cmocka_unit_test(pixels_are_made_where_frames_are),
        cmocka_unit_test(pixels_of_more_than_8_bits),
        cmocka_unit_test(what_only_the_processor_makes),
        cmocka_unit_test(codecs_and_formats_that_no_gpu_decodes_alike),
        cmocka_unit_test(odd_sizes),
        cmocka_unit_test(what_the_driver_says),
        cmocka_unit_test(a_gpu_that_is_not_there),
        cmocka_unit_test(a_decoder_that_fails),
        cmocka_unit_test(what_a_gpu_takes_is_listed),
        cmocka_unit_test(a_run_keeps_the_gpu),
        cmocka_unit_test(whichever_call_fails),
        cmocka_unit_test(damage_that_shows),
    };
    return cmocka_run_group_tests(tests, start, end);
}
