// V-JEPA 2, TimeSformer, ViViT and InternVideo2: class defaults, what is refused with its name, which clips are
// accepted.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tubelet/checkpoint.h>

#include "model_case.h"
#include "safetensors.h"
#include "temp_folder.h"

static void fills_in_class_defaults(void **state)
{
    (void)state;
    tub_config c = test_model_config("vjepa2", "{}");
    assert_true(c.hidden == 1024 && c.layers == 24 && c.heads == 16 && c.mlp == 4096 && c.patch == 16 &&
                c.tubelet == 2);
    assert_true(c.frames == 64 && c.image_height == 256 && c.image_width == 256 && c.eps == 1e-6 && c.qkv_bias);
    assert_int_equal(c.pooler_layers, 3);
    c = test_model_config("timesformer", "{}");
    assert_true(c.hidden == 768 && c.layers == 12 && c.heads == 12 && c.mlp == 3072 && c.patch == 16 && c.frames == 8);
    assert_true(c.image_height == 224 && c.eps == 1e-6 && c.qkv_bias && c.divided && !c.space_only);
    c = test_model_config("timesformer", "{\"attention_type\": \"joint_space_time\"}");
    assert_true(!c.divided && !c.space_only);
    c = test_model_config("vivit", "{}");
    assert_true(c.hidden == 768 && c.mlp == 3072 && c.frames == 32 && c.tubelet == 2 && c.patch == 16);
    assert_true(c.patch_width == 16 && c.eps == 1e-6 && c.activation == TUB_ACT_GELU_TANH && c.pooler == 768);
    c = test_model_config("vivit", "{\"tubelet_size\": [4, 8, 6], \"pooler_output_size\": null}");
    assert_true(c.tubelet == 4 && c.patch == 8 && c.patch_width == 6 && c.pooler == 768);
    c = test_model_config("internvideo2", "{}");
    assert_true(c.image_height == 224 && c.eps == 1e-6 && c.head_eps == 1e-5 && c.qk_norm && !c.qkv_bias && c.rms);
    assert_true(c.activation == TUB_ACT_GELU_TANH && c.pool_heads == 16 && c.hidden == 0 && c.heads == 0);
}

static void refuses_configs(void **state)
{
    (void)state;
    static const test_bad_config rows[] = {
        {"vjepa2", "{\"mlp_ratio\": -1}", "mlp_ratio"},
        {"vjepa2", "{\"mlp_ratio\": 0.0001}", "mlp_ratio"},
        {"vjepa2", "{\"hidden_size\": 48}", "even number"},
        {"vjepa2", "{\"crop_size\": 15}", "crop_size"},
        {"vjepa2", "{\"in_chans\": 1}", "in_chans"},
        {"vjepa2", "{\"num_pooler_layers\": -1}", "num_pooler_layers"},
        {"vjepa2", "{\"qkv_bias\": 1}", "qkv_bias"},
        {"timesformer", "{\"attention_type\": \"time_only\"}", "attention_type"},
        {"timesformer", "{\"num_frames\": 0}", "num_frames"},
        {"timesformer", "{\"image_size\": [32, 48]}", "image_size"},
        {"vivit", "{\"tubelet_size\": 2}", "tubelet_size"},
        {"vivit", "{\"tubelet_size\": [2, 16]}", "tubelet_size"},
        {"vivit", "{\"tubelet_size\": [33, 16, 16]}", "tubelet_size"},
        {"vivit", "{\"tubelet_size\": [2, 0, 16]}", "tubelet_size"},
        {"vivit", "{\"tubelet_size\": [2, 16, 2.5]}", "tubelet_size"},
        {"vivit", "{\"image_size\": 20, \"tubelet_size\": [2, 16, 24]}", "image_size"},
        {"vivit", "{\"pooler_act\": \"relu\"}", "pooler_act"},
        {"internvideo2", "{\"embed_dim\": 100, \"num_heads\": 3}", "num_heads"},
        {"internvideo2", "{\"embed_dim\": 100, \"attn_pool_num_heads\": 3}", "attn_pool_num_heads"},
        {"internvideo2", "{\"mlp_ratio\": 100}", "mlp_ratio"},
        {"internvideo2", "{\"rms_norm_eps\": -1}", "rms_norm_eps"},
        {"internvideo2", "{\"hidden_act\": \"mish\"}", "hidden_act"},
    };
    test_model_refuses_configs(rows, sizeof rows / sizeof *rows);
}

static tub_status build(tub_model *m, int frames, int height, int width, tub_pool pool, tub_program **p, tub_error *err)
{
    const tub_input input = {.frames = frames, .height = height, .width = width};
    const tub_build wanted = {.frames = frames, .height = height, .width = width, .pool = pool, .input = &input};
    return tub_model_build(m, &wanted, p, err);
}

static void accepts(tub_model *m, int frames, int height, int width, tub_pool pool, int tokens, int dim)
{
    tub_program *p = NULL;
    tub_error err = {0};
    if (build(m, frames, height, width, pool, &p, &err) != TUB_OK)
        fail_msg("%s", err.text);
    assert_int_equal(p->values[p->tokens].rows, tokens);
    assert_int_equal(p->values[p->feature].cols, dim);
    tub_program_free(&p);
}

static void refuses(tub_model *m, int frames, int height, int width, tub_pool pool, const char *why)
{
    tub_program *p = NULL;
    tub_error err = {0};
    assert_int_equal(build(m, frames, height, width, pool, &p, &err), TUB_ERROR_MODEL);
    assert_null(p);
    if (!strstr(err.text, why))
        fail_msg("expected \"%s\", got \"%s\"", why, err.text);
}

static void vjepa_takes_any_clip(void **state)
{
    (void)state;
    tub_model *m = test_model_open(test_model_init("vjepa2:tiny", "vjepa2", 0));
    assert_int_equal(tub_model_pool(m, TUB_POOL_DEFAULT), TUB_POOL_MEAN);
    accepts(m, 16, 32, 32, TUB_POOL_DEFAULT, 8 * 16, 64);
    accepts(m, 5, 24, 40, TUB_POOL_MEAN, 2 * 15, 64);
    // One frame is doubled to make a tubelet.
    accepts(m, 1, 32, 32, TUB_POOL_DEFAULT, 16, 64);
    refuses(m, 16, 7, 32, TUB_POOL_DEFAULT, "smaller than one patch");
    refuses(m, 16, 32, 32, TUB_POOL_POOLER, "no head");
    refuses(m, 16, 32, 32, TUB_POOL_CLS, "no class token");
    tub_model_close(&m);
}

static void timesformer_regroups_by_its_frames(void **state)
{
    (void)state;
    tub_model *m = test_model_open(test_model_init("timesformer:tiny", "timesformer", 0));
    assert_int_equal(tub_model_pool(m, TUB_POOL_DEFAULT), TUB_POOL_CLS);
    accepts(m, 8, 32, 32, TUB_POOL_DEFAULT, 1 + 8 * 16, 64);
    accepts(m, 8, 24, 48, TUB_POOL_PATCH_MEAN, 1 + 8 * 18, 64);
    refuses(m, 4, 32, 32, TUB_POOL_DEFAULT, "--clip-length 8");
    refuses(m, 8, 32, 4, TUB_POOL_DEFAULT, "smaller than one patch");
    tub_model_close(&m);
    refuses(m = test_model_open(test_model_path("timesformer")), 8, 32, 32, TUB_POOL_POOLER, "no head");
    tub_model_close(&m);
}

// Without tensors of temporal attention, the same files are those of the other kinds.
static void timesformer_names_tensors_of_another_kind(void **state)
{
    (void)state;
    const char *path = test_model_init("timesformer:tiny", "kinds", 0);
    tub_model *m = NULL;
    tub_error err = {0};
    test_model_edit_config(path, "attention_type", "\"joint_space_time\"");
    assert_int_equal(test_model_try(path, &m, &err), TUB_ERROR_MODEL);
    assert_non_null(strstr(err.text, "temporal_"));
    assert_non_null(strstr(err.text, "unexpected"));
}

static void vivit_takes_its_own_shape(void **state)
{
    (void)state;
    tub_model *m = test_model_open(test_model_init("vivit:tiny", "vivit", 0));
    // It has a pooler, but users of transformers use the class token.
    assert_int_equal(tub_model_pool(m, TUB_POOL_DEFAULT), TUB_POOL_CLS);
    assert_true(m->transform.pillow && m->transform.offset == -1);
    accepts(m, 8, 32, 32, TUB_POOL_DEFAULT, 1 + 4 * 16, 64);
    accepts(m, 8, 32, 32, TUB_POOL_POOLER, 1 + 4 * 16, 64);
    refuses(m, 16, 32, 32, TUB_POOL_DEFAULT, "--clip-length 8");
    refuses(m, 8, 40, 32, TUB_POOL_DEFAULT, "--size 32x32");
    tub_model_close(&m);
}

static void internvideo_resizes_its_positions(void **state)
{
    (void)state;
    const char *path = test_model_init("internvideo2:tiny", "internvideo2", 0);
    tub_model *m = test_model_open(path);
    assert_int_equal(tub_model_pool(m, TUB_POOL_DEFAULT), TUB_POOL_POOLER);
    accepts(m, 8, 56, 56, TUB_POOL_DEFAULT, 1 + 8 * 16, 768);
    accepts(m, 3, 28, 70, TUB_POOL_MEAN, 1 + 3 * 10, 64);
    refuses(m, 8, 13, 56, TUB_POOL_DEFAULT, "smaller than one patch");
    tub_model_close(&m);
}

// The config may leave out everything that the tensors tell.
static void internvideo_reads_sizes_from_tensors(void **state)
{
    (void)state;
    const char *path = test_model_init("internvideo2:tiny", "bare", 0), *file = test_path(path, "config.json");
    const char config[] = "{\"model_type\": \"internvideo2\", \"num_heads\": 2, \"img_size\": 56}";
    test_write_file(file, config, sizeof config - 1);
    tub_model *m = test_model_open(path);
    const tub_config *c = &m->config;
    assert_true(c->hidden == 64 && c->layers == 2 && c->mlp == 128 && c->patch == 14 && c->tubelet == 1);
    assert_true(c->frames == 8 && c->pooler == 768);
    accepts(m, 8, 56, 56, TUB_POOL_DEFAULT, 1 + 8 * 16, 768);
    tub_model_close(&m);
}

enum { TENSORS = 80, NAME = 96 };

// Puts the file's tensors below `prefix`, and adds `others`.
static void extend(const char *path, const char *prefix, const char *const *others)
{
    static const float zero = 0;
    static char names[TENSORS][NAME];
    tub_tensor t[TENSORS];
    tub_checkpoint *c = NULL;
    tub_arena arena;
    size_t count = 0;
    tub_arena_init(&arena);
    assert_int_equal(tub_checkpoint_open(path, &c, NULL), TUB_OK);
    for (; count < tub_checkpoint_count(c) && count < TENSORS; count++) {
        assert_int_equal(tub_checkpoint_read(c, count, &arena, &t[count], NULL), TUB_OK);
        snprintf(names[count], NAME, "%s%s", prefix, t[count].name);
        t[count].name = names[count];
    }
    for (; *others && count < TENSORS; others++)
        t[count++] = (tub_tensor){.name = *others, .dtype = TUB_F32, .rank = 1, .dims = {1}, .data = &zero};
    assert_null(*others);
    assert_int_equal(tub_safetensors_write(test_path(path, "model.safetensors"), t, count, NULL), TUB_OK);
    tub_arena_finish(&arena);
    tub_checkpoint_close(&c);
}

// OpenGVLab's model zoo: stage 1 as pre-trained, the CLIP models of the distilled sizes, stage 2 with audio.
static void internvideo_passes_over_what_else_is_published(void **state)
{
    (void)state;
    static const struct {
        const char *name, *prefix, *others[9];
    } files[] = {
        {"stage1",
         "",
         {"clip_decoder.0.head.weight", "clip_pos_embed_cls", "clip_pos_embed", "final_clip_decoder.norm.weight",
          "mae_decoder.0.head.0.weight", "mae_pos_embed", "mae_pos_embed_spatial"}},
        {"clip", "vision_encoder.", {"vision_align.0.weight", "text_encoder.embedding_layer.weight", "temp"}},
        {"stage2",
         "vision_encoder.",
         {"vision_encoder.clip_pos_embed", "audio_encoder.a", "audio_proj.weight", "av_concat_vision_proj.0.weight",
          "av_fusion.bias", "atm_head.bias", "avtm_head.bias", "itm_head.bias"}},
    };
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        const char *path = test_model_init("internvideo2:tiny", files[i].name, 0);
        extend(path, files[i].prefix, files[i].others);
        tub_model *m = test_model_open(path);
        accepts(m, 8, 56, 56, TUB_POOL_DEFAULT, 1 + 8 * 16, 768);
        tub_model_close(&m);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, test_models_set_up, test_models_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(fills_in_class_defaults),
        TEST(refuses_configs),
        TEST(vjepa_takes_any_clip),
        TEST(timesformer_regroups_by_its_frames),
        TEST(timesformer_names_tensors_of_another_kind),
        TEST(vivit_takes_its_own_shape),
        TEST(internvideo_resizes_its_positions),
        TEST(internvideo_reads_sizes_from_tensors),
        TEST(internvideo_passes_over_what_else_is_published),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
