// AIMv2, a frame model, in both of its layouts: transformers' (`aimv2_vision_model`, and `aimv2` with a vision_config)
// and Apple's own (`aimv2` without one).
//
//   transformers                             Apple
//   pixels [3, H, W]
//     | embeddings.patch_embed               preprocessor.patchifier.proj     order (y, x)
//     | embeddings.rms_norm                  preprocessor.patchifier.norm
//   x [n, D] + positions                     stored for image_size (embeddings.position_embedding,
//     |                                      preprocessor.pos_embed), or of any size (is_native): sin-cos of x, then y
//     | encoder.layers.i                     trunk.blocks.i                   pre-norm blocks, RMSNorm, gated silu MLP
//     |   rms_norm1, rms_norm2                 norm_1, norm_2
//     |   attention.{q,k,v}_proj, out_proj     attn.qkv, attn.proj
//     |   ffn.{gate,up,down}_proj              mlp.{fc1,fc3,fc2}
//     | rms_norm                             trunk.post_trunk_norm
//   last hidden state [n, D]
//     | head.{k,v}_proj                      one query, head.cls_token itself, over all tokens
//     | head.output_proj
//   feature [D]                              without a head: the mean of all tokens
#include <math.h>
#include <stdio.h>

#include "checks.h"
#include "config_reader.h"
#include "fail.h"
#include "families.h"
#include "pools.h"
#include "vit.h"

typedef struct weights {
    tub_layer patch, norm_patch, norm;
    tub_tensor positions; // [grid * grid, D], or empty
    tub_block *blocks;
    tub_tensor query; // [1, D] of the head
    tub_layer kv, out;
} weights;

static tub_status read_config(const json_t *json, tub_config *c, tub_error *err)
{
    *c = (tub_config){.hidden = 1024,
                      .layers = 24,
                      .heads = 8,
                      .mlp = 2816,
                      .patch = 14,
                      .frames = 1,
                      .image_height = 224,
                      .image_width = 224,
                      .eps = 1e-5,
                      .activation = TUB_ACT_SILU,
                      .gated = true,
                      .rms = true,
                      .head = true};
    json = tub_config_vision(json);
    TUB_TRY(tub_config_read_tower(json, c, err));
    TUB_TRY(tub_config_read_eps(json, "rms_norm_eps", c, err));
    TUB_TRY(tub_config_read_mlp(json, c, err));
    TUB_TRY(tub_config_read_square(json, c, err));
    TUB_TRY(tub_config_read_bool(json, "qkv_bias", &c->qkv_bias, err));
    TUB_TRY(tub_config_read_bool(json, "mlp_bias", &c->mlp_bias, err));
    TUB_TRY(tub_config_read_bool(json, "use_head", &c->head, err));
    TUB_TRY(tub_config_read_bool(json, "is_native", &c->native, err));
    if (c->native && c->hidden % 4)
        return tub_fail(err, TUB_ERROR_MODEL,
                        "config.json: key \"hidden_size\": %d isn't a multiple of 4, as is_native "
                        "needs it",
                        c->hidden);
    return TUB_OK;
}

static const tub_size sizes[] = {
    {"large", 1024, 24, 8, 2816, 14, 224, true}, {"huge", 1536, 24, 12, 4096, 14, 224, true},
    {"1b", 2048, 24, 16, 5632, 14, 224, true},   {"3b", 3072, 24, 24, 8192, 14, 224, true},
    {"tiny", 64, 2, 2, 128, 7, 28, true},        {0},
};

static json_t *make_config(const tub_size *s)
{
    return json_pack("{s:[s], s:f, s:s, s:s, s:i, s:i, s:f, s:i, s:b, s:b, s:s, s:i, s:i, s:i, s:i, s:b, s:f, s:b}",
                     "architectures", "Aimv2VisionModel", "attention_dropout", 0.0, "dtype", "float32", "hidden_act",
                     "silu", "hidden_size", s->hidden, "image_size", s->image, "initializer_range", 0.02,
                     "intermediate_size", s->mlp, "is_native", false, "mlp_bias", false, "model_type",
                     "aimv2_vision_model", "num_attention_heads", s->heads, "num_channels", 3, "num_hidden_layers",
                     s->layers, "patch_size", s->patch, "qkv_bias", false, "rms_norm_eps", 1e-5, "use_head", true);
}

static void bind_block(tub_binder *b, const tub_config *c, int i, tub_block *k)
{
    static const char *const names[3] = {"attention.q_proj.weight", "attention.k_proj.weight",
                                         "attention.v_proj.weight"};
    static const char *const none[3] = {0}, *const biases[3] = {"attention.q_proj.bias", "attention.k_proj.bias",
                                                                "attention.v_proj.bias"};
    char at[TUB_AT];
    snprintf(at, sizeof at, "encoder.layers.%d.", i);
    k->norm1 = tub_bind_norm(b, c->hidden, false, at, "rms_norm1");
    k->qkv = tub_bind_qkv(b, c->hidden, at, names, c->qkv_bias ? biases : none);
    k->out = tub_bind_linear(b, c->hidden, c->hidden, c->qkv_bias, at, "attention.out_proj");
    k->norm2 = tub_bind_norm(b, c->hidden, false, at, "rms_norm2");
    const tub_layer gate = tub_bind_linear(b, c->mlp, c->hidden, c->mlp_bias, at, "ffn.gate_proj");
    const tub_layer up = tub_bind_linear(b, c->mlp, c->hidden, c->mlp_bias, at, "ffn.up_proj");
    k->up = tub_bind_pair(b, &gate, &up);
    k->down = tub_bind_linear(b, c->hidden, c->mlp, c->mlp_bias, at, "ffn.down_proj");
}

// Apple's config has use_bias and qkv_bias, but these don't say which layers of a file have biases: the file does.
static tub_layer bind_apple_linear(tub_binder *b, int out, int in, const char *at, const char *name)
{
    char bias[TUB_AT + 32];
    snprintf(bias, sizeof bias, "%s%s.bias", at, name);
    return tub_bind_linear(b, out, in, tub_binder_has(b, bias, false), at, name);
}

static void bind_apple_block(tub_binder *b, const tub_config *c, int i, tub_block *k)
{
    char at[TUB_AT];
    snprintf(at, sizeof at, "trunk.blocks.%d.", i);
    k->norm1 = tub_bind_norm(b, c->hidden, false, at, "norm_1");
    k->qkv = bind_apple_linear(b, 3 * c->hidden, c->hidden, at, "attn.qkv");
    k->out = bind_apple_linear(b, c->hidden, c->hidden, at, "attn.proj");
    k->norm2 = tub_bind_norm(b, c->hidden, false, at, "norm_2");
    const tub_layer gate = bind_apple_linear(b, c->mlp, c->hidden, at, "mlp.fc1");
    const tub_layer up = bind_apple_linear(b, c->mlp, c->hidden, at, "mlp.fc3");
    k->up = tub_bind_pair(b, &gate, &up);
    k->down = bind_apple_linear(b, c->hidden, c->mlp, at, "mlp.fc2");
}

static void bind_tower(tub_binder *b, const tub_config *c, bool apple, weights *w)
{
    const int n = c->hidden, grid = c->image_height / c->patch;
    const char *patch = apple ? "preprocessor.patchifier.proj" : "embeddings.patch_embed";
    w->patch.weight = tub_bind(b, TUB_FILL_WEIGHT, TUB_SHAPE(n, 3, c->patch, c->patch), "%s.weight", patch);
    w->patch.bias = tub_bind(b, TUB_FILL_BIAS, TUB_SHAPE(n), "%s.bias", patch);
    w->norm_patch = tub_bind_norm(b, n, false, "", apple ? "preprocessor.patchifier.norm" : "embeddings.rms_norm");
    if (!c->native && apple)
        w->positions = tub_bind(b, TUB_FILL_TOKEN, TUB_SHAPE(1, (int64_t)grid * grid, n), "preprocessor.pos_embed");
    else if (!c->native)
        w->positions =
            tub_bind(b, TUB_FILL_TOKEN, TUB_SHAPE((int64_t)grid * grid, n), "embeddings.position_embedding.weight");
    w->blocks = tub_bind_alloc(b, (size_t)c->layers, sizeof *w->blocks);
    for (int i = 0; w->blocks && i < c->layers; i++)
        (apple ? bind_apple_block : bind_block)(b, c, i, &w->blocks[i]);
    w->norm = tub_bind_norm(b, n, false, "", apple ? "trunk.post_trunk_norm" : "rms_norm");
}

static void bind_head(tub_binder *b, const tub_config *c, weights *w)
{
    const int n = c->hidden;
    const tub_tensor token = tub_bind(b, TUB_FILL_TOKEN, TUB_SHAPE(1, 1, n), "head.cls_token");
    const tub_layer k = tub_bind_linear(b, n, n, c->qkv_bias, "head.", "k_proj");
    const tub_layer v = tub_bind_linear(b, n, n, c->qkv_bias, "head.", "v_proj");
    w->query = token;
    w->kv = tub_bind_pair(b, &k, &v);
    w->out = tub_bind_linear(b, n, n, true, "head.", "output_proj");
}

static void bind(tub_binder *b, tub_config *c, void *out)
{
    static const char *const prefixes[] = {"", "vision_model.", NULL};
    static const char *const ignored[] = {"text_model.*",           "logit_scale",  "visual_projection.weight",
                                          "text_projection.weight", "classifier.*", NULL};
    const bool apple = tub_binder_has_absolute(b, "preprocessor.patchifier.proj.weight", false);
    tub_binder_ignore(b, ignored);
    if (!apple) {
        tub_binder_prefix(b, prefixes, "embeddings.patch_embed.weight");
    } else {
        // Apple's config has no keys for these.
        c->native = !tub_binder_has(b, "preprocessor.pos_embed", false);
        c->head = tub_binder_has(b, "head.cls_token", false);
    }
    bind_tower(b, c, apple, out);
    if (c->head)
        bind_head(b, c, out);
}

static tub_status check(const tub_config *c, const tub_build *build, tub_error *err)
{
    if (!c->native && (build->height != c->image_height || build->width != c->image_width))
        return tub_fail(err, TUB_ERROR_MODEL,
                        "frames of %dx%d pixels: this checkpoint takes %dx%d (image_size in config.json): use "
                        "--size %dx%d",
                        build->height, build->width, c->image_height, c->image_width, c->image_height, c->image_width);
    return tub_check_one_patch(c, build, err);
}

// A quarter of the columns each: sin and cos of x, sin and cos of y.
static tub_tensor make_positions(tub_program *p, tub_arena *arena, int rows, int cols, int n)
{
    float *data;
    tub_tensor t = tub_new_table(p, arena, (int64_t)rows * cols, n, &data);
    const int quarter = n / 4;
    for (int i = 0; data && i < rows * cols; i++, data += n)
        for (int k = 0; k < quarter; k++) {
            double wave = pow(10000, -(double)k / quarter), x = i % cols * wave, y = i / cols * wave;
            data[k] = (float)sin(x);
            data[quarter + k] = (float)cos(x);
            data[2 * quarter + k] = (float)sin(y);
            data[3 * quarter + k] = (float)cos(y);
        }
    return t;
}

static void build_program(const tub_config *c, const void *in, const tub_build *build, tub_arena *arena, tub_program *p,
                          tub_value *feature, tub_value *tokens)
{
    const weights *w = in;
    const int rows = build->height / c->patch, cols = build->width / c->patch, dim = c->hidden / c->heads;
    const tub_tensor none = tub_no_tensor();
    tub_block_plan plan = tub_block_plan_of(c);
    tub_value x = tub_patches(p, "patches", 1, c->patch, c->patch);
    x = tub_linear(p, "embedding", x, w->patch.weight, w->patch.bias, TUB_ACT_NONE, TUB_WIDE);
    x = tub_norm_rows(p, "first norm", x, TUB_NORM_RMS, w->norm_patch.weight, none, c->eps, TUB_WIDE);
    x = tub_add_table(p, "positions", x, c->native ? make_positions(p, arena, rows, cols, c->hidden) : w->positions);
    x = tub_append_blocks(p, arena, w->blocks, c->layers, &plan, x);
    if (tub_append_hidden(p, build, x, 0, feature, tokens))
        return;
    *tokens = tub_norm_rows(p, "last norm", x, TUB_NORM_RMS, w->norm.weight, none, c->eps, TUB_WIDE);
    if (build->pool != TUB_POOL_POOLER) {
        *feature = tub_mean(p, "mean of all tokens", *tokens);
        return;
    }
    // The head reads the tokens in the compute type, as every linear layer does.
    tub_value y = tub_norm_rows(p, "last norm", x, TUB_NORM_RMS, w->norm.weight, none, c->eps, TUB_NARROW);
    y = tub_linear(p, "head k, v", y, w->kv.weight, w->kv.bias, TUB_ACT_NONE, TUB_NARROW);
    y = tub_attention_pool(p, "head attention", w->query, y, c->heads, dim, 1 / sqrt(dim));
    *feature = tub_linear(p, "head out", y, w->out.weight, w->out.bias, TUB_ACT_NONE, TUB_WIDE);
}

const tub_architecture tub_aimv2 = {
    .name = "aimv2",
    .model_types = "aimv2_vision_model,aimv2",
    .feature = "attention-pooling head, without one the mean of all tokens",
    .layouts = "transformers; Apple's own",
    .pooler = "attention-pooling head",
    .per_frame = true,
    .sizes = sizes,
    .size_names = "large,huge,1b,3b,tiny",
    .processor = "CLIPImageProcessor",
    .read_config = read_config,
    .make_config = make_config,
    .bind = bind,
    .weights_bytes = sizeof(weights),
    .check = check,
    .build = build_program,
    .names = "embeddings.rms_norm.weight|preprocessor.patchifier.norm.weight",
};
