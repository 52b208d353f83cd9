// SigLIP, CLIP, MetaCLIP 2, ViT, AIMv2, and models without a config: config defaults, layouts, sizes, heads, pools,
// hidden states, families recognized by their tensors.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>
#include <tubelet/checkpoint.h>
#include <unistd.h>

#include "model_case.h"
#include "safetensors.h"
#include "temp_folder.h"

// Moves the whole config below "vision_config", as in files of models with a text and an image tower.
static void nest_config(const char *path, const char *model_type)
{
    const char *file = test_path(path, "config.json");
    json_t *inner = json_load_file(file, 0, NULL);
    json_t *outer = json_pack("{s:s, s:o}", "model_type", model_type, "vision_config", inner);
    assert_int_equal(json_dump_file(outer, file, 0), 0);
    json_decref(outer);
}

static tub_status build(tub_model *m, const tub_build *asked, tub_program **p, tub_error *err)
{
    const tub_input input = {.frames = asked->frames, .height = asked->height, .width = asked->width};
    tub_build full = *asked;
    full.input = &input;
    return tub_model_build(m, &full, p, err);
}

static void accepts(tub_model *m, const tub_build *asked, int tokens, int dim)
{
    tub_program *p = NULL;
    tub_error err = {0};
    if (build(m, asked, &p, &err) != TUB_OK)
        fail_msg("%s", err.text);
    assert_int_equal(p->values[p->tokens].rows, tokens);
    assert_int_equal(p->values[p->feature].cols, dim);
    tub_program_free(&p);
}

static void refuses(tub_model *m, const tub_build *asked, const char *why)
{
    tub_program *p = NULL;
    tub_error err = {0};
    assert_int_equal(build(m, asked, &p, &err), TUB_ERROR_MODEL);
    if (!strstr(err.text, why))
        fail_msg("expected \"%s\", got \"%s\"", why, err.text);
}

static void fills_in_class_defaults(void **state)
{
    (void)state;
    tub_config c = test_model_config("siglip", "{}");
    assert_true(c.hidden == 768 && c.layers == 12 && c.heads == 12 && c.mlp == 3072 && c.patch == 16);
    assert_true(c.image_height == 224 && c.eps == 1e-6 && c.activation == TUB_ACT_GELU_TANH && c.head);
    c = test_model_config("clip_vision_model", "{}");
    assert_true(c.patch == 32 && c.eps == 1e-5 && c.activation == TUB_ACT_QUICK_GELU && c.projection == 512 && c.head);
    c = test_model_config("vit", "{}");
    assert_true(c.patch == 16 && c.eps == 1e-12 && c.activation == TUB_ACT_GELU && c.qkv_bias && c.pooler == 768);
    c = test_model_config("aimv2_vision_model", "{}");
    assert_true(c.hidden == 1024 && c.layers == 24 && c.heads == 8 && c.mlp == 2816 && c.patch == 14 && c.eps == 1e-5);
    assert_true(c.activation == TUB_ACT_SILU && c.gated && c.rms && c.head && !c.qkv_bias && !c.mlp_bias && !c.native);
    c = test_model_config("VideoMAEv2_Base", "{}");
    assert_true(c.hidden == 0 && c.heads == 0 && c.eps == 1e-6 && c.qkv_bias && !c.cosine);
    c = test_model_config("llava_vit", "{}");
    assert_true(c.hidden == 0 && c.eps == 0 && c.head_eps == 1.1920928955078125e-07 && c.rope_theta == 1e4);
}

static void reads_nested_configs(void **state)
{
    (void)state;
    const char *text = "{\"projection_dim\": 20, \"hidden_size\": 3, \"vision_config\": {\"hidden_size\": 48,"
                       " \"num_attention_heads\": 3, \"hidden_act\": \"gelu\"}, \"text_config\": {\"hidden_size\": 7}}";
    tub_config c = test_model_config("clip", text);
    assert_true(c.hidden == 48 && c.heads == 3 && c.activation == TUB_ACT_GELU && c.projection == 20 && c.patch == 32);
    c = test_model_config("VideoMAEv2_giant",
                          "{\"model_config\": {\"embed_dim\": 44, \"num_heads\": 2, \"mlp_ratio\": 3.0,"
                          " \"depth\": 2, \"cos_attn\": true}}");
    assert_true(c.hidden == 44 && c.heads == 2 && c.mlp == 132 && c.layers == 2 && c.cosine);
}

static void reads_the_older_of_two_nested_configs(void **state)
{
    (void)state;
    const char *text = "{\"vision_config\": {\"hidden_act\": \"gelu\", \"hidden_size\": 48},"
                       " \"vision_config_dict\": {\"hidden_size\": 96}}";
    for (int i = 0; i < 2; i++) {
        tub_config c = test_model_config(i ? "metaclip_2" : "clip", text);
        assert_int_equal(c.hidden, 96);
        assert_int_equal(c.activation, TUB_ACT_QUICK_GELU);
    }
    tub_config c =
        test_model_config("clip", "{\"vision_config\": {\"hidden_size\": 48}, \"vision_config_dict\": null}");
    assert_int_equal(c.hidden, 48);
    // SigLIP never had it.
    c = test_model_config("siglip", text);
    assert_int_equal(c.hidden, 48);
}

static void refuses_configs(void **state)
{
    (void)state;
    static const test_bad_config rows[] = {
        {"siglip", "{\"vision_config\": {\"num_hidden_layers\": 0}}", "num_hidden_layers"},
        {"siglip", "{\"image_size\": [32, 64]}", "square"},
        {"clip", "{\"projection_dim\": 0}", "projection_dim"},
        {"clip", "{\"num_attention_heads\": 7}", "7 heads don't divide"},
        {"clip", "{\"vision_config\": {\"hidden_size\": 1000000000}}", "hidden_size"},
        {"vit", "{\"pooler_act\": \"relu\"}", "pooler_act"},
        {"vit", "{\"intermediate_size\": -1}", "intermediate_size"},
        {"aimv2", "{\"rms_norm_eps\": -1}", "rms_norm_eps"},
        {"aimv2", "{\"hidden_size\": 6, \"num_attention_heads\": 1, \"is_native\": true}", "multiple of 4"},
        {"VideoMAEv2_Base", "{\"model_config\": {\"depth\": 101}}", "depth"},
        {"VideoMAEv2_Base", "{\"model_config\": {\"embed_dim\": 44, \"num_heads\": 3}}", "num_heads"},
        {"VideoMAEv2_Base", "{\"model_config\": {\"qk_scale\": 0.5}}", "qk_scale"},
        {"VideoMAEv2_Base", "{\"model_config\": {\"num_frames\": 2, \"tubelet_size\": 4}}", "tubelet_size"},
        {"llava_vit", "{\"rope_theta\": -1}", "rope_theta"},
        {"llava_vit", "{\"head_norm_eps\": 2}", "head_norm_eps"},
    };
    test_model_refuses_configs(rows, sizeof rows / sizeof *rows);
}

// A size other than the checkpoint's own has to be asked for.
static void resizes_positions_on_request(void **state)
{
    (void)state;
    static const struct {
        const char *what;
        int prefix;
    } rows[] = {{"siglip:tiny", 0}, {"clip:tiny", 1}, {"metaclip_2:tiny", 1}, {"vit:tiny", 1}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char path[512];
        snprintf(path, sizeof path, "%s", test_model_init(rows[i].what, rows[i].what, 0));
        tub_model *m = test_model_open(path);
        const int prefix = rows[i].prefix;
        accepts(m, &(tub_build){.frames = 1, .height = 32, .width = 32}, prefix + 16, 64);
        refuses(m, &(tub_build){.frames = 1, .height = 40, .width = 32}, "--size 40x32 to have its positions resized");
        accepts(m, &(tub_build){.frames = 1, .height = 40, .width = 35, .any_size = true}, prefix + 20, 64);
        refuses(m, &(tub_build){.frames = 1, .height = 4, .width = 32, .any_size = true}, "smaller than one patch");
        tub_model_close(&m);
    }
    char path[512];
    snprintf(path, sizeof path, "%s", test_model_init("aimv2:tiny", "aimv2:tiny", 0));
    tub_model *m = test_model_open(path);
    accepts(m, &(tub_build){.frames = 1, .height = 28, .width = 28}, 16, 64);
    refuses(m, &(tub_build){.frames = 1, .height = 35, .width = 28, .any_size = true}, "--size 28x28");
    tub_model_close(&m);
}

static void reads_both_nestings(void **state)
{
    (void)state;
    char path[512];
    snprintf(path, sizeof path, "%s", test_model_init("siglip:tiny", "siglip:tiny", 0));
    nest_config(path, "siglip");
    tub_model *m = test_model_open(path);
    assert_true(m->config.hidden == 64 && m->config.head);
    tub_model_close(&m);
    snprintf(path, sizeof path, "%s", test_model_init("clip:tiny", "clip:tiny", 0));
    nest_config(path, "clip");
    m = test_model_open(path);
    assert_int_equal(m->config.projection, 0); // there is no such tensor here
    refuses(m, &(tub_build){.frames = 1, .height = 32, .width = 32, .pool = TUB_POOL_PROJECTION}, "visual_projection");
    tub_model_close(&m);
}

static void pools_hidden_states(void **state)
{
    (void)state;
    char path[512];
    snprintf(path, sizeof path, "%s", test_model_init("vit:tiny", "vit:tiny", 0));
    tub_model *m = test_model_open(path);
    tub_build b = {.frames = 1, .height = 32, .width = 32};
    tub_program *p = NULL, *whole = NULL;
    assert_int_equal(build(m, &b, &whole, NULL), TUB_OK);
    b.layer = 1;
    assert_int_equal(build(m, &b, &p, NULL), TUB_OK);
    // One block of two, without the norm and the pooler.
    assert_true(p->op_count < whole->op_count - 5);
    assert_int_equal(p->ops[p->op_count - 1].kind, TUB_OP_ROWS);
    tub_program_free(&p);
    tub_program_free(&whole);
    assert_string_equal(tub_model_hidden_feature(m, TUB_POOL_DEFAULT), "class token of the hidden state after a block");
    b.pool = TUB_POOL_PATCH_MEAN;
    accepts(m, &b, 17, 64);
    b.pool = TUB_POOL_POOLER;
    refuses(m, &b, "--pool cls, mean or patch-mean");
    b.pool = TUB_POOL_MEAN;
    b.layer = 3;
    refuses(m, &b, "this checkpoint has 2 blocks");
    b.layer = 0;
    b.positions = TUB_POSITIONS_SPREAD;
    refuses(m, &b, "leave out --frame-positions");
    tub_model_close(&m);
}

static void tells_families_apart(void **state)
{
    (void)state;
    const tub_architecture *a;
    for (size_t i = 0; (a = tub_architecture_at(i)); i++) {
        char what[64], path[512];
        snprintf(what, sizeof what, "%s:tiny", a->name);
        snprintf(path, sizeof path, "%s", test_model_init(what, what, 0));
        tub_checkpoint *c = NULL;
        assert_int_equal(tub_checkpoint_open(path, &c, NULL), TUB_OK);
        if (a->names && !tub_architecture_fits(a, c))
            fail_msg("%s doesn't know its own tensors", a->name);
        tub_checkpoint_close(&c);
        if (!a->names || strcmp(a->name, "vivit") == 0 || strcmp(a->name, "dinov2") == 0)
            continue;
        test_model_edit_config(path, "model_type", "\"dinov2\"");
        tub_model *m;
        tub_error err = {0};
        tub_status status = test_model_try(path, &m, &err);
        tub_model_close(&m);
        if (status != TUB_ERROR_MODEL || !strstr(err.text, "taken for dinov2") ||
            !strstr(err.text, "look like those of"))
            fail_msg("%s as dinov2: %s", a->name, status == TUB_OK ? "is accepted" : err.text);
    }
}

static void guesses_heads(const char *what, const char *type)
{
    char path[512], file[600];
    snprintf(path, sizeof path, "%s", test_model_init(what, what, 0));
    tub_model *m = test_model_open(path);
    assert_false(m->config.free_heads);
    assert_int_equal(tub_model_set_heads(m, 1, NULL), TUB_ERROR_MODEL);
    tub_model_close(&m);
    snprintf(file, sizeof file, "%s/config.json", path);
    assert_int_equal(unlink(file), 0);
    snprintf(file, sizeof file, "%s/model.safetensors", path);
    m = test_model_open(file);
    assert_ptr_equal(m->architecture, tub_architecture_find(type));
    assert_true(m->config.hidden == 64 && m->config.layers == 2 && m->config.mlp == 128 && m->config.patch == 8);
    assert_true(m->config.free_heads && m->config.heads == 1); // of 64 channels
    assert_int_equal(tub_model_set_heads(m, 3, NULL), TUB_ERROR_MODEL);
    assert_int_equal(tub_model_set_heads(m, 2, NULL), TUB_OK);
    accepts(m, &(tub_build){.frames = 4, .height = 32, .width = 32}, strcmp(type, "llava_vit") ? 32 : 64, 64);
    assert_int_equal(m->transform.domain, TUB_DOMAIN_FLOAT); // as in the original script
    assert_false(m->transform.normalize || m->transform.antialias);
    tub_model_close(&m);
}

static void reads_files_without_a_config(void **state)
{
    (void)state;
    guesses_heads("llavavit:tiny", "llava_vit");
    guesses_heads("videomaev2:tiny", "videomae_v2");
    char path[512], file[600];
    snprintf(path, sizeof path, "%s", test_model_init("vit:tiny", "vit:tiny", 0));
    snprintf(file, sizeof file, "%s/config.json", path);
    assert_int_equal(unlink(file), 0);
    snprintf(file, sizeof file, "%s/model.safetensors", path);
    tub_model *m;
    tub_error err = {0};
    assert_int_equal(test_model_try(file, &m, &err), TUB_ERROR_MODEL);
    if (!strstr(err.text, "look like those of vit") || !strstr(err.text, "config.json"))
        fail_msg("%s", err.text);
}

// Facebook's own files of DINOv2, and relatives of VideoMAE whose q, k and v share one bias, have names like those of
// InternVideo2 and VideoMAE 2.
static void knows_files_of_no_family(void **state)
{
    (void)state;
    static const char *const files[2][5] = {
        {"patch_embed.proj.weight", "blocks.0.attn.qkv.weight", "cls_token", "blocks.0.ls1.gamma",
         "blocks.0.norm1.bias"},
        {"patch_embed.proj.weight", "blocks.0.attn.qkv.weight", "blocks.0.attn.qkv.bias"}};
    char path[512];
    snprintf(path, sizeof path, "%s", test_model_path("no-family.safetensors"));
    for (int f = 0; f < 2; f++) {
        static const float zero = 0;
        tub_tensor t[5];
        size_t count = 0;
        for (; count < 5 && files[f][count]; count++)
            t[count] = (tub_tensor){.name = files[f][count], .dtype = TUB_F32, .rank = 1, .dims = {1}, .data = &zero};
        assert_int_equal(tub_safetensors_write(path, t, count, NULL), TUB_OK);
        tub_model *m;
        tub_error err = {0};
        assert_int_equal(test_model_try(path, &m, &err), TUB_ERROR_MODEL);
        if (!strstr(err.text, "comes without a config.json"))
            fail_msg("%s", err.text);
        // Without its last tensor, it is recognized as another family's.
        assert_int_equal(tub_safetensors_write(path, t, count - 1, NULL), TUB_OK);
        assert_int_equal(test_model_try(path, &m, &err), TUB_ERROR_MODEL);
        if (strstr(err.text, "comes without a config.json"))
            fail_msg("%s", err.text);
    }
}

// Torch's defaults if the file is the original script's.
static void keeps_the_epsilons_of_a_backbone(void **state)
{
    (void)state;
    char path[512];
    snprintf(path, sizeof path, "%s", test_model_init("llavavit:tiny", "llavavit:tiny", 0));
    test_model_edit_config(path, "layer_norm_eps", NULL);
    test_model_edit_config(path, "head_norm_eps", NULL);
    tub_model *m = test_model_open(path);
    assert_true(m->config.eps == 1e-5 && m->config.head_eps == 1.1920928955078125e-07 && !m->config.rms);
    tub_model_close(&m);
    test_model_edit_config(path, "num_attention_heads", "100");
    m = test_model_open(path);
    refuses(m, &(tub_build){.frames = 1, .height = 32, .width = 32}, "100 attention heads don't divide 64 channels");
    tub_model_close(&m);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, test_models_set_up, test_models_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(fills_in_class_defaults),
        TEST(reads_nested_configs),
        TEST(reads_the_older_of_two_nested_configs),
        TEST(refuses_configs),
        TEST(resizes_positions_on_request),
        TEST(reads_both_nestings),
        TEST(pools_hidden_states),
        TEST(tells_families_apart),
        TEST(reads_files_without_a_config),
        TEST(knows_files_of_no_family),
        TEST(keeps_the_epsilons_of_a_backbone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
