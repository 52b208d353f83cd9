// The families: tables, config defaults, what is refused with its name, tables of positions, random checkpoints.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tubelet/checkpoint.h>

#include "model_case.h"
#include "temp_folder.h"
#include "vit.h"

static void refuses_model(const char *path, const char *first, const char *second)
{
    tub_model *m = NULL;
    tub_error err = {0};
    assert_int_equal(test_model_try(path, &m, &err), TUB_ERROR_MODEL);
    assert_null(m);
    if (!strstr(err.text, first) || !strstr(err.text, second) || !strstr(err.text, path))
        fail_msg("expected \"%s\" and \"%s\", got \"%s\"", first, second, err.text);
}

static tub_status build(tub_model *m, int frames, int height, int width, tub_pool pool, tub_program **p, tub_error *err)
{
    const tub_input input = {.frames = frames, .height = height, .width = width};
    const tub_build asked = {.frames = frames, .height = height, .width = width, .pool = pool, .input = &input};
    return tub_model_build(m, &asked, p, err);
}

static void refuses_build(tub_model *m, int frames, int height, int width, tub_pool pool, const char *why)
{
    tub_program *p = NULL;
    tub_error err = {0};
    assert_int_equal(build(m, frames, height, width, pool, &p, &err), TUB_ERROR_MODEL);
    assert_null(p);
    if (!strstr(err.text, why))
        fail_msg("expected \"%s\", got \"%s\"", why, err.text);
}

static void accepts_build(tub_model *m, int frames, int height, int width, tub_pool pool, int tokens, int dim)
{
    tub_program *p = NULL;
    tub_error err = {0};
    if (build(m, frames, height, width, pool, &p, &err) != TUB_OK)
        fail_msg("%s", err.text);
    assert_int_equal(p->values[p->tokens].rows, tokens);
    assert_int_equal(p->values[p->tokens].cols, dim);
    assert_int_equal(p->values[p->feature].rows, 1);
    assert_int_equal(p->values[p->feature].cols, dim);
    tub_program_free(&p);
}

static void lists_families(void **state)
{
    (void)state;
    tub_family_info f;
    size_t n = 0;
    for (; tub_family_at(n, &f); n++) {
        const tub_architecture *a = tub_architecture_at(n);
        char type[64] = "";
        memcpy(type, f.model_types, strcspn(f.model_types, ","));
        assert_ptr_equal(tub_architecture_find(type), a);
        const char *last = strrchr(f.model_types, ',');
        assert_ptr_equal(tub_architecture_find(last ? last + 1 : f.model_types), a);
        assert_true(!last || !tub_architecture_find(f.model_types));
        char names[256] = "";
        for (const tub_size *s = a->sizes; s->name; s++)
            snprintf(names + strlen(names), sizeof names - strlen(names), "%s%s", s == a->sizes ? "" : ",", s->name);
        assert_string_equal(names, f.sizes);
        assert_true(strstr(names, "base") == names || strstr(names, "large") == names);
        assert_non_null(strstr(names, "tiny"));
    }
    assert_true(n >= 6);
    assert_null(tub_architecture_at(n));
    assert_null(tub_architecture_find("dino"));
    assert_null(tub_architecture_find(""));
}

// Every published size has a config that its own reader accepts; no weights are made.
static void knows_the_published_sizes(void **state)
{
    (void)state;
    const tub_architecture *a;
    for (size_t i = 0; (a = tub_architecture_at(i)); i++) {
        for (const tub_size *s = a->sizes; s->name; s++) {
            json_t *json = a->make_config(s);
            assert_non_null(json);
            tub_config c;
            tub_error err = {0};
            if (a->read_config(json, &c, &err) != TUB_OK)
                fail_msg("%s:%s: %s", a->name, s->name, err.text);
            json_decref(json);
            assert_true(c.hidden == s->hidden && c.layers == s->layers && c.heads == s->heads && c.patch == s->patch);
            assert_true(c.gated == s->gated);
            // SwiGLU takes two thirds, rounded up to a multiple of 8.
            assert_int_equal(c.mlp, strncmp(a->name, "dinov2", 6) == 0 && s->gated ? 4096 : s->mlp);
        }
    }
}

static void fills_in_class_defaults(void **state)
{
    (void)state;
    json_t *empty = json_object();
    tub_config c;
    assert_int_equal(tub_architecture_find("videomae")->read_config(empty, &c, NULL), TUB_OK);
    assert_true(c.hidden == 768 && c.layers == 12 && c.heads == 12 && c.mlp == 3072 && c.patch == 16 && c.tubelet == 2);
    assert_true(c.frames == 16 && c.image_height == 224 && c.eps == 1e-12 && c.qkv_bias && c.mean_pooling);
    assert_int_equal(tub_architecture_find("onevision_encoder")->read_config(empty, &c, NULL), TUB_OK);
    assert_true(c.hidden == 1024 && c.layers == 24 && c.heads == 16 && c.mlp == 4096 && c.patch == 14 && c.head &&
                !c.rms);
    assert_true(c.eps == 1e-6 && c.rope_theta == 1e4 && c.rope_temporal == 64 && c.frames == 0);
    assert_int_equal(tub_architecture_find("dinov3_vit")->read_config(empty, &c, NULL), TUB_OK);
    assert_true(c.hidden == 384 && c.heads == 6 && c.mlp == 1536 && c.registers == 0 && c.rope_theta == 100 &&
                !c.gated);
    assert_true(c.query_bias && !c.key_bias && c.value_bias && c.proj_bias && c.mlp_bias && c.eps == 1e-5);
    assert_int_equal(tub_architecture_find("dinov2")->read_config(empty, &c, NULL), TUB_OK);
    assert_true(c.hidden == 768 && c.patch == 14 && c.image_height == 224 && c.mlp == 3072 && c.registers == 0);
    assert_int_equal(tub_architecture_find("dinov2_with_registers")->read_config(empty, &c, NULL), TUB_OK);
    assert_true(c.patch == 16 && c.registers == 4 && c.qkv_bias && c.antialias_positions);
    json_decref(empty);
}

static void refuses_configs(void **state)
{
    (void)state;
    static const test_bad_config rows[] = {
        {"videomae", "{\"hidden_size\": \"big\"}", "hidden_size"},
        {"videomae", "{\"hidden_size\": 100}", "12 heads don't divide"},
        {"videomae", "{\"hidden_act\": \"mish\"}", "hidden_act"},
        {"videomae", "{\"num_channels\": 1}", "num_channels"},
        {"videomae", "{\"num_hidden_layers\": 100000}", "num_hidden_layers"},
        {"videomae", "{\"image_size\": 8}", "image_size"},
        {"videomae", "{\"image_size\": [224]}", "image_size"},
        {"videomae", "{\"tubelet_size\": 17}", "tubelet_size"},
        {"videomae", "{\"layer_norm_eps\": -1}", "layer_norm_eps"},
        {"onevision_encoder", "{\"num_attention_heads\": 64}", "multiple of 32"},
        {"onevision_encoder", "{\"layer_norm_type\": \"batch_norm\"}", "layer_norm_type"},
        {"dinov3_vit", "{\"hidden_size\": 36}", "multiple of 4"},
        {"dinov3_vit", "{\"rope_theta\": 0}", "rope_theta"},
        {"dinov3_vit", "{\"key_bias\": 1}", "key_bias"},
        {"dinov2", "{\"mlp_ratio\": 0}", "mlp_ratio"},
        {"dinov2", "{\"image_size\": [28, 42]}", "image_size"},
    };
    test_model_refuses_configs(rows, sizeof rows / sizeof *rows);
}

static void names_what_a_checkpoint_lacks(void **state)
{
    (void)state;
    char path[512]; // test_path() reuses its buffers
    snprintf(path, sizeof path, "%s", test_model_init("dinov2:tiny", "model", 0));
    test_model_edit_config(path, "num_hidden_layers", "3");
    refuses_model(path, "\"encoder.layer.2.norm1.weight\"", "is missing");
    test_model_edit_config(path, "num_hidden_layers", "1");
    refuses_model(path, "\"encoder.layer.1.", "is unexpected");
    test_model_edit_config(path, "num_hidden_layers", "2");
    test_model_edit_config(path, "image_size", "84");
    refuses_model(path, "\"embeddings.position_embeddings\" has shape [1, 17, 64]", "asks for [1, 37, 64]");
    test_model_edit_config(path, "image_size", "56");
    test_model_edit_config(path, "qkv_bias", "false");
    refuses_model(path, "key.bias\"", "is unexpected");
    test_model_edit_config(path, "qkv_bias", "\"yes\"");
    refuses_model(path, "config.json", "qkv_bias");
    test_model_edit_config(path, "qkv_bias", "true");
    test_model_edit_config(path, "model_type", "\"dinov9\"");
    refuses_model(path, "\"dinov9\" isn't known",
                  "videomae, onevision_encoder, dinov3_vit, dinov2, dinov2_with_registers");
    test_model_edit_config(path, "model_type", NULL);
    refuses_model(path, "no model_type", "dinov3_vit");
    test_model_edit_config(path, "architecture", "\"vit_small_patch16_dinov3\"");
    refuses_model(path, "\"vit_small_patch16_dinov3\" is timm's", "take those of transformers");
    test_model_edit_config(path, "model_type", "\"dinov2\"");
    test_write_file(test_path(path, "preprocessor_config.json"), "{\"size\": -1}", 12);
    refuses_model(path, "preprocessor_config.json", "\"size\"");
}

static void says_which_clips_it_takes(void **state)
{
    (void)state;
    tub_model *m = test_model_open(test_model_init("videomae:tiny", "videomae", 0));
    accepts_build(m, 16, 32, 32, TUB_POOL_DEFAULT, 128, 64);
    accepts_build(m, 16, 32, 32, TUB_POOL_PATCH_MEAN, 128, 64);
    refuses_build(m, 8, 32, 32, TUB_POOL_DEFAULT, "clips of 8 frames: this checkpoint takes clips of 16");
    refuses_build(m, 8, 32, 32, TUB_POOL_DEFAULT, "--clip-length 16");
    refuses_build(m, 16, 32, 40, TUB_POOL_DEFAULT, "--size 32x32");
    refuses_build(m, 16, 32, 32, TUB_POOL_CLS, "no class token");
    refuses_build(m, 16, 32, 32, TUB_POOL_POOLER, "no head");
    tub_model_close(&m);

    m = test_model_open(test_model_init("onevision:tiny", "onevision", 0));
    accepts_build(m, 1, 32, 32, TUB_POOL_DEFAULT, 16, 64);
    accepts_build(m, 64, 8, 16, TUB_POOL_POOLER, 128, 64);
    refuses_build(m, 65, 8, 8, TUB_POOL_DEFAULT, "--clip-length 64 or less");
    refuses_build(m, 8, 33, 32, TUB_POOL_DEFAULT, "multiples of 8");
    refuses_build(m, 8, 32, 32, TUB_POOL_CLS, "no class token");
    refuses_build(m, 64, 8192, 8192, TUB_POOL_DEFAULT, "tokens");
    tub_model_close(&m);
}

static void takes_frames_of_any_size(void **state)
{
    (void)state;
    tub_model *m = test_model_open(test_model_init("dinov3:tiny", "dinov3", 0));
    accepts_build(m, 1, 48, 48, TUB_POOL_DEFAULT, 5 + 36, 64);
    accepts_build(m, 1, 31, 16, TUB_POOL_PATCH_MEAN, 5 + 6, 64);
    accepts_build(m, 1, 8, 8, TUB_POOL_CLS, 5 + 1, 64);
    refuses_build(m, 1, 7, 48, TUB_POOL_DEFAULT, "smaller than one patch");
    tub_model_close(&m);
    m = test_model_open(test_model_init("dinov2_with_registers:tiny", "dinov2", 0));
    accepts_build(m, 1, 70, 42, TUB_POOL_MEAN, 5 + 15, 64);
    tub_model_close(&m);
}

static void makes_the_same_checkpoint_again(void **state)
{
    (void)state;
    static const char *const files[] = {"config.json", "preprocessor_config.json", "model.safetensors"};
    char first[512], again[512], other[512];
    snprintf(first, sizeof first, "%s", test_model_init("dinov3:tiny", "deep/first", 7));
    snprintf(again, sizeof again, "%s", test_model_init("dinov3:tiny", "again", 7));
    snprintf(other, sizeof other, "%s", test_model_init("dinov3:tiny", "other", 8));
    for (int i = 0; i < 3; i++) {
        size_t a, b, c;
        char *x = test_read_file(test_path(first, files[i]), &a), *y = test_read_file(test_path(again, files[i]), &b);
        char *z = test_read_file(test_path(other, files[i]), &c);
        assert_true(x && y && z && a == b && a == c);
        assert_memory_equal(x, y, a);
        assert_int_equal(memcmp(x, z, a) != 0, i == 2);
        free(x);
        free(y);
        free(z);
    }
    assert_int_equal(test_count_files(first, ""), 3);
}

static void refuses_to_init(void **state)
{
    (void)state;
    tub_error err;
    const char *path = test_model_init("videomae:tiny", "used", 0);
    assert_int_equal(tub_checkpoint_init("videomae:tiny", path, 0, &err), TUB_ERROR_OUTPUT);
    assert_non_null(strstr(err.text, "config.json"));
    path = test_model_path("new");
    assert_int_equal(tub_checkpoint_init("resnet", path, 0, &err), TUB_ERROR_ARGUMENT);
    assert_non_null(strstr(err.text, "videomae, onevision, dinov3"));
    assert_int_equal(tub_checkpoint_init("dinov2:gigantic", path, 0, &err), TUB_ERROR_ARGUMENT);
    assert_non_null(strstr(err.text, "base,small,large,giant,tiny"));
    assert_int_equal(tub_checkpoint_init("dinov2:", path, 0, &err), TUB_ERROR_ARGUMENT);
    assert_int_equal(tub_checkpoint_init("dino", path, 0, &err), TUB_ERROR_ARGUMENT);
    assert_int_equal(tub_checkpoint_init("", path, 0, &err), TUB_ERROR_ARGUMENT);
    assert_int_equal(test_count_files(test_model_path(""), "new"), 0);
    test_write_file(test_model_path("file"), "x", 1);
    assert_int_equal(tub_checkpoint_init("dinov2:tiny", test_model_path("file"), 0, &err), TUB_ERROR_OUTPUT);
}

// A resize to the same size changes nothing, and with a = -0.5 a plane stays a plane inside.
static void resizes_positions(void **state)
{
    (void)state;
    float plane[36];
    for (int i = 0; i < 36; i++)
        plane[i] = (float)(i / 6) + 10 * (float)(i % 6);
    tub_program *p = NULL;
    const tub_input input = {.frames = 1, .height = 8, .width = 8};
    assert_int_equal(tub_program_begin(&input, &p, NULL), TUB_OK);
    tub_arena arena;
    tub_arena_init(&arena);
    for (int antialias = 0; antialias < 2; antialias++)
        assert_memory_equal(tub_table_resize(p, &arena, plane, 6, 6, 6, 1, antialias).data, plane, sizeof plane);
    const float *v = tub_table_resize(p, &arena, plane, 6, 12, 9, 1, true).data;
    for (int y = 4; y < 8; y++)
        for (int x = 3; x < 6; x++)
            assert_true(fabs(v[y * 9 + x] - ((y + 0.5) / 2 - 0.5 + 10 * ((x + 0.5) * 2 / 3 - 0.5))) < 1e-4);
    // Computed by hand: 4 -> 2 without antialiasing takes 4 taps of a = -0.75 at distances 1.5, .5, .5, 1.5.
    const float line[16] = {1, 1, 1, 1, 2, 2, 2, 2, 4, 4, 4, 4, 8, 8, 8, 8};
    v = tub_table_resize(p, &arena, line, 4, 2, 4, 1, false).data;
    assert_true(fabs(v[0] - (-0.09375 * (1 + 4) + 0.59375 * (1 + 2))) < 1e-6);
    assert_true(fabs(v[4] - (-0.09375 * (2 + 8) + 0.59375 * (4 + 8))) < 1e-6);
    tub_arena_finish(&arena);
    tub_program_free(&p);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, test_models_set_up, test_models_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(lists_families),           TEST(knows_the_published_sizes),       TEST(fills_in_class_defaults),
        TEST(refuses_configs),          TEST(names_what_a_checkpoint_lacks),   TEST(says_which_clips_it_takes),
        TEST(takes_frames_of_any_size), TEST(makes_the_same_checkpoint_again), TEST(refuses_to_init),
        TEST(resizes_positions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
