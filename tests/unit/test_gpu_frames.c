// Compares frames that a GPU makes with the processor's, as patches, to the byte: the kernels' bodies on the fake
// device, for any transform, size, layout of planes, type and size of patches. Also the kernels of the plug-in that is
// set, which is the fake's under CTest and the real one in tools/gpu_check.sh.
// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on

#include <libswscale/version.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "fake_gpu.h"
#include "fake_gpu_backend.h"
#include "frame_rgb.h"
#include "frame_yuv.h"
#include "gpu_frames.h"
#include "half.h"
#include "pixel_ops.h"

static uint32_t random_bits(uint32_t *seed)
{
    *seed = *seed * 1664525u + 1013904223u;
    return *seed >> 8;
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
                       .normalize = random_bits(seed) & 1,
                       .mean = {0.5f, 0.4f, 0.3f},
                       .std = {0.2f, 0.3f, 0.25f}};
    t.offset = t.scale > 1.0f / 200.0f ? -1 : 0;
    if (random_bits(seed) & 1) {
        t.crop_height = 1 + (int)(random_bits(seed) % 70);
        t.crop_width = 1 + (int)(random_bits(seed) % 70);
    }
    return t;
}

// Planes allocated with exactly their size, so that a sanitizer sees any read past their ends.
typedef struct sample {
    tub_frame_planes planes; // what a device gets
    tub_picture picture;     // what the processor gets
    uint8_t *memory[4];      // luma, U, V; pairs of chroma
    int width, height;
} sample;

static uint8_t *noise(size_t bytes, uint32_t *seed)
{
    uint8_t *out = malloc(bytes);
    assert_non_null(out);
    for (size_t i = 0; i < bytes; i++)
        out[i] = (uint8_t)random_bits(seed);
    return out;
}

enum { LAYOUT_420, LAYOUT_422, LAYOUT_444, LAYOUT_NV12, LAYOUT_RGB, LAYOUTS };

static void make_pairs(sample *s, int columns, int rows)
{
    uint8_t *pairs = s->memory[3] = malloc(2 * (size_t)columns * (size_t)rows);
    assert_non_null(pairs);
    for (int i = 0; i < columns * rows; i++) {
        pairs[2 * i] = s->memory[1][i];
        pairs[2 * i + 1] = s->memory[2][i];
    }
    s->planes.paired = true;
    s->planes.planes[1] = pairs;
    s->planes.planes[2] = NULL;
    s->planes.pitches[1] = 2 * columns;
}

static sample make_sample(int layout, int width, int height, uint32_t *seed)
{
    const bool half = layout != LAYOUT_444 && layout != LAYOUT_RGB;
    sample s = {.width = width, .height = height};
    const int shift = layout == LAYOUT_420 || layout == LAYOUT_NV12;
    const int columns = half ? (width + 1) / 2 : width, rows = (height + shift) >> shift;
    s.picture = (tub_picture){
        .kind = layout == LAYOUT_RGB ? TUB_PICTURE_RGB
                : half               ? TUB_PICTURE_HALF
                                     : TUB_PICTURE_FULL,
        .chroma_shift = shift,
        .matrix = tub_matrix_make(tub_colour_coefficients((int)(random_bits(seed) % 10)), random_bits(seed) & 1)};
    for (int i = 0; i < (layout == LAYOUT_RGB ? 1 : 3); i++) {
        const int row = i ? columns : layout == LAYOUT_RGB ? 3 * width : width;
        s.memory[i] = noise((size_t)row * (size_t)(i ? rows : height), seed);
        s.picture.planes[i] = s.memory[i];
        s.picture.pitches[i] = row;
    }
    s.planes = tub_picture_planes(&s.picture, width, height);
    if (layout == LAYOUT_NV12)
        make_pairs(&s, columns, rows);
    return s;
}

static void free_sample(sample *s)
{
    for (int i = 0; i < 4; i++)
        free(s->memory[i]);
}

static tub_backend *open_backend(size_t limit)
{
    const tub_open_params params = {.memory = limit};
    tub_backend *b = NULL;
    fake_gpu_reset();
    assert_int_equal(fake_gpu_backend.open(&params, &b, NULL), TUB_OK);
    return b;
}

static void close_backend(tub_backend *b)
{
    fake_gpu_backend.close(&b);
    assert_int_equal(fake_gpu_counted[0].blocks, 0);
    assert_int_equal(fake_gpu_counted[0].host_blocks, 0);
}

// ---- what must come out: the processor's pixels, in patches ----

static float levels[3 * 256]; // in the fake's memory, which is the host's

static int fill_levels(void **state)
{
    (void)state;
    for (int i = 0; i < 3 * 256; i++)
        levels[i] = ((float)(i % 256) / 255.0f - 0.4f - 0.05f * (float)(i / 256)) / 0.23f;
    return 0;
}

typedef struct case_pixels {
    tub_pixels *pixels;
    const tub_frame_recipe *recipe;
    tub_gpu_form form;
    size_t bytes;
    uint8_t *want, *host;
} case_pixels;

static float value_of(const tub_frame_recipe *r, const uint8_t *pixels, int c, int y, int x)
{
    const size_t pixel = (size_t)y * (size_t)r->out_width + (size_t)x;
    if (!r->is_float)
        return levels[256 * c + pixels[3 * pixel + (size_t)c]];
    return ((const float *)(const void *)pixels)[(size_t)c * (size_t)r->out_height * (size_t)r->out_width + pixel];
}

static void put_value(tub_gpu_type type, uint8_t **to, float x)
{
    const uint16_t half = type == TUB_GPU_F16 ? tub_to_f16(x) : tub_to_bf16(x);
    const size_t bytes = type == TUB_GPU_F32 ? sizeof x : sizeof half;
    memcpy(*to, type == TUB_GPU_F32 ? (const void *)&x : (const void *)&half, bytes);
    *to += bytes;
}

static void put_into_patches(const tub_frame_recipe *r, const tub_gpu_form *f, const uint8_t *pixels, uint8_t *to)
{
    for (int top = 0; top + f->ky <= r->out_height; top += f->ky)
        for (int left = 0; left + f->kx <= r->out_width; left += f->kx)
            for (int i = 0; i < 3 * f->ky * f->kx; i++)
                put_value(f->type, &to,
                          value_of(r, pixels, i / f->kx / f->ky, top + i / f->kx % f->ky, left + i % f->kx));
}

static size_t made_bytes(const tub_frame_recipe *r, const tub_gpu_form *f)
{
    const size_t vectors = (size_t)(r->out_height / f->ky) * (size_t)(r->out_width / f->kx);
    return vectors * 3 * (size_t)f->ky * (size_t)f->kx * (f->type == TUB_GPU_F32 ? 4 : 2);
}

static case_pixels make_wanted(const tub_transform *t, const sample *s, uint32_t *seed)
{
    case_pixels c = {0};
    assert_int_equal(tub_pixels_open_isa(t, s->height, s->width, TUB_ISA_SCALAR, &c.pixels, NULL), TUB_OK);
    assert_int_equal(tub_pixels_recipe(c.pixels, &c.recipe, NULL), TUB_OK);
    uint8_t *pixels = malloc(tub_pixels_plan(c.pixels)->bytes);
    assert_non_null(pixels);
    tub_pixels_run_picture(c.pixels, &s->picture, pixels);
    c.form = (tub_gpu_form){.type = (tub_gpu_type)(random_bits(seed) % 3),
                            .ky = 1 + (int)(random_bits(seed) % 20) % c.recipe->out_height,
                            .kx = 1 + (int)(random_bits(seed) % 20) % c.recipe->out_width,
                            .table = levels};
    c.bytes = made_bytes(c.recipe, &c.form);
    c.want = malloc(c.bytes);
    c.host = malloc(c.bytes);
    assert_true(c.want && c.host);
    put_into_patches(c.recipe, &c.form, pixels, c.want);
    free(pixels);
    return c;
}

static void free_wanted(case_pixels *c)
{
    free(c->want);
    free(c->host);
    tub_pixels_close(&c->pixels);
}

// One frame on the processor and on the device; with and without a copy for the host, from memory of either.
static void check_frame(tub_backend *b, const tub_transform *t, const sample *s, uint32_t *seed, const char *what)
{
    case_pixels c = make_wanted(t, s, seed);
    void *memory = NULL;
    tub_error err = {0};
    assert_int_equal(tub_gpu_frames_hold_as(b, &c.form, 3 * c.bytes, &memory, NULL), TUB_OK);
    for (int on_device = 0; on_device < 2; on_device++) {
        tub_frame_planes planes = s->planes;
        planes.on_device = on_device; // the fake's memory is the host's
        uint8_t *at = (uint8_t *)memory + c.bytes;
        memset(memory, 0xa5, 3 * c.bytes);
        if (tub_gpu_frames_make(b, c.recipe, &planes, at, on_device ? NULL : c.host, &err) != TUB_OK)
            fail_msg("%s: %s", what, err.text);
        if (memcmp(at, c.want, c.bytes) != 0)
            fail_msg("%s: other patches of %dx%d, type %d", what, c.form.ky, c.form.kx, (int)c.form.type);
        for (size_t i = 0; i < c.bytes; i++)
            assert_true(((uint8_t *)memory)[i] == 0xa5 && at[c.bytes + i] == 0xa5);
    }
    assert_memory_equal(c.host, c.want, c.bytes);
    free_wanted(&c);
}

// Works with any device behind the plug-in: only what it copies to the host can be checked.
static void the_plugins_equal_the_processors(void **state)
{
    (void)state;
    const tub_open_params params = {0};
    tub_backend *b = NULL;
    tub_error err = {0};
    uint32_t seed = 99;
    if (tub_backend_cuda.open(&params, &b, &err) != TUB_OK) {
        print_message("%s\n", err.text);
        skip();
    }
    print_message("%s\n", b->info.name);
    void *table = NULL;
    assert_int_equal(b->ops->allocate(b->gpu, sizeof levels, &table, NULL), TUB_OK);
    assert_int_equal(b->ops->upload(b->gpu, TUB_GPU_COMPUTE, table, levels, sizeof levels, NULL), TUB_OK);
    assert_int_equal(b->ops->record(b->gpu, 0, TUB_GPU_COMPUTE, NULL), TUB_OK);
    assert_int_equal(b->ops->settle(b->gpu, 0, NULL), TUB_OK);
    for (int i = 0; i < 200; i++) {
        const tub_transform t = random_transform(&seed);
        sample s =
            make_sample(i % LAYOUTS, 1 + (int)(random_bits(&seed) % 900), 1 + (int)(random_bits(&seed) % 500), &seed);
        case_pixels c = make_wanted(&t, &s, &seed);
        void *memory = NULL;
        c.form.table = table;
        assert_int_equal(tub_gpu_frames_hold_as(b, &c.form, c.bytes, &memory, NULL), TUB_OK);
        memset(c.host, 0xa5, c.bytes);
        if (tub_backend_cuda.make_frame(b, c.recipe, &s.planes, memory, c.host, &err) != TUB_OK)
            fail_msg("case %d: %s", i, err.text);
        size_t other = 0;
        for (size_t k = 0; k < c.bytes; k++)
            other += c.host[k] != c.want[k];
        if (other)
            fail_msg("case %d, %dx%d, layout %d: %zu of %zu bytes differ", i, s.width, s.height, i % LAYOUTS, other,
                     c.bytes);
        free_wanted(&c);
        free_sample(&s);
    }
    b->ops->release(b->gpu, table);
    tub_backend_cuda.close(&b);
}

static void equal_the_processors(void **state)
{
    (void)state;
    uint32_t seed = 17;
    tub_backend *b = open_backend(0);
    for (int i = 0; i < 700; i++) {
        const tub_transform t = random_transform(&seed);
        const bool large = i % 4 == 0; // many inputs per pixel
        sample s = make_sample(i % LAYOUTS, 1 + (int)(random_bits(&seed) % (large ? 900 : 140)),
                               1 + (int)(random_bits(&seed) % (large ? 500 : 80)), &seed);
        char what[80];
        snprintf(what, sizeof what, "case %d, %dx%d, layout %d", i, s.width, s.height, i % LAYOUTS);
        check_frame(b, &t, &s, &seed, what);
        free_sample(&s);
    }
    assert_true(fake_gpu_counted[0].tiled > 200);
    assert_true(fake_gpu_counted[0].kinds[TUB_GPU_PIXELS] - fake_gpu_counted[0].tiled > 200);
    close_backend(b);
}

// ---- more than 8 bits ----

static AVFrame *make_deep(int bits, int width, int height, int number, uint32_t *seed)
{
    static const enum AVColorSpace spaces[] = {AVCOL_SPC_BT709, AVCOL_SPC_UNSPECIFIED, AVCOL_SPC_BT2020_NCL};
    AVFrame *frame = av_frame_alloc();
    frame->format = bits == 10 ? AV_PIX_FMT_YUV420P10LE : AV_PIX_FMT_YUV420P12LE;
    frame->width = width;
    frame->height = height;
    frame->colorspace = spaces[number % 3];
    frame->color_range = number / 3 % 2 ? AVCOL_RANGE_JPEG : AVCOL_RANGE_MPEG;
    assert_int_equal(av_frame_get_buffer(frame, 0), 0);
    for (int p = 0; p < 3; p++)
        for (int y = 0; y < (p ? height / 2 : height); y++)
            for (int x = 0; x < (p ? (width + 1) / 2 : width); x++) {
                const uint32_t most = (1u << bits) - 1, noise = random_bits(seed);
                ((uint16_t *)(void *)(frame->data[p] + y * frame->linesize[p]))[x] =
                    (uint16_t)(number / 6 % 2 ? (noise & 1 ? most - (noise >> 1 & 3) : noise >> 1 & 3) : noise & most);
            }
    return frame;
}

// In the software decoder's layout, or in NVDEC's.
static void lay_out_deep(const AVFrame *frame, const tub_frame_yuv *yuv, bool paired, sample *s)
{
    const int columns = (s->width + 1) / 2;
    s->planes = (tub_frame_planes){.kind = TUB_PLANES_HALF,
                                   .paired = paired,
                                   .chroma_shift = 1,
                                   .bits = yuv->bits,
                                   .shift = paired ? 16 - yuv->bits : 0,
                                   .width = s->width,
                                   .height = s->height,
                                   .steps = yuv->steps};
    for (int p = 0; p < (paired ? 2 : 3); p++) {
        const int wide = p && paired ? 2 * columns : p ? columns : s->width, rows = p ? s->height / 2 : s->height;
        uint16_t *words = malloc(2 * (size_t)wide * (size_t)rows);
        assert_non_null(words);
        s->memory[p] = (uint8_t *)words;
        s->planes.planes[p] = s->memory[p];
        s->planes.pitches[p] = 2 * wide;
        for (int y = 0; y < rows; y++)
            for (int x = 0; x < wide; x++) {
                const int plane = p && paired ? 1 + x % 2 : p;
                const uint8_t *row = frame->data[plane] + y * frame->linesize[plane];
                const int level = ((const uint16_t *)(const void *)row)[p && paired ? x / 2 : x];
                words[y * wide + x] = (uint16_t)(level << s->planes.shift);
            }
    }
}

static void more_than_8_bits(void **state)
{
    (void)state;
    static const int widths[] = {2, 14, 64, 66, 130}, heights[] = {16, 18, 50};
    uint32_t seed = 23;
    tub_backend *b = open_backend(0);
    int ours = 0, all = 0;
    for (int i = 0; i < 2 * 5 * 3 * 12; i++, all++) {
        sample s = {.width = widths[i / 2 % 5], .height = heights[i / 10 % 3]};
        AVFrame *frame = make_deep(10 + i % 2 * 2, s.width, s.height, i / 30, &seed);
        tub_frame_yuv yuv = {0};
        tub_frame_rgb *converter = NULL;
        s.picture = (tub_picture){.kind = TUB_PICTURE_RGB};
        assert_int_equal(tub_frame_rgb_open(&converter, NULL), TUB_OK);
        assert_int_equal(tub_frame_rgb_convert(converter, frame, s.width, s.height, &s.picture.planes[0],
                                               &s.picture.pitches[0], NULL),
                         TUB_OK);
        if (tub_frame_yuv_asks(&yuv, frame, frame->format)) {
            const tub_transform untouched = {.resize = TUB_RESIZE_NONE, .std = {1, 1, 1}},
                                any = random_transform(&seed);
            ours++;
            lay_out_deep(frame, &yuv, i % 3 == 0, &s);
            check_frame(b, &untouched, &s, &seed, "deep, untouched");
            check_frame(b, &any, &s, &seed, "deep, resized");
            free_sample(&s);
        }
        tub_frame_rgb_close(&converter);
        av_frame_free(&frame);
    }
#if defined(__x86_64__) && LIBSWSCALE_VERSION_MAJOR == 6
    assert_int_equal(ours, all);
#else
    (void)ours;
#endif
    close_backend(b);
}

// With few rows, or an odd number of rows or columns, libswscale makes something else.
static void others_are_left_to_swscale(void **state)
{
    (void)state;
    uint32_t seed = 1;
    tub_frame_yuv yuv = {0};
    AVFrame *few = make_deep(10, 64, 14, 0, &seed), *odd = make_deep(10, 64, 34, 0, &seed),
            *thin = make_deep(10, 67, 34, 0, &seed);
    odd->height = 33;
    assert_false(tub_frame_yuv_asks(&yuv, thin, thin->format));
    av_frame_free(&thin);
    assert_false(tub_frame_yuv_asks(&yuv, few, few->format));
    assert_false(tub_frame_yuv_asks(&yuv, odd, odd->format));
    av_frame_free(&few);
    av_frame_free(&odd);
}

// Transforms of models, from a film's frame: each way is taken where it is meant to be.
static void real_sizes(void **state)
{
    (void)state;
    static const struct {
        tub_transform t;
        int width, height;
        bool tiled;
    } cases[] = {
        {{.resize = TUB_RESIZE_SHORTEST,
          .height = 224,
          .interpolation = TUB_BILINEAR,
          .antialias = true,
          .domain = TUB_DOMAIN_U8,
          .crop_height = 224,
          .crop_width = 224,
          .std = {1, 1, 1}},
         1920,
         1080,
         true},
        {{.resize = TUB_RESIZE_EXACT,
          .height = 224,
          .width = 224,
          .interpolation = TUB_BILINEAR,
          .domain = TUB_DOMAIN_FLOAT,
          .rescale = true,
          .scale = 1.0f / 255.0f,
          .std = {1, 1, 1}},
         1920,
         1080,
         false},
        {{.resize = TUB_RESIZE_EXACT,
          .height = 224,
          .width = 224,
          .interpolation = TUB_BICUBIC,
          .antialias = true,
          .domain = TUB_DOMAIN_FLOAT,
          .rescale = true,
          .scale = 1.0f / 255.0f,
          .normalize = true,
          .mean = {0.485f, 0.456f, 0.406f},
          .std = {0.229f, 0.224f, 0.225f}},
         854,
         480,
         true},
        {{.resize = TUB_RESIZE_EXACT,
          .height = 2,
          .width = 3,
          .interpolation = TUB_BILINEAR,
          .antialias = true,
          .domain = TUB_DOMAIN_U8,
          .std = {1, 1, 1}},
         3000,
         1600,
         false}, // no block's memory holds this many
    };
    uint32_t seed = 5;
    tub_backend *b = open_backend(0);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        sample s = make_sample(LAYOUT_NV12, cases[i].width, cases[i].height, &seed);
        const int before = fake_gpu_counted[0].tiled;
        check_frame(b, &cases[i].t, &s, &seed, "a real size");
        assert_int_equal(fake_gpu_counted[0].tiled - before, cases[i].tiled ? 2 : 0);
        free_sample(&s);
    }
    close_backend(b);
}

// ---- many threads, more transforms than are remembered ----

enum { THREADS = 7, TURNS = 60, SIZES = 20 };

typedef struct crowd {
    tub_backend *backend;
    const tub_frame_recipe *recipes[SIZES];
    uint8_t *want[SIZES], *memory;
    sample sample;
    size_t bytes;
    int number;
    bool alike; // all make the same, on the device
} crowd;

static void *work(void *argument)
{
    crowd *c = argument;
    uint8_t *at = c->memory + (size_t)c->number * c->bytes;
    for (int turn = 0; turn < TURNS; turn++) {
        const int which = c->alike ? 0 : (turn * 3 + c->number) % SIZES;
        tub_frame_planes planes = c->sample.planes;
        planes.on_device = c->alike || turn % 2;
        if (tub_gpu_frames_make(c->backend, c->recipes[which], &planes, at, NULL, NULL) != TUB_OK ||
            memcmp(at, c->want[which], c->bytes) != 0)
            return c;
    }
    return NULL;
}

static void run_crowd(bool alike)
{
    uint32_t seed = 1;
    tub_pixels *pixels[SIZES];
    crowd all = {.backend = open_backend(0), .sample = make_sample(LAYOUT_NV12, 97, 62, &seed), .alike = alike};
    fake_gpu.slow = alike ? 1000 : 0;
    void *memory = NULL;
    const tub_gpu_form form = {TUB_GPU_BF16, 4, 8, levels};
    all.bytes = 16 * 16 * 3 * 2;
    for (int i = 0; i < SIZES; i++) {
        const tub_transform t = {.resize = TUB_RESIZE_EXACT,
                                 .height = 17 + i,
                                 .width = 16,
                                 .crop_height = 16,
                                 .crop_width = 16,
                                 .interpolation = TUB_BILINEAR,
                                 .antialias = true,
                                 .std = {1, 1, 1}};
        assert_int_equal(tub_pixels_open(&t, 62, 97, &pixels[i], NULL), TUB_OK);
        assert_int_equal(tub_pixels_recipe(pixels[i], &all.recipes[i], NULL), TUB_OK);
        uint8_t seen[16 * 16 * 3];
        all.want[i] = malloc(all.bytes);
        tub_pixels_run_picture(pixels[i], &all.sample.picture, seen);
        put_into_patches(all.recipes[i], &form, seen, all.want[i]);
    }
    assert_int_equal(tub_gpu_frames_hold_as(all.backend, &form, THREADS * all.bytes, &memory, NULL), TUB_OK);
    all.memory = memory;
    pthread_t threads[THREADS];
    crowd each[THREADS];
    void *failed = NULL;
    for (int i = 0; i < THREADS; i++) {
        each[i] = all;
        each[i].number = i;
        assert_int_equal(pthread_create(&threads[i], NULL, work, &each[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(threads[i], &failed), 0);
        assert_null(failed);
    }
    assert_int_equal(fake_gpu_counted[0].frames, THREADS * TURNS);
    assert_true(fake_gpu_counted[0].kinds[TUB_GPU_PIXELS] <= (alike ? THREADS * TURNS / 2 : THREADS * TURNS));
    close_backend(all.backend);
    for (int i = 0; i < SIZES; i++) {
        free(all.want[i]);
        tub_pixels_close(&pixels[i]);
    }
    free_sample(&all.sample);
}

static void many_at_once(void **state)
{
    (void)state;
    run_crowd(false);
}

static void who_waits_is_taken_along(void **state)
{
    (void)state;
    run_crowd(true);
}

// More sizes than are remembered, again and again: new tables take the places of old ones.
static void tables_take_each_others_place(void **state)
{
    (void)state;
    uint32_t seed = 8;
    tub_backend *b = open_backend(0);
    const tub_gpu_form form = {TUB_GPU_F32, 8, 8, levels};
    sample s = make_sample(LAYOUT_NV12, 300, 200, &seed);
    void *memory = NULL;
    int blocks = 0;
    assert_int_equal(tub_gpu_frames_hold_as(b, &form, 4096, &memory, NULL), TUB_OK);
    for (int i = 0; i < 300; i++) {
        const tub_transform t = {.resize = TUB_RESIZE_EXACT,
                                 .height = 9 + i % 100,
                                 .width = 100,
                                 .crop_height = 8,
                                 .crop_width = 8,
                                 .interpolation = TUB_BILINEAR,
                                 .antialias = true,
                                 .std = {1, 1, 1}};
        case_pixels c = make_wanted(&t, &s, &seed);
        assert_int_equal(tub_gpu_frames_make(b, c.recipe, &s.planes, memory, NULL, NULL), TUB_OK);
        free_wanted(&c);
        assert_true(i < 100 || fake_gpu_counted[0].allocated == blocks);
        blocks = fake_gpu_counted[0].allocated;
    }
    free_sample(&s);
    close_backend(b);
}

static void memory_is_limited(void **state)
{
    (void)state;
    tub_backend *b = open_backend(10000);
    const tub_gpu_form form = {TUB_GPU_F16, 2, 2, levels};
    void *memory = NULL;
    tub_error err = {0};
    assert_int_equal(tub_gpu_frames_hold_as(b, &form, 20000, &memory, &err), TUB_ERROR_MEMORY);
    assert_non_null(strstr(err.text, "frames on the GPU"));
    assert_null(memory);
    assert_int_equal(fake_gpu_counted[0].blocks, 0);
    assert_int_equal(tub_gpu_frames_hold_as(b, &form, 9000, &memory, &err), TUB_OK);
    assert_true(tub_gpu_frames_has(b, memory));
    assert_true(tub_gpu_frames_has(b, (char *)memory + 8999));
    assert_false(tub_gpu_frames_has(b, (char *)memory + 9000));
    assert_false(tub_gpu_frames_has(b, &err));
    tub_gpu_frames_drop(b);
    assert_false(tub_gpu_frames_has(b, memory));
    tub_gpu_frames_drop(b);
    close_backend(b);
}

static void a_device_that_fails_says_so(void **state)
{
    (void)state;
    uint32_t seed = 2;
    tub_backend *b = open_backend(0);
    tub_pixels *pixels = NULL;
    const tub_frame_recipe *recipe = NULL;
    sample s = make_sample(LAYOUT_420, 40, 30, &seed);
    const tub_transform t = {.resize = TUB_RESIZE_EXACT, .height = 8, .width = 8, .std = {1, 1, 1}};
    const tub_gpu_form form = {TUB_GPU_F16, 2, 2, levels};
    void *memory = NULL;
    tub_error err = {0};
    fake_gpu.fail_frame = 2;
    assert_int_equal(tub_pixels_open(&t, 30, 40, &pixels, NULL), TUB_OK);
    assert_int_equal(tub_pixels_recipe(pixels, &recipe, NULL), TUB_OK);
    assert_int_equal(tub_gpu_frames_hold_as(b, &form, 384, &memory, NULL), TUB_OK);
    assert_int_equal(tub_gpu_frames_make(b, recipe, &s.planes, memory, NULL, &err), TUB_OK);
    assert_int_equal(tub_gpu_frames_make(b, recipe, &s.planes, memory, NULL, &err), TUB_ERROR_DEVICE);
    assert_non_null(strstr(err.text, "fell off the bus"));
    tub_pixels_close(&pixels);
    free_sample(&s);
    close_backend(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equal_the_processors),
        cmocka_unit_test(the_plugins_equal_the_processors),
        cmocka_unit_test(real_sizes),
        cmocka_unit_test(more_than_8_bits),
        cmocka_unit_test(others_are_left_to_swscale),
        cmocka_unit_test(many_at_once),
        cmocka_unit_test(who_waits_is_taken_along),
        cmocka_unit_test(tables_take_each_others_place),
        cmocka_unit_test(memory_is_limited),
        cmocka_unit_test(a_device_that_fails_says_so),
    };
    return cmocka_run_group_tests(tests, fill_levels, NULL);
}
