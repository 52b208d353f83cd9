// Transforms: the meaning of the options, and the arithmetic of sizes, crops and affine maps.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <string.h>

#include "pixel_plan.h"

static const tub_transform videomae = {
    .resize = TUB_RESIZE_SHORTEST,
    .height = 224,
    .interpolation = TUB_BILINEAR,
    .antialias = true,
    .domain = TUB_DOMAIN_U8,
    .crop_height = 224,
    .crop_width = 224,
    .rescale = true,
    .scale = 1.0f / 255.0f,
    .normalize = true,
    .mean = {0.485f, 0.456f, 0.406f},
    .std = {0.229f, 0.224f, 0.225f},
};

static tub_transform resolve(tub_transform_options o, const tub_transform *model, int height, int width)
{
    tub_transform t;
    tub_error err = {0};
    if (tub_transform_resolve(&o, model, height, width, &t, &err) != TUB_OK)
        fail_msg("%s", err.text);
    return t;
}

static void test_model(void **state)
{
    (void)state;
    tub_transform t = resolve((tub_transform_options){0}, &videomae, 224, 224);
    assert_memory_equal(&t, &videomae, sizeof t);
    t = resolve((tub_transform_options){.has_size = true, .height = 96, .width = 128}, &videomae, 224, 224);
    assert_int_equal(t.resize, TUB_RESIZE_EXACT);
    assert_true(t.height == 96 && t.width == 128 && t.crop_height == 0 && t.crop_width == 0);
    assert_true(t.antialias && t.normalize && t.mean[0] == 0.485f);
    t = resolve((tub_transform_options){.has_crop = true, .crop_height = 96, .crop_width = 80}, &videomae, 224, 224);
    assert_int_equal(t.resize, TUB_RESIZE_SHORTEST);
    assert_true(t.height == 224 && t.crop_height == 96 && t.crop_width == 80);
    t = resolve(
        (tub_transform_options){
            .has_size = true, .height = 96, .width = 128, .has_crop = true, .crop_height = 90, .crop_width = 91},
        &videomae, 224, 224);
    assert_true(t.resize == TUB_RESIZE_EXACT && t.crop_height == 90 && t.crop_width == 91);
    t = resolve((tub_transform_options){.has_interpolation = true, .interpolation = TUB_BICUBIC}, &videomae, 0, 0);
    assert_true(t.interpolation == TUB_BICUBIC && t.antialias && t.resize == TUB_RESIZE_SHORTEST);
    t = resolve((tub_transform_options){.has_mean = true, .mean = {0.1f, 0.2f, 0.3f}}, &videomae, 0, 0);
    assert_true(t.mean[1] == 0.2f && t.std[1] == 0.224f);
}

// Another filter keeps the base's smoothing. From nearest, which has none, it is the base's usual one.
static void test_another_interpolation(void **state)
{
    (void)state;
    tub_transform sharp = videomae, nearest = videomae;
    sharp.antialias = nearest.antialias = false;
    nearest.interpolation = TUB_NEAREST;
    tub_transform_options o = {.has_interpolation = true, .interpolation = TUB_BICUBIC};
    assert_false(resolve(o, &sharp, 0, 0).antialias);
    assert_true(resolve(o, &nearest, 0, 0).antialias);
    o.interpolation = TUB_NEAREST;
    assert_false(resolve(o, &videomae, 0, 0).antialias);
}

static void test_opentad(void **state)
{
    (void)state;
    tub_transform t = resolve((tub_transform_options){.base = TUB_TRANSFORM_OPENTAD}, &videomae, 160, 192);
    assert_true(t.resize == TUB_RESIZE_EXACT && t.height == 160 && t.width == 192);
    assert_true(t.interpolation == TUB_BILINEAR && !t.antialias && t.domain == TUB_DOMAIN_FLOAT);
    assert_true(t.rescale && t.scale == 1.0f / 255 && t.offset == 0 && !t.normalize && t.crop_height == 0);
    t = resolve((tub_transform_options){.base = TUB_TRANSFORM_OPENTAD}, NULL, 0, 0);
    assert_true(t.height == 224 && t.width == 224);
    t = resolve((tub_transform_options){.base = TUB_TRANSFORM_OPENTAD,
                                        .has_size = true,
                                        .height = 64,
                                        .width = 48,
                                        .has_std = true,
                                        .std = {2, 2, 2}},
                NULL, 160, 160);
    assert_true(t.height == 64 && t.width == 48 && t.normalize && t.mean[2] == 0 && t.std[2] == 2);
    t = resolve(
        (tub_transform_options){.base = TUB_TRANSFORM_OPENTAD, .has_interpolation = true, .interpolation = TUB_BICUBIC},
        NULL, 0, 0);
    assert_true(t.interpolation == TUB_BICUBIC && !t.antialias);
}

static void test_none(void **state)
{
    (void)state;
    tub_transform t = resolve((tub_transform_options){.base = TUB_TRANSFORM_NONE}, NULL, 224, 224);
    assert_true(t.resize == TUB_RESIZE_NONE && t.domain == TUB_DOMAIN_U8 && !t.rescale && !t.normalize);
    t = resolve((tub_transform_options){.base = TUB_TRANSFORM_NONE,
                                        .has_size = true,
                                        .height = 10,
                                        .width = 20,
                                        .has_mean = true,
                                        .mean = {1, 2, 3}},
                NULL, 0, 0);
    assert_true(t.resize == TUB_RESIZE_EXACT && t.height == 10 && t.width == 20 && t.interpolation == TUB_BILINEAR);
    assert_true(t.antialias && t.normalize && t.mean[2] == 3 && t.std[0] == 1);
    assert_true(t.rescale && t.scale == 1.0f / 255.0f && t.offset == 0); // mean and std refer to values from 0 to 1
    t = resolve(
        (tub_transform_options){.base = TUB_TRANSFORM_NONE, .has_interpolation = true, .interpolation = TUB_NEAREST},
        NULL, 0, 0);
    assert_true(t.interpolation == TUB_NEAREST && !t.antialias);
}

static void refuse(tub_transform_options o, const tub_transform *model, const char *why)
{
    tub_transform t;
    tub_error err = {0};
    assert_int_equal(tub_transform_resolve(&o, model, 0, 0, &t, &err), TUB_ERROR_ARGUMENT);
    if (!strstr(err.text, why))
        fail_msg("\"%s\" should say \"%s\"", err.text, why);
}

static void test_refusals(void **state)
{
    (void)state;
    refuse((tub_transform_options){0}, NULL, "model");
    refuse((tub_transform_options){.base = (tub_transform_base)7}, &videomae, "tub_transform_options.base is 7");
    refuse((tub_transform_options){.has_size = true, .height = 0, .width = 5}, &videomae, "size 0x5");
    refuse((tub_transform_options){.has_size = true, .height = 70000, .width = 5}, &videomae, "size");
    refuse((tub_transform_options){.has_crop = true, .crop_height = -1, .crop_width = 5}, &videomae, "crop");
    refuse((tub_transform_options){.has_interpolation = true, .interpolation = (tub_interpolation)1}, &videomae,
           "interpolation");
    refuse((tub_transform_options){.has_std = true, .std = {1, 0, 1}}, &videomae, "std");
    refuse((tub_transform_options){.has_mean = true, .mean = {1, 1, NAN}}, &videomae, "mean");
}

static void test_names(void **state)
{
    (void)state;
    static const char *const bases[] = {"model", "opentad", "none"}, *const filters[] = {"nearest", "bilinear",
                                                                                         "bicubic"};
    tub_error err = {0};
    tub_transform_base base;
    tub_interpolation filter;
    for (int i = 0; i < 3; i++) {
        assert_int_equal(tub_transform_base_parse(bases[i], &base, NULL), TUB_OK);
        assert_string_equal(tub_transform_base_name(base), bases[i]);
        assert_int_equal(tub_interpolation_parse(filters[i], &filter, NULL), TUB_OK);
        assert_string_equal(tub_interpolation_name(filter), filters[i]);
    }
    assert_int_equal(tub_transform_base_parse("OpenTAD", &base, &err), TUB_ERROR_ARGUMENT);
    assert_non_null(strstr(err.text, "model, opentad, none"));
    assert_int_equal(tub_interpolation_parse("lanczos", &filter, &err), TUB_ERROR_ARGUMENT);
}

static void expect_shortest(int edge, int in_height, int in_width, int height, int width)
{
    tub_transform t = {.resize = TUB_RESIZE_SHORTEST, .height = edge};
    tub_pixel_plan p;
    assert_int_equal(tub_pixel_plan_make(&t, in_height, in_width, &p, NULL), TUB_OK);
    assert_true(p.resized_height == height && p.resized_width == width);
    assert_true(p.out_height == height && p.out_width == width && p.top == 0 && p.left == 0);
    assert_int_equal(p.bytes, (size_t)height * (size_t)width * 3);
}

static void test_shortest_edge(void **state)
{
    (void)state;
    expect_shortest(224, 720, 1280, 224, 398);
    expect_shortest(224, 1280, 720, 398, 224);
    expect_shortest(224, 359, 641, 224, 399);
    expect_shortest(256, 720, 1280, 256, 455);
    expect_shortest(224, 224, 224, 224, 224);
    expect_shortest(224, 1, 1, 224, 224);
    expect_shortest(292, 1080, 1920, 292, 519);
    // Whole quotients stay whole.
    for (int side = 1; side <= 400; side++)
        for (int times = 1; times <= 20; times++)
            expect_shortest(side * 3, side * 7, side * 7 * times, side * 3, side * 3 * times);
}

static void test_crop(void **state)
{
    (void)state;
    tub_pixel_plan p;
    assert_int_equal(tub_pixel_plan_make(&videomae, 720, 1280, &p, NULL), TUB_OK);
    assert_true(p.top == 0 && p.left == 87 && p.out_height == 224 && p.out_width == 224);
    assert_int_equal(p.bytes, 224 * 224 * 3);
    tub_transform t = {.resize = TUB_RESIZE_NONE, .domain = TUB_DOMAIN_FLOAT, .crop_height = 8, .crop_width = 4};
    assert_int_equal(tub_pixel_plan_make(&t, 5, 9, &p, NULL), TUB_OK);
    // 3 rows of padding: 1 above, 2 below; 5 columns too many: 2 to the left, 3 to the right.
    assert_true(p.top == -1 && p.left == 2);
    assert_int_equal(p.bytes, 8 * 4 * 3 * 4);
    int height, width;
    assert_true(tub_transform_fixed_size(&t, &height, &width));
    assert_true(height == 8 && width == 4);
    t.crop_height = t.crop_width = 0;
    assert_false(tub_transform_fixed_size(&t, &height, &width));
    t.resize = TUB_RESIZE_EXACT;
    t.height = 3;
    t.width = 2;
    assert_true(tub_transform_fixed_size(&t, &height, &width));
    assert_true(height == 3 && width == 2);
    t.resize = TUB_RESIZE_SHORTEST;
    assert_false(tub_transform_fixed_size(&t, &height, &width));
}

static void test_impossible_sizes(void **state)
{
    (void)state;
    tub_transform t = {.resize = TUB_RESIZE_SHORTEST, .height = 224};
    tub_pixel_plan p;
    tub_error err = {0};
    assert_int_equal(tub_pixel_plan_make(&t, 0, 10, &p, &err), TUB_ERROR_ARGUMENT);
    assert_int_equal(tub_pixel_plan_make(&t, 70000, 10, &p, &err), TUB_ERROR_ARGUMENT);
    assert_int_equal(tub_pixel_plan_make(&t, 1, 1000, &p, &err), TUB_ERROR_ARGUMENT);
    assert_non_null(strstr(err.text, "224x224000"));
    t.height = 0;
    assert_int_equal(tub_pixel_plan_make(&t, 10, 10, &p, &err), TUB_ERROR_ARGUMENT);
}

// (x - 255*mean) / (255*std), with an exact 255, although float32's 1/255 has another inverse.
static void test_fused_table(void **state)
{
    (void)state;
    float table[256];
    for (int c = 0; c < 3; c++) {
        tub_transform_table(&videomae, c, table);
        float mean = videomae.mean[c] * 255.0f, std = videomae.std[c] * 255.0f;
        for (int x = 0; x < 256; x++)
            assert_true(table[x] == ((float)x - mean) / std);
    }
}

static void test_other_tables(void **state)
{
    (void)state;
    float table[256];
    tub_transform plain = {.rescale = true, .scale = 1.0f / 255.0f};
    tub_transform_table(&plain, 0, table);
    assert_true(table[255] == 255 * (1.0f / 255.0f) && table[0] == 0 && table[7] == 7 * (1.0f / 255.0f));
    tub_transform none = {0};
    tub_transform_table(&none, 0, table);
    assert_true(table[255] == 255 && table[3] == 3);
    // ViViT: x/127.5 - 1, then (v - 0.5)/0.5: from -3 to 1.
    tub_transform vivit = {.rescale = true,
                           .scale = (float)(1 / 127.5),
                           .offset = -1,
                           .normalize = true,
                           .mean = {0.5f, 0.5f, 0.5f},
                           .std = {0.5f, 0.5f, 0.5f}};
    tub_transform_table(&vivit, 1, table);
    assert_true(table[0] == -3);
    assert_true(fabsf(table[255] - 1) < 1e-6f);
    assert_true(tub_transform_finish(&vivit, 1, 0.25f) == -0.5f);
    assert_true(tub_transform_finish(&plain, 1, 0.25f) == 0.25f);
}

// Two transforms that give different pixels have different descriptions.
static void test_descriptions(void **state)
{
    (void)state;
    char a[512], b[512], cut[16];
    tub_transform_describe(&videomae, a, sizeof a);
    assert_non_null(strstr(a, "bilinear"));
    assert_non_null(strstr(a, "224"));
    tub_transform others[11];
    for (int i = 0; i < 11; i++)
        others[i] = videomae;
    others[0].height++;
    others[1].interpolation = TUB_BICUBIC;
    others[2].antialias = false;
    others[3].domain = TUB_DOMAIN_FLOAT;
    others[4].crop_width++;
    others[5].scale = nextafterf(videomae.scale, 1);
    others[6].mean[2] = nextafterf(videomae.mean[2], 1);
    others[7].normalize = false;
    others[8].resize = TUB_RESIZE_EXACT;
    others[9].pillow = true;
    others[10].interpolation = TUB_NEAREST;
    for (int i = 0; i < 11; i++) {
        tub_transform_describe(&others[i], b, sizeof b);
        assert_string_not_equal(a, b);
    }
    tub_transform middles = others[10];
    middles.centred = true;
    tub_transform_describe(&others[10], a, sizeof a);
    tub_transform_describe(&middles, b, sizeof b);
    assert_string_not_equal(a, b);
    tub_transform_describe(&videomae, cut, sizeof cut);
    assert_int_equal(strlen(cut), 15);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_another_interpolation),
        cmocka_unit_test(test_model),
        cmocka_unit_test(test_opentad),
        cmocka_unit_test(test_none),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_shortest_edge),
        cmocka_unit_test(test_crop),
        cmocka_unit_test(test_impossible_sizes),
        cmocka_unit_test(test_fused_table),
        cmocka_unit_test(test_other_tables),
        cmocka_unit_test(test_descriptions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
