// preprocessor_config.json: class defaults, both file styles, and what is refused.
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "preprocess.h"

static tub_transform read_text(const char *text, const char *processor)
{
    tub_transform t;
    tub_error err = {0};
    json_t *json = text ? json_loads(text, 0, NULL) : NULL;
    assert_true(!text || json);
    if (tub_preprocess_read(json, processor, &t, &err) != TUB_OK)
        fail_msg("%s: %s", text ? text : processor, err.text);
    json_decref(json);
    return t;
}

static void refuses(const char *text, const char *why)
{
    tub_transform t;
    tub_error err = {0};
    json_t *json = json_loads(text, 0, NULL);
    assert_non_null(json);
    assert_int_equal(tub_preprocess_read(json, "CLIPImageProcessor", &t, &err), TUB_ERROR_MODEL);
    json_decref(json);
    if (!strstr(err.text, why))
        fail_msg("%s: expected \"%s\", got \"%s\"", text, why, err.text);
}

static void knows_the_classes(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        tub_resize resize;
        int size;
        tub_interpolation interpolation;
        int crop;
        tub_domain domain;
        float mean, std, offset;
    } rows[] = {
        {"VideoMAEImageProcessor", TUB_RESIZE_SHORTEST, 224, TUB_BILINEAR, 224, TUB_DOMAIN_U8, 0.5f, 0.5f, 0},
        {"VideoMAEFeatureExtractor", TUB_RESIZE_SHORTEST, 224, TUB_BILINEAR, 224, TUB_DOMAIN_U8, 0.5f, 0.5f, 0},
        {"VideoMAEVideoProcessor", TUB_RESIZE_SHORTEST, 224, TUB_BILINEAR, 224, TUB_DOMAIN_U8, 0.5f, 0.5f, 0},
        {"CLIPImageProcessorFast", TUB_RESIZE_SHORTEST, 224, TUB_BICUBIC, 224, TUB_DOMAIN_U8, 0.48145466f, 0.26862954f,
         0},
        {"BitImageProcessor", TUB_RESIZE_SHORTEST, 224, TUB_BICUBIC, 224, TUB_DOMAIN_U8, 0.48145466f, 0.26862954f, 0},
        {"SiglipImageProcessor", TUB_RESIZE_EXACT, 224, TUB_BICUBIC, 0, TUB_DOMAIN_U8, 0.5f, 0.5f, 0},
        {"ViTImageProcessorFast", TUB_RESIZE_EXACT, 224, TUB_BILINEAR, 0, TUB_DOMAIN_U8, 0.5f, 0.5f, 0},
        {"DeiTImageProcessor", TUB_RESIZE_EXACT, 256, TUB_BICUBIC, 224, TUB_DOMAIN_U8, 0.5f, 0.5f, 0},
        {"DINOv3ViTImageProcessorFast", TUB_RESIZE_EXACT, 224, TUB_BILINEAR, 0, TUB_DOMAIN_FLOAT, 0.485f, 0.229f, 0},
        {"VivitImageProcessor", TUB_RESIZE_SHORTEST, 256, TUB_BILINEAR, 224, TUB_DOMAIN_U8, 0.5f, 0.5f, -1},
        {"VivitVideoProcessor", TUB_RESIZE_SHORTEST, 256, TUB_BILINEAR, 224, TUB_DOMAIN_U8, 0.5f, 0.5f, -1},
        {"TimesformerVideoProcessor", TUB_RESIZE_SHORTEST, 224, TUB_BILINEAR, 224, TUB_DOMAIN_U8, 0.485f, 0.229f, 0},
        {"VJEPA2VideoProcessor", TUB_RESIZE_SHORTEST, 292, TUB_BILINEAR, 256, TUB_DOMAIN_U8, 0.485f, 0.229f, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        tub_transform t = read_text(NULL, rows[i].name);
        assert_int_equal(t.resize, rows[i].resize);
        assert_int_equal(t.height, rows[i].size);
        assert_int_equal(t.interpolation, rows[i].interpolation);
        assert_int_equal(t.crop_height, rows[i].crop);
        assert_int_equal(t.crop_width, rows[i].crop);
        assert_int_equal(t.domain, rows[i].domain);
        assert_true(t.antialias && t.rescale && t.normalize);
        assert_true(t.mean[0] == rows[i].mean && t.std[0] == rows[i].std && t.offset == rows[i].offset);
        assert_true(t.scale == (float)(rows[i].offset != 0 ? 1 / 127.5 : 1 / 255.0));
        // ViViT's image processor is the only one that resizes with Pillow; its video processor doesn't.
        assert_int_equal(t.pillow, strcmp(rows[i].name, "VivitImageProcessor") == 0);
    }
}

// preprocessor_config.json files as published with models of `vit` and `vivit`.
static void reads_published_files(void **state)
{
    (void)state;
    tub_transform t =
        read_text("{\"crop_size\": 224, \"do_center_crop\": true, \"do_normalize\": true, \"do_resize\": true,"
                  " \"feature_extractor_type\": \"DeiTFeatureExtractor\","
                  " \"image_mean\": [0.485, 0.456, 0.406], \"image_std\": [0.229, 0.224, 0.225],"
                  " \"resample\": 3, \"size\": 256}",
                  "ViTImageProcessor");
    assert_true(t.resize == TUB_RESIZE_EXACT && t.height == 256 && t.width == 256 && t.crop_height == 224);
    assert_true(t.interpolation == TUB_BICUBIC && t.mean[0] == 0.485f);
    t = read_text("{\"crop_size\": {\"height\": 224, \"width\": 224}, \"do_center_crop\": true, \"do_rescale\": true,"
                  " \"image_mean\": [0.5, 0.5, 0.5], \"image_processor_type\": \"ViViTImageProcessor\","
                  " \"image_std\": [0.5, 0.5, 0.5], \"resample\": 2, \"rescale_factor\": 0.00784313725490196,"
                  " \"size\": {\"shortest_edge\": 224}}",
                  "VivitImageProcessor");
    assert_true(t.resize == TUB_RESIZE_SHORTEST && t.height == 224 && t.offset == -1 && t.pillow);
}

static void reads_numbers_as_the_class_means_them(void **state)
{
    (void)state;
    tub_transform t = read_text("{\"size\": 160, \"crop_size\": 128}", "VideoMAEImageProcessor");
    assert_int_equal(t.resize, TUB_RESIZE_SHORTEST);
    assert_int_equal(t.height, 160);
    assert_int_equal(t.crop_height, 128);
    t = read_text("{\"size\": 160}", "ViTImageProcessor");
    assert_int_equal(t.resize, TUB_RESIZE_EXACT);
    assert_true(t.height == 160 && t.width == 160);
    // SigLIP's default size is exact, but a single number means an edge.
    t = read_text("{\"size\": 160, \"do_center_crop\": true}", "SiglipImageProcessor");
    assert_int_equal(t.resize, TUB_RESIZE_SHORTEST);
    assert_true(t.height == 160 && t.crop_height == 224);
    t = read_text("{\"size\": 160, \"default_to_square\": false}", "ViTImageProcessor");
    assert_int_equal(t.resize, TUB_RESIZE_SHORTEST);
    t = read_text("{\"size\": 160, \"default_to_square\": true}", "CLIPImageProcessor");
    assert_true(t.resize == TUB_RESIZE_EXACT && t.height == 160 && t.width == 160);
    t = read_text("{\"size\": 160, \"default_to_square\": true}", "VivitImageProcessor");
    assert_int_equal(t.resize, TUB_RESIZE_SHORTEST);
    t = read_text("{\"size\": [96, 128]}", "CLIPImageProcessor");
    assert_int_equal(t.resize, TUB_RESIZE_EXACT);
    assert_true(t.height == 96 && t.width == 128);
}

static void reads_objects_and_switches(void **state)
{
    (void)state;
    tub_transform t =
        read_text("{\"image_processor_type\": \"BitImageProcessor\", \"size\": {\"shortest_edge\": 256},"
                  " \"crop_size\": {\"height\": 42, \"width\": 56}, \"resample\": 2, \"image_mean\": 0.25,"
                  " \"image_std\": [1, 2, 3], \"rescale_factor\": 0.5}",
                  "ViTImageProcessor");
    assert_int_equal(t.resize, TUB_RESIZE_SHORTEST);
    assert_true(t.height == 256 && t.crop_height == 42 && t.crop_width == 56);
    assert_int_equal(t.interpolation, TUB_BILINEAR);
    assert_true(t.mean[2] == 0.25f && t.std[2] == 3 && t.scale == 0.5f && t.rescale);
    t = read_text("{\"do_resize\": false, \"do_center_crop\": false, \"do_rescale\": false, \"do_normalize\": false}",
                  "CLIPImageProcessor");
    assert_int_equal(t.resize, TUB_RESIZE_NONE);
    assert_true(t.crop_height == 0 && !t.rescale && !t.normalize);
    t = read_text("{\"size\": {\"height\": 40, \"width\": 48}}", "DINOv3ViTImageProcessor");
    assert_true(t.resize == TUB_RESIZE_EXACT && t.height == 40 && t.width == 48);
    // If it doesn't resize, the resampling method doesn't matter.
    t = read_text("{\"do_resize\": false, \"resample\": 1}", "CLIPImageProcessor");
    assert_int_equal(t.resize, TUB_RESIZE_NONE);
    assert_int_equal(t.interpolation, TUB_BICUBIC);
    t = read_text("{\"resample\": 0}", "CLIPImageProcessor");
    assert_true(!t.antialias && t.centred);
    t = read_text("{\"offset\": false}", "VivitImageProcessor");
    assert_true(t.offset == 0);
    // The video processor ignores the key.
    t = read_text("{\"offset\": false}", "VivitVideoProcessor");
    assert_true(t.offset == -1);
    // Scaled in float before it is resized, or not scaled and resized in 8 bits.
    t = read_text("{\"do_rescale\": false, \"do_normalize\": false}", "DINOv3ViTImageProcessor");
    assert_int_equal(t.domain, TUB_DOMAIN_U8);
    t = read_text("{\"size\": {\"shortest_edge\": 30, \"longest_edge\": null}, \"do_pad\": true}",
                  "CLIPImageProcessor");
    assert_true(t.resize == TUB_RESIZE_SHORTEST && t.height == 30);
    t = read_text("{\"crop_size\": 384, \"size\": {\"shortest_edge\": 10}}", "VJEPA2VideoProcessor");
    assert_true(t.height == 438 && t.crop_height == 384);
}

static void takes_null_for_off(void **state)
{
    (void)state;
    tub_transform t = read_text("{\"do_resize\": null, \"do_center_crop\": null, \"do_rescale\": null,"
                                " \"do_normalize\": null}",
                                "CLIPImageProcessor");
    assert_int_equal(t.resize, TUB_RESIZE_NONE);
    assert_true(t.crop_height == 0 && !t.rescale && !t.normalize);
    t = read_text("{\"offset\": null}", "VivitImageProcessor");
    assert_true(t.offset == 0);
}

static void names_the_wrong_key(void **state)
{
    (void)state;
    refuses("{\"image_processor_type\": \"MagicImageProcessor\"}", "MagicImageProcessor");
    refuses("{\"image_processor_type\": \"MagicImageProcessor\"}", "say what it does by --size, --crop, --mean");
    refuses("{\"image_processor_type\": \"Vivit\"}", "\"Vivit\" isn't known");
    refuses("{\"image_processor_type\": 3}", "image_processor_type");
    refuses("{\"resample\": 1}", "\"resample\": 1 isn't known");
    refuses("{\"size\": {\"longest_edge\": 3}}", "\"size\"");
    refuses("{\"size\": {\"shortest_edge\": 300, \"longest_edge\": 800}}", "\"size\"");
    refuses("{\"size\": {\"shortest_edge\": \"224\"}}", "\"size\"");
    refuses("{\"size\": -1}", "\"size\"");
    refuses("{\"crop_size\": 100000}", "\"crop_size\"");
    refuses("{\"do_resize\": 1}", "do_resize");
    refuses("{\"image_mean\": [1, 2]}", "\"image_mean\"");
    refuses("{\"image_std\": [1, 0, 1]}", "\"image_std\"");
    refuses("{\"do_pad\": true, \"pad_size\": {\"height\": 9, \"width\": 9}}", "\"pad_size\"");
    refuses("{\"use_square_size\": true}", "\"use_square_size\"");
    refuses("{\"rescale_factor\": 0}", "\"rescale_factor\"");
}

static void reads_what_it_makes(void **state)
{
    (void)state;
    static const char *const names[] = {"VideoMAEImageProcessor", "CLIPImageProcessor", "BitImageProcessor",
                                        "DINOv3ViTImageProcessorFast"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        json_t *json = tub_preprocess_make(names[i], 56, 56);
        assert_non_null(json);
        tub_transform t;
        assert_int_equal(tub_preprocess_read(json, "nobody", &t, NULL), TUB_OK);
        json_decref(json);
        bool exact = t.resize == TUB_RESIZE_EXACT;
        assert_int_equal(exact ? t.height : t.crop_height, 56);
        assert_int_equal(t.height, i == 2 ? 64 : 56);
        assert_true(t.mean[0] == (i == 1 ? 0.48145466f : 0.485f));
        assert_true(t.scale == (float)(1 / 255.0));
    }
    assert_null(tub_preprocess_make("nobody", 56, 56));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(knows_the_classes),
        cmocka_unit_test(reads_published_files),
        cmocka_unit_test(reads_numbers_as_the_class_means_them),
        cmocka_unit_test(reads_objects_and_switches),
        cmocka_unit_test(takes_null_for_off),
        cmocka_unit_test(names_the_wrong_key),
        cmocka_unit_test(reads_what_it_makes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
