// The resize compared with torch and torchvision (tests/data/pixels, made by make_pixels.py), at every instruction
// level.
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
#include <tubelet/npy.h>

#include "pixel_ops.h"

#define IMAGENET {0.485f, 0.456f, 0.406f}, .std = {0.229f, 0.224f, 0.225f}
#define PLAIN {0, 0, 0}, .std = {1, 1, 1}
#define U8(kind, soft) .interpolation = kind, .antialias = soft, .domain = TUB_DOMAIN_U8, .mean = PLAIN
#define EXACT(h, w) .resize = TUB_RESIZE_EXACT, .height = h, .width = w
#define SHORTEST(edge) .resize = TUB_RESIZE_SHORTEST, .height = edge
#define SCALED .domain = TUB_DOMAIN_FLOAT, .rescale = true, .scale = 1.0f / 255.0f

typedef struct pixel_case {
    const char *name, *frame;
    tub_transform t;
} pixel_case;

static const pixel_case cases[] = {
    {"bilinear_down", "noise", {EXACT(20, 24), U8(TUB_BILINEAR, true)}},
    {"bicubic_down", "noise", {EXACT(20, 24), U8(TUB_BICUBIC, true)}},
    {"bilinear_up", "smooth", {EXACT(48, 45), U8(TUB_BILINEAR, true)}},
    {"bicubic_up", "noise", {EXACT(50, 65), U8(TUB_BICUBIC, true)}},
    {"bicubic_one_way", "noise", {EXACT(47, 30), U8(TUB_BICUBIC, true)}},
    {"bilinear_other_way", "noise", {EXACT(13, 61), U8(TUB_BILINEAR, true)}},
    {"shortest_crop", "noise", {SHORTEST(28), .crop_height = 28, .crop_width = 28, U8(TUB_BICUBIC, true)}},
    {"shortest_pad", "smooth", {SHORTEST(20), .crop_height = 33, .crop_width = 30, U8(TUB_BILINEAR, true)}},
    {"bilinear_plain", "noise", {EXACT(31, 37), U8(TUB_BILINEAR, false)}},
    {"bicubic_plain", "noise", {EXACT(31, 37), U8(TUB_BICUBIC, false)}},
    {"nearest", "noise", {EXACT(31, 37), U8(TUB_NEAREST, false)}},
    {"nearest_centred", "noise", {EXACT(31, 37), U8(TUB_NEAREST, false), .centred = true}},
    {"to_one", "noise", {EXACT(1, 3), U8(TUB_BILINEAR, true)}},
    {"pillow_bilinear", "noise", {EXACT(20, 24), U8(TUB_BILINEAR, true), .pillow = true}},
    {"pillow_bicubic", "noise", {EXACT(50, 30), U8(TUB_BICUBIC, true), .pillow = true}},
    {"pillow_down_first", "noise", {EXACT(13, 50), U8(TUB_BICUBIC, true), .pillow = true}},
    {"pillow_one_way", "smooth", {EXACT(40, 61), U8(TUB_BILINEAR, true), .pillow = true}},
    {"pillow_shortest", "noise", {SHORTEST(36), .crop_height = 32, .crop_width = 32, U8(TUB_BILINEAR, true), .pillow = true}},
    {"pillow_nearest", "noise", {EXACT(31, 37), U8(TUB_NEAREST, false), .pillow = true}},
    {"pillow_nearest_sums", "smooth", {EXACT(30, 37), U8(TUB_NEAREST, false), .pillow = true}},
    {"opentad_down", "noise", {EXACT(20, 24), .interpolation = TUB_BILINEAR, SCALED, .mean = PLAIN}},
    {"opentad_up", "smooth", {EXACT(36, 35), .interpolation = TUB_BILINEAR, SCALED, .mean = PLAIN}},
    {"dinov3",
     "noise",
     {EXACT(20, 24), .interpolation = TUB_BILINEAR, .antialias = true, SCALED, .normalize = true, .mean = IMAGENET}},
    {"bicubic_float",
     "noise",
     {EXACT(24, 20), .interpolation = TUB_BICUBIC, .antialias = true, SCALED, .normalize = true, .mean = IMAGENET}},
    {"bicubic_float_plain", "smooth", {EXACT(24, 37), .interpolation = TUB_BICUBIC, SCALED, .mean = PLAIN}},
};

static tub_array load(const char *prefix, const char *name)
{
    char path[1024];
    tub_array a;
    tub_error err = {0};
    snprintf(path, sizeof path, "%s/data/pixels/%s%s.npy", TEST_DATA, prefix, name);
    if (tub_npy_read(path, &a, &err) != TUB_OK)
        fail_msg("%s", err.text);
    return a;
}

// Runs a transform and checks that nothing past the output is written. The caller frees the result with free().
static void *run(const tub_transform *t, const uint8_t *rgb, int height, int width, ptrdiff_t pitch, tub_isa isa,
                 tub_pixel_plan *plan)
{
    tub_pixels *p = NULL;
    tub_error err = {0};
    if (tub_pixels_open_isa(t, height, width, isa, &p, &err) != TUB_OK)
        fail_msg("%s", err.text);
    *plan = *tub_pixels_plan(p);
    uint8_t *out = malloc(plan->bytes + 64);
    assert_non_null(out);
    memset(out, 0xa5, plan->bytes + 64);
    tub_pixels_run(p, rgb, pitch, out);
    tub_pixels_close(&p);
    assert_null(p);
    for (int i = 0; i < 64; i++)
        assert_int_equal(out[plan->bytes + (size_t)i], 0xa5);
    return out;
}

// The design's bounds: no difference in 8 bits, only rounding in float32.
static void check_values(const pixel_case *c, const void *have, const tub_array *want, size_t bytes)
{
    bool is_float = c->t.domain == TUB_DOMAIN_FLOAT;
    size_t count = is_float ? bytes / sizeof(float) : bytes, different = 0;
    float worst = 0;
    for (size_t i = 0; i < count; i++) {
        if (is_float)
            worst = fmaxf(worst, fabsf(((const float *)have)[i] - ((const float *)want->data)[i]));
        else
            different += ((const uint8_t *)have)[i] != ((const uint8_t *)want->data)[i];
    }
    if (different || worst > (c->t.normalize ? 4e-5f : 1e-5f))
        fail_msg("%s: %zu of %zu levels differ, by up to %g in float", c->name, different, count, (double)worst);
}

static void equals_the_reference(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const pixel_case *c = &cases[i];
        tub_array in = load("in_", c->frame), want = load("", c->name);
        int height = (int)in.dims[0], width = (int)in.dims[1];
        for (tub_isa isa = TUB_ISA_SCALAR; isa <= tub_cpu_isa(); isa++) {
            tub_pixel_plan plan;
            void *have = run(&c->t, in.data, height, width, (ptrdiff_t)width * 3, isa, &plan);
            bool is_float = c->t.domain == TUB_DOMAIN_FLOAT;
            assert_int_equal(want.dims[is_float ? 1 : 0], plan.out_height);
            assert_int_equal(want.dims[is_float ? 2 : 1], plan.out_width);
            check_values(c, have, &want, plan.bytes);
            free(have);
        }
        tub_array_finish(&in);
        tub_array_finish(&want);
    }
}

static uint32_t random_bits(uint32_t *seed)
{
    *seed = *seed * 1664525u + 1013904223u;
    return *seed >> 8;
}

static tub_transform random_transform(uint32_t *seed)
{
    static const tub_interpolation kinds[] = {TUB_NEAREST, TUB_BILINEAR, TUB_BICUBIC};
    tub_transform t = {.resize = (tub_resize)(random_bits(seed) % 3),
                       .height = 1 + (int)(random_bits(seed) % 90),
                       .width = 1 + (int)(random_bits(seed) % 90),
                       .interpolation = kinds[random_bits(seed) % 3],
                       .antialias = random_bits(seed) & 1,
                       .domain = (tub_domain)(random_bits(seed) & 1),
                       .pillow = random_bits(seed) & 1,
                       .rescale = random_bits(seed) & 1,
                       .scale = 1.0f / 127.5f,
                       .offset = -1,
                       .normalize = random_bits(seed) & 1,
                       .mean = {0.5f, 0.4f, 0.3f},
                       .std = {0.2f, 0.3f, 0.25f}};
    if (random_bits(seed) & 1) {
        t.crop_height = 1 + (int)(random_bits(seed) % 70);
        t.crop_width = 1 + (int)(random_bits(seed) % 70);
    }
    return t;
}

// Input allocated with exactly its size, so that a sanitizer sees any read past its end; padded rows give the same.
static void every_level_gives_the_same_bytes(void **state)
{
    (void)state;
    uint32_t seed = 11;
    for (int i = 0; i < 400; i++) {
        tub_transform t = random_transform(&seed);
        int height = 1 + (int)(random_bits(&seed) % 80), width = 1 + (int)(random_bits(&seed) % 80);
        size_t row = (size_t)width * 3, pitch = row + random_bits(&seed) % 70, bytes = row * (size_t)height;
        uint8_t *tight = malloc(bytes), *padded = malloc(pitch * (size_t)height);
        assert_true(tight && padded);
        for (size_t k = 0; k < bytes; k++)
            tight[k] = (uint8_t)random_bits(&seed);
        for (int y = 0; y < height; y++)
            memcpy(padded + (size_t)y * pitch, tight + (size_t)y * row, row);
        tub_pixel_plan plan;
        void *want = run(&t, tight, height, width, (ptrdiff_t)row, TUB_ISA_SCALAR, &plan);
        for (tub_isa isa = TUB_ISA_SCALAR; isa <= tub_cpu_isa(); isa++) {
            void *have =
                run(&t, isa & 1 ? padded : tight, height, width, (ptrdiff_t)(isa & 1 ? pitch : row), isa, &plan);
            assert_memory_equal(have, want, plan.bytes);
            free(have);
        }
        free(want);
        free(tight);
        free(padded);
    }
}

static void no_resize_leaves_pixels_alone(void **state)
{
    (void)state;
    tub_transform u8 = {.resize = TUB_RESIZE_NONE, .mean = PLAIN}, planar = {.domain = TUB_DOMAIN_FLOAT, .mean = PLAIN};
    tub_array in = load("in_", "smooth");
    const uint8_t *rgb = in.data;
    int height = (int)in.dims[0], width = (int)in.dims[1];
    size_t pixels = (size_t)height * (size_t)width;
    tub_pixel_plan plan;
    uint8_t *same = run(&u8, rgb, height, width, (ptrdiff_t)width * 3, tub_cpu_isa(), &plan);
    assert_memory_equal(same, rgb, pixels * 3);
    free(same);
    float *planes = run(&planar, rgb, height, width, (ptrdiff_t)width * 3, tub_cpu_isa(), &plan);
    for (size_t i = 0; i < pixels * 3; i++)
        assert_true(planes[i % 3 * pixels + i / 3] == (float)rgb[i]);
    free(planes);
    tub_array_finish(&in);
}

// In the float domain, too, zeros are padded before mean and std are applied.
static void padding_is_normalised(void **state)
{
    (void)state;
    tub_transform t = {.resize = TUB_RESIZE_NONE,
                       .crop_height = 4,
                       .crop_width = 5,
                       SCALED,
                       .normalize = true,
                       .mean = {0.5f, 0.25f, 0.125f},
                       .std = {0.5f, 0.5f, 0.5f}};
    const uint8_t rgb[2 * 2 * 3] = {255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255};
    tub_pixel_plan plan;
    float *have = run(&t, rgb, 2, 2, 6, tub_cpu_isa(), &plan);
    for (int c = 0; c < 3; c++)
        for (int y = 0; y < 4; y++)
            for (int x = 0; x < 5; x++) {
                bool inside = y >= 1 && y < 3 && x >= 1 && x < 3;
                float want = ((inside ? 1.0f : 0.0f) - t.mean[c]) / t.std[c];
                assert_true(have[(c * 4 + y) * 5 + x] == want);
            }
    free(have);
}

// With an odd row, the numpy crop of transformers' Pillow processors puts it before the frame, torchvision's behind it.
static void an_odd_row_of_padding_is_on_the_side_of_the_reference(void **state)
{
    (void)state;
    tub_transform t = {.resize = TUB_RESIZE_NONE, .crop_height = 5, .crop_width = 6};
    tub_pixel_plan plan;
    assert_int_equal(tub_pixel_plan_make(&t, 2, 9, &plan, NULL), TUB_OK);
    assert_true(plan.top == -1 && plan.left == 1);
    t.pillow = true;
    assert_int_equal(tub_pixel_plan_make(&t, 2, 9, &plan, NULL), TUB_OK);
    assert_true(plan.top == -2 && plan.left == 1);
}

static void impossible_sizes_are_refused(void **state)
{
    (void)state;
    tub_transform t = {EXACT(0, 10), U8(TUB_BILINEAR, true)};
    tub_pixels *p = NULL;
    tub_error err = {0};
    assert_int_equal(tub_pixels_open(&t, 10, 10, &p, &err), TUB_ERROR_ARGUMENT);
    assert_null(p);
    tub_pixels_close(&p);
    tub_pixels_close(NULL);
}

static void values_that_no_enum_has_are_refused(void **state)
{
    (void)state;
    const tub_transform sound = {EXACT(4, 4), U8(TUB_BILINEAR, true)};
    tub_transform wrong[] = {sound, sound, sound, sound, sound};
    static const char *const says[] = {"tub_transform.resize is 9", "tub_transform.domain is 9",
                                       "tub_transform.interpolation is 1", "std 0 of channel 0", "mean nan"};
    wrong[0].resize = (tub_resize)9;
    wrong[1].domain = (tub_domain)9; // was a heap overflow: allocated for bytes, written as floats
    wrong[2].interpolation = (tub_interpolation)1;
    wrong[3].normalize = wrong[4].normalize = true;
    wrong[3].std[0] = 0;
    wrong[4].mean[0] = NAN;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        tub_pixels *p = NULL;
        tub_error err = {0};
        assert_int_equal(tub_pixels_open(&wrong[i], 10, 10, &p, &err), TUB_ERROR_ARGUMENT);
        assert_null(p);
        assert_non_null(strstr(err.text, says[i]));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equals_the_reference),          cmocka_unit_test(every_level_gives_the_same_bytes),
        cmocka_unit_test(no_resize_leaves_pixels_alone), cmocka_unit_test(padding_is_normalised),
        cmocka_unit_test(an_odd_row_of_padding_is_on_the_side_of_the_reference),
        cmocka_unit_test(impossible_sizes_are_refused),  cmocka_unit_test(values_that_no_enum_has_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
