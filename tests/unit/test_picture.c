// Pictures in YUV: our own conversion compared with libswscale's, and every instruction level with the plain C.
// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on

#include <libavutil/cpu.h>
#include <libswscale/version.h>
#include <stdlib.h>
#include <string.h>
#include <tubelet/video.h>

#include "frame_rgb.h"
#include "frame_yuv.h"
#include "pixel_kernels.h"
#include "pixel_ops.h"

static uint32_t random_bits(uint32_t *seed)
{
    *seed = *seed * 1664525u + 1013904223u;
    return *seed >> 8;
}

static AVFrame *make_frame(int format, int width, int height, enum AVColorSpace space, enum AVColorRange range)
{
    AVFrame *frame = av_frame_alloc();
    assert_non_null(frame);
    frame->format = format;
    frame->width = width;
    frame->height = height;
    frame->colorspace = space;
    frame->color_range = range;
    assert_int_equal(av_frame_get_buffer(frame, 0), 0);
    return frame;
}

static int plane_rows(const AVFrame *frame, int plane)
{
    bool halved = frame->format == AV_PIX_FMT_YUV420P || frame->format == AV_PIX_FMT_YUVJ420P;
    return plane && halved ? (frame->height + 1) / 2 : frame->height;
}

// Noise, or only the darkest and the brightest levels.
static void fill(const AVFrame *frame, bool extreme, uint32_t *seed)
{
    for (int p = 0; p < 3; p++)
        for (int i = 0; i < frame->linesize[p] * plane_rows(frame, p); i++) {
            uint32_t bits = random_bits(seed);
            frame->data[p][i] = (uint8_t)(!extreme ? bits : bits & 256 ? 255 - (bits & 1) : bits & 1);
        }
}

static const tub_transform untouched = {.resize = TUB_RESIZE_NONE, .std = {1, 1, 1}};

static void same_as_swscale(const AVFrame *frame, const tub_picture *picture)
{
    tub_frame_rgb *converter = NULL;
    const uint8_t *want;
    ptrdiff_t pitch;
    size_t row = (size_t)frame->width * 3;
    assert_int_equal(tub_frame_rgb_open(&converter, NULL), TUB_OK);
    assert_int_equal(tub_frame_rgb_convert(converter, frame, frame->width, frame->height, &want, &pitch, NULL), TUB_OK);
    uint8_t *have = malloc(row * (size_t)frame->height);
    assert_non_null(have);
    for (tub_isa isa = TUB_ISA_SCALAR; isa <= tub_cpu_isa(); isa++) {
        tub_pixels *pixels = NULL;
        assert_int_equal(tub_pixels_open_isa(&untouched, frame->height, frame->width, isa, &pixels, NULL), TUB_OK);
        tub_pixels_run_picture(pixels, picture, have);
        for (int y = 0; y < frame->height; y++)
            if (memcmp(have + row * (size_t)y, want + pitch * y, row) != 0)
                fail_msg("format %d, %dx%d, space %d, range %d, %s: row %d", frame->format, frame->width, frame->height,
                         frame->colorspace, frame->color_range, tub_isa_name(isa), y);
        tub_pixels_close(&pixels);
    }
    free(have);
    tub_frame_rgb_close(&converter);
}

// How many of the frames our own arithmetic converted.
static int compare(const int *formats, int count, int height_step, const int (*sizes)[2], int size_count)
{
    static const enum AVColorSpace spaces[] = {AVCOL_SPC_BT709,     AVCOL_SPC_UNSPECIFIED, AVCOL_SPC_FCC,
                                               AVCOL_SPC_SMPTE240M, AVCOL_SPC_BT2020_NCL,  AVCOL_SPC_YCGCO};
    static const enum AVColorRange ranges[] = {AVCOL_RANGE_UNSPECIFIED, AVCOL_RANGE_MPEG, AVCOL_RANGE_JPEG};
    uint32_t seed = 5;
    int ours = 0;
    for (int i = 0; i < count * size_count * 6 * 3; i++) {
        const int *size = sizes[i / count / 18];
        AVFrame *frame =
            make_frame(formats[i / 18 % count], size[0], size[1] * height_step, spaces[i % 6], ranges[i / 6 % 3]);
        tub_frame_yuv yuv = {0};
        tub_picture picture;
        for (int extreme = 0; extreme < 2; extreme++) {
            fill(frame, extreme, &seed);
            if (!tub_frame_yuv_take(&yuv, frame, &picture))
                continue;
            ours++;
            same_as_swscale(frame, &picture);
        }
        av_frame_free(&frame);
    }
    return ours;
}

static const int halved[] = {AV_PIX_FMT_YUV420P, AV_PIX_FMT_YUVJ420P, AV_PIX_FMT_YUV422P, AV_PIX_FMT_YUVJ422P};
static const int whole[] = {AV_PIX_FMT_YUV444P, AV_PIX_FMT_YUVJ444P};
static const int sizes[][2] = {{1, 1}, {2, 1}, {7, 3}, {64, 2}, {67, 5}, {130, 3}, {191, 4}, {257, 2}};
enum { SIZES = sizeof sizes / sizeof *sizes };

static void equals_swscale(void **state)
{
    (void)state;
    int ours = compare(halved, 4, 2, sizes, SIZES) + compare(whole, 2, 1, sizes, SIZES);
#if defined(__x86_64__) && LIBSWSCALE_VERSION_MAJOR == 6
    assert_int_equal(ours, (4 + 2) * SIZES * 6 * 3 * 2);
#else
    (void)ours;
#endif
}

// libswscale's plain C, which runs for such widths on other processors, leaves out the last column if their number is
// odd. The third picture is stored upside down, as VP6's are.
static void odd_widths_are_whole_without_vectors(void **state)
{
    (void)state;
    av_force_cpu_flags(0);
    for (int i = 0; i < 3; i++) {
        AVFrame *frame = make_frame(i == 1 ? AV_PIX_FMT_YUV422P : AV_PIX_FMT_YUV420P, i == 1 ? 1 : 145, 98,
                                    AVCOL_SPC_BT709, AVCOL_RANGE_MPEG);
        const int levels[] = {120, 90, 200};
        for (int p = 0; p < 3; p++)
            memset(frame->data[p], levels[p], (size_t)frame->linesize[p] * (size_t)plane_rows(frame, p));
        for (int p = 0; p < 3 && i == 2; p++) {
            frame->data[p] += (ptrdiff_t)frame->linesize[p] * (plane_rows(frame, p) - 1);
            frame->linesize[p] *= -1;
        }
        tub_frame_rgb *converter = NULL;
        const uint8_t *rgb;
        ptrdiff_t pitch;
        assert_int_equal(tub_frame_rgb_open(&converter, NULL), TUB_OK);
        assert_int_equal(tub_frame_rgb_convert(converter, frame, frame->width, 98, &rgb, &pitch, NULL), TUB_OK);
        for (int y = 0; y < 98; y++)
            for (int x = 0; x < frame->width; x++) {
                const uint8_t *have = rgb + pitch * y + (ptrdiff_t)3 * x;
                if (abs(have[0] - 250) > 4 || abs(have[1] - 91) > 4 || abs(have[2] - 41) > 4)
                    fail_msg("%d, %d: %d %d %d", x, y, have[0], have[1], have[2]);
            }
        tub_frame_rgb_close(&converter);
        av_frame_free(&frame);
    }
    av_force_cpu_flags(-1);
}

// All levels of luma with all of both chromas, in both arithmetics.
static void every_colour_equals_swscale(void **state)
{
    (void)state;
    static const int formats[] = {AV_PIX_FMT_YUV422P, AV_PIX_FMT_YUV444P};
    for (int i = 0; i < 4; i++) {
        bool wide = i & 1;
        AVFrame *frame = make_frame(formats[wide], wide ? 256 : 512, 256, AVCOL_SPC_BT2020_NCL,
                                    i & 2 ? AVCOL_RANGE_JPEG : AVCOL_RANGE_MPEG);
        tub_frame_yuv yuv = {0};
        tub_picture picture;
        for (int v = 0; v < 256; v++)
            for (int u = 0; u < 256; u++) {
                frame->data[1][v * frame->linesize[1] + u] = (uint8_t)u;
                frame->data[2][v * frame->linesize[2] + u] = (uint8_t)v;
            }
        for (int y = 0; y < 256 && tub_frame_yuv_take(&yuv, frame, &picture); y += wide ? 1 : 2) {
            for (int row = 0; row < 256; row++)
                for (int x = 0; x < frame->width; x++)
                    frame->data[0][row * frame->linesize[0] + x] = (uint8_t)(y + (wide ? 0 : x & 1));
            same_as_swscale(frame, &picture);
        }
        av_frame_free(&frame);
    }
}

// libswscale blends chroma there, and we don't support other formats.
static void others_are_left_to_swscale(void **state)
{
    (void)state;
    tub_frame_yuv yuv = {0};
    tub_picture picture;
    AVFrame *odd = make_frame(AV_PIX_FMT_YUV420P, 64, 33, AVCOL_SPC_BT709, AVCOL_RANGE_MPEG);
    AVFrame *deep = make_frame(AV_PIX_FMT_YUV420P10, 64, 32, AVCOL_SPC_BT709, AVCOL_RANGE_MPEG);
    AVFrame *two = make_frame(AV_PIX_FMT_NV12, 64, 32, AVCOL_SPC_BT709, AVCOL_RANGE_MPEG);
    assert_false(tub_frame_yuv_take(&yuv, odd, &picture));
    assert_false(tub_frame_yuv_take(&yuv, deep, &picture));
    assert_false(tub_frame_yuv_take(&yuv, two, &picture));
    av_frame_free(&odd);
    av_frame_free(&deep);
    av_frame_free(&two);
}

static tub_transform random_transform(uint32_t *seed)
{
    static const tub_interpolation kinds[] = {TUB_NEAREST, TUB_BILINEAR, TUB_BILINEAR, TUB_BICUBIC};
    tub_transform t = {.resize = (tub_resize)(random_bits(seed) % 3),
                       .height = 1 + (int)(random_bits(seed) % 90),
                       .width = 1 + (int)(random_bits(seed) % 90),
                       .interpolation = kinds[random_bits(seed) % 4],
                       .antialias = random_bits(seed) & 1,
                       .domain = (tub_domain)(random_bits(seed) & 1),
                       .pillow = random_bits(seed) & 1,
                       .rescale = random_bits(seed) & 1,
                       .scale = random_bits(seed) & 1 ? 1.0f / 255.0f : 1.0f / 127.5f,
                       .offset = random_bits(seed) & 1 ? 0 : -1,
                       .normalize = random_bits(seed) & 1,
                       .mean = {0.5f, 0.4f, 0.3f},
                       .std = {0.2f, 0.3f, 1e-20f}};
    if (random_bits(seed) & 1) {
        t.crop_height = 1 + (int)(random_bits(seed) % 70);
        t.crop_width = 1 + (int)(random_bits(seed) % 70);
    }
    return t;
}

static void *run(const tub_transform *t, const tub_picture *picture, int height, int width, tub_isa isa, size_t *bytes)
{
    tub_pixels *p = NULL;
    assert_int_equal(tub_pixels_open_isa(t, height, width, isa, &p, NULL), TUB_OK);
    *bytes = tub_pixels_plan(p)->bytes;
    void *out = malloc(*bytes);
    assert_non_null(out);
    tub_pixels_run_picture(p, picture, out);
    tub_pixels_close(&p);
    return out;
}

// Planes allocated with exactly their size, so that a sanitizer sees any read past their ends. The expected result is
// the resize of the whole converted picture.
static void resizing_on_the_way_changes_nothing(void **state)
{
    (void)state;
    uint32_t seed = 3;
    for (int i = 0; i < 500; i++) {
        tub_transform t = random_transform(&seed);
        bool wide = i % 10 == 0; // blended pixels are far apart
        int height = 1 + (int)(random_bits(&seed) % (wide ? 6 : 80));
        int width = 1 + (int)(random_bits(&seed) % (wide ? 6000 : 140));
        t.resize = wide ? TUB_RESIZE_EXACT : t.resize;
        bool full = i % 3 == 0;
        tub_picture picture = {.kind = full ? TUB_PICTURE_FULL : TUB_PICTURE_HALF,
                               .chroma_shift = !full && i % 2,
                               .matrix = tub_matrix_make(tub_colour_coefficients(AVCOL_SPC_BT709), i & 1)};
        uint8_t *planes[3];
        for (int p = 0; p < 3; p++) {
            int columns = p && !full ? (width + 1) / 2 : width,
                rows = p ? (height >> picture.chroma_shift) + 1 : height;
            planes[p] = malloc((size_t)columns * (size_t)rows);
            assert_non_null(planes[p]);
            for (int k = 0; k < columns * rows; k++)
                planes[p][k] = (uint8_t)random_bits(&seed);
            picture.planes[p] = planes[p];
            picture.pitches[p] = columns;
        }
        size_t bytes = 0, again = 0;
        void *whole_rgb = run(&untouched, &picture, height, width, TUB_ISA_SCALAR, &bytes);
        tub_picture converted = {.planes = {whole_rgb}, .pitches = {(ptrdiff_t)width * 3}};
        void *want = run(&t, &converted, height, width, TUB_ISA_SCALAR, &bytes);
        for (tub_isa isa = TUB_ISA_SCALAR; isa <= tub_cpu_isa(); isa++) {
            void *have = run(&t, &picture, height, width, isa, &again);
            assert_int_equal(again, bytes);
            assert_memory_equal(have, want, bytes);
            free(have);
        }
        free(want);
        free(whole_rgb);
        for (int p = 0; p < 3; p++)
            free(planes[p]);
    }
}

// The vector code divides by multiplying with the inverse; every quotient must equal the division's.
static void quotients_are_exact(void **state)
{
    (void)state;
    enum { COUNT = 1 << 16 };
    static float values[COUNT], want[COUNT], have[COUNT];
    const float *rows[1] = {values}, one[1] = {1};
    uint32_t seed = 9;
    for (int round = 0; round < 40; round++) {
        tub_finish f = {.mean = (float)random_bits(&seed) / (float)(1 << 24),
                        .std = 0.01f + (float)random_bits(&seed) / (float)(1 << 22)};
        f.inverse = 1 / f.std;
        for (int i = 0; i < COUNT; i++)
            values[i] = round & 1 ? (float)random_bits(&seed) / (float)(1 << 24) : (float)(i % 4096) / 4095.0f;
        tub_pixel_kernels_scalar.down_float(rows, one, 1, f, COUNT, want);
        for (tub_isa isa = TUB_ISA_AVX2; isa <= tub_cpu_isa(); isa++) {
            tub_pixel_kernels_for(isa)->down_float(rows, one, 1, f, COUNT, have);
            assert_memory_equal(have, want, sizeof want);
        }
    }
}

static int set_up(void **state)
{
    (void)state;
    tub_video_silence_decoders(); // libswscale warns about the J formats
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equals_swscale),
        cmocka_unit_test(odd_widths_are_whole_without_vectors),
        cmocka_unit_test(every_colour_equals_swscale),
        cmocka_unit_test(others_are_left_to_swscale),
        cmocka_unit_test(resizing_on_the_way_changes_nothing),
        cmocka_unit_test(quotients_are_exact),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}
