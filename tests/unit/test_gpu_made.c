// Runs on frames that a GPU has made, on frames of pixels, and on both: the same rows, to the byte, in every type, also
// if float16 overflows, and from host copies of another GPU's frames.
// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on

#include <stdlib.h>
#include <string.h>

#include "fake_gpu.h"
#include "fake_gpu_backend.h"
#include "gpu_frames.h"
#include "pixel_ops.h"

enum {
    FRAMES = 4,
    SIDE = 15,
    FROM = 37,
    COLS = 16,
    ITEMS = 5,
    COUNT = ITEMS + FRAMES,
    PLACE = 4096,
    VALUES = 3 * SIDE * SIDE
};

typedef struct form {
    bool is_float, overflows;
    int kt, ky, kx; // SIDE is a multiple of neither 4 nor 7: some pixels are in no patch
} form;

typedef struct subject {
    tub_program *program;
    float embed[COLS * VALUES], back[COLS * COLS];
    tub_pixels *resize;
    const tub_frame_recipe *recipe;
    uint8_t film[COUNT][FROM * FROM * 3];
    float pixels[COUNT][VALUES]; // floats or bytes
} subject;

static tub_tensor tensor(const float *data, int rows, int cols)
{
    return (tub_tensor){.name = "t", .dtype = TUB_F32, .rank = 2, .dims = {rows, cols}, .data = data};
}

static uint32_t random_bits(uint32_t *seed)
{
    *seed = *seed * 1664525u + 1013904223u;
    return *seed >> 8;
}

static void fill(float *out, size_t count, float size, uint32_t *seed)
{
    for (size_t i = 0; i < count; i++)
        out[i] = size * ((float)(random_bits(seed) % 2001) / 1000 - 1);
}

// Patches, a product, another product. If `overflowing`, the first product's results are too large for float16.
static void build(subject *s, const form *f, uint32_t *seed)
{
    tub_input input = {.frames = FRAMES, .height = SIDE, .width = SIDE, .is_float = f->is_float};
    const int cols = 3 * f->kt * f->ky * f->kx;
    assert_in_range(cols, 1, VALUES);
    for (int i = 0; i < 3 * 256; i++)
        input.table[i / 256][i % 256] = ((float)(i % 256) / 255 - 0.45f) / (0.2f + 0.01f * (float)(i / 256));
    fill(s->embed, (size_t)(COLS * cols), f->overflows ? 60000 : 0.3f, seed);
    fill(s->back, COLS * COLS, f->overflows ? 1e-5f : 0.5f, seed);
    assert_int_equal(tub_program_begin(&input, &s->program, NULL), TUB_OK);
    tub_program *p = s->program;
    tub_value x = tub_patches(p, "patches", f->kt, f->ky, f->kx);
    x = tub_linear(p, "embed", x, tensor(s->embed, COLS, cols), tub_no_tensor(), TUB_ACT_NONE, TUB_NARROW);
    x = tub_linear(p, "back", x, tensor(s->back, COLS, COLS), tub_no_tensor(), TUB_ACT_NONE, TUB_WIDE);
    assert_int_equal(tub_program_end(p, tub_mean(p, "mean", x), x, NULL), TUB_OK);
}

static tub_picture picture_of(const uint8_t *rgb)
{
    return (tub_picture){.kind = TUB_PICTURE_RGB, .planes = {rgb}, .pitches = {3 * FROM}};
}

// A film's frames as the processor resizes them.
static void make_pixels(subject *s, bool is_float, uint32_t *seed)
{
    const tub_transform t = {.resize = TUB_RESIZE_EXACT,
                             .height = SIDE,
                             .width = SIDE,
                             .interpolation = TUB_BILINEAR,
                             .antialias = true,
                             .domain = is_float ? TUB_DOMAIN_FLOAT : TUB_DOMAIN_U8,
                             .rescale = true,
                             .scale = 1.0f / 255.0f,
                             .normalize = true,
                             .mean = {0.5f, 0.4f, 0.3f},
                             .std = {0.2f, 0.3f, 0.25f}};
    assert_int_equal(tub_pixels_open(&t, FROM, FROM, &s->resize, NULL), TUB_OK);
    assert_int_equal(tub_pixels_recipe(s->resize, &s->recipe, NULL), TUB_OK);
    for (int i = 0; i < COUNT; i++) {
        for (int k = 0; k < FROM * FROM * 3; k++)
            s->film[i][k] = (uint8_t)random_bits(seed);
        const tub_picture picture = picture_of(s->film[i]);
        tub_pixels_run_picture(s->resize, &picture, s->pixels[i]);
    }
}

static subject *start(const form *f)
{
    uint32_t seed = 11;
    subject *s = calloc(1, sizeof *s);
    assert_non_null(s);
    build(s, f, &seed);
    make_pixels(s, f->is_float, &seed);
    return s;
}

static void stop(subject *s)
{
    tub_program_free(&s->program);
    tub_pixels_close(&s->resize);
    free(s);
}

// A device that has made all frames, each with a copy for the host.
typedef struct device {
    tub_backend *backend;
    tub_executable *executable;
    uint8_t *held;
    _Alignas(64) uint8_t host[COUNT][PLACE];
} device;

static device *open_device(const subject *s, tub_dtype dtype, int number)
{
    const tub_open_params opened = {.device = number, .without = TUB_GPU_WITHOUT_TUNING};
    const tub_compile_params compiled = {.dtype = dtype, .max_items = ITEMS, .shares = true};
    device *d = NULL;
    void *held = NULL;
    assert_int_equal(posix_memalign((void **)&d, 64, sizeof *d), 0);
    assert_int_equal(fake_gpu_backend.open(&opened, &d->backend, NULL), TUB_OK);
    assert_int_equal(fake_gpu_backend.compile(d->backend, s->program, &compiled, &d->executable, NULL), TUB_OK);
    assert_in_range(fake_gpu_backend.frame_bytes(d->executable), 1, PLACE);
    assert_int_equal(fake_gpu_backend.hold_frames(d->executable, (size_t)COUNT * PLACE, &held, NULL), TUB_OK);
    d->held = held;
    for (int i = 0; i < COUNT; i++) {
        const tub_picture picture = picture_of(s->film[i]);
        const tub_frame_planes planes = tub_picture_planes(&picture, FROM, FROM);
        assert_int_equal(
            fake_gpu_backend.make_frame(d->backend, s->recipe, &planes, d->held + (size_t)i * PLACE, d->host[i], NULL),
            TUB_OK);
    }
    return d;
}

static void close_device(device *d)
{
    fake_gpu_backend.release(&d->executable);
    fake_gpu_backend.close(&d->backend);
    free(d);
}

// Frame k of clip i is the film's frame i + k. `ways`: pixels (0), the device's own (1), another's (2), in turns.
static int run_ways(const subject *s, const device *d, const device *other, const char *ways, float *rows)
{
    const void *frames[ITEMS * FRAMES];
    bool made[ITEMS * FRAMES];
    tub_error err = {0};
    for (int i = 0; i < ITEMS * FRAMES; i++) {
        const int frame = i / FRAMES + i % FRAMES, way = ways[frame % (int)strlen(ways)];
        made[i] = way != '0';
        frames[i] = way == '0'   ? (const void *)s->pixels[frame]
                    : way == '1' ? (const void *)(d->held + (size_t)frame * PLACE)
                                 : (const void *)other->host[frame];
    }
    const tub_batch batch = {.items = ITEMS, .frames = frames, .made = made, .rows = rows};
    if (fake_gpu_backend.run(d->executable, &batch, &err) != TUB_OK)
        fail_msg("%s: %s", ways, err.text);
    return (int)d->executable->rescued;
}

static void check(const form *f, tub_dtype dtype)
{
    static const char *const ways[] = {"1", "2", "01", "20", "1202", "0112"};
    const bool rescued = f->overflows && dtype == TUB_F16;
    subject *s = start(f);
    device *d = open_device(s, dtype, 0), *other = open_device(s, dtype, 1);
    float wanted[ITEMS * COLS], rows[ITEMS * COLS];
    assert_int_equal(run_ways(s, d, other, "0", wanted), rescued ? ITEMS : 0);
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        memset(rows, 0, sizeof rows);
        run_ways(s, d, other, ways[i], rows);
        if (memcmp(rows, wanted, sizeof rows) != 0)
            fail_msg("%s, %s%s, patches %dx%dx%d: other rows of frames %s", tub_dtype_name(dtype),
                     f->is_float ? "float" : "8 bits", f->overflows ? ", overflowing" : "", f->kt, f->ky, f->kx,
                     ways[i]);
    }
    close_device(d);
    close_device(other);
    stop(s);
    assert_int_equal(fake_gpu_counted[0].blocks + fake_gpu_counted[1].blocks, 0);
}

static void the_same_rows(void **state)
{
    (void)state;
    static const int patches[][3] = {{1, 4, 4}, {2, 4, 4}, {1, 7, 7}, {2, 5, 3}, {1, 15, 15}};
    static const tub_dtype dtypes[] = {TUB_F32, TUB_TF32, TUB_F16, TUB_BF16, TUB_FP8};
    for (size_t i = 0; i < sizeof patches / sizeof *patches; i++)
        for (size_t k = 0; k < sizeof dtypes / sizeof *dtypes; k++)
            for (int is_float = 0; is_float < 2; is_float++) {
                fake_gpu_reset();
                fake_gpu.devices = 2;
                const form f = {is_float, false, patches[i][0], patches[i][1], patches[i][2]};
                check(&f, dtypes[k]);
            }
}

// The rescue runs in another type than that of the made frames.
static void also_of_rows_that_overflow(void **state)
{
    (void)state;
    for (int major = 7; major <= 9; major += 2)
        for (int is_float = 0; is_float < 2; is_float++) {
            fake_gpu_reset();
            fake_gpu.devices = 2;
            fake_gpu.major = major;
            const form f = {is_float, true, 2, 4, 4};
            check(&f, TUB_F16);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_same_rows),
        cmocka_unit_test(also_of_rows_that_overflow),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
