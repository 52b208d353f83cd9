// VideoMAE v2, and the original layout of VideoMAE and InternVideo 1: the Hub's safetensors (`VideoMAEv2_*`, sizes in
// "model_config"), or GitHub's .pth, which comes without a config: then sizes are read from the tensors' shapes.
//
//   pixels [T, 3, H, W], 0 .. 1
//     | patch_embed.proj                tubelets of 2 frames, order (t, y, x); no class token
//   x [n, D] + sin-cos table of the token's number (not in the file; pos_embed where there is one)
//     | blocks.i                        pre-norm blocks; attn.qkv has q_bias and v_bias, never one for k;
//     |                                 gamma_1, gamma_2: LayerScale, where the file has them;
//     |                                 cos_attn: q and k of length 1, logits times exp(min(attn.scale, 4.6052))
//     | norm                            only without mean pooling
//   last hidden state [n, D]
//     | mean over the tokens | fc_norm  what extract_tad_feature.py saves; without mean pooling: the first token
//   feature [D]
//
// Names may be prefixed with "model." (Hub) or "encoder." (pretraining). Every norm has the same epsilon.
#include <math.h>
#include <stdio.h>

#include "config_reader.h"
#include "fail.h"
#include "families.h"
#include "pools.h"
#include "shape_sizes.h"
#include "vit.h"

typedef struct weights {
    tub_layer patch, norm, fc_norm;
    tub_tensor positions; // [1, n, D], or empty
    tub_block *blocks;
} weights;

static tub_status read_sizes(const json_t *json, tub_config *c, tub_error *err)
{
    TUB_TRY(tub_config_read_int(json, "embed_dim", 1, 1 << 15, &c->hidden, err));
    TUB_TRY(tub_config_read_int(json, "depth", 1, TUB_LAYERS_MOST, &c->layers, err));
    TUB_TRY(tub_config_read_int(json, "num_heads", 1, 1024, &c->heads, err));
    TUB_TRY(tub_config_read_int(json, "patch_size", 1, 256, &c->patch, err));
    TUB_TRY(tub_config_read_int(json, "num_frames", 1, 4096, &c->frames, err));
    TUB_TRY(tub_config_read_int(json, "tubelet_size", 1, 4096, &c->tubelet, err));
    TUB_TRY(tub_config_read_int(json, "img_size", 1, 1 << 14, &c->image_height, err));
    c->image_width = c->image_height;
    if (c->hidden && c->heads && c->hidden % c->heads)
        return tub_fail(err, TUB_ERROR_MODEL, "config.json: key \"num_heads\": %d heads don't divide embed_dim %d",
                        c->heads, c->hidden);
    if (c->frames && c->tubelet > c->frames)
        return tub_fail(err, TUB_ERROR_MODEL, "config.json: key \"tubelet_size\": %d is above num_frames %d",
                        c->tubelet, c->frames);
    if (c->image_height && c->image_height < c->patch)
        return tub_fail(err, TUB_ERROR_MODEL, "config.json: key \"img_size\": is smaller than patch_size");
    return TUB_OK;
}

// Values that the config doesn't give stay 0, and come from the tensors.
static tub_status read_config(const json_t *json, tub_config *c, tub_error *err)
{
    *c = (tub_config){.eps = 1e-6, .activation = TUB_ACT_GELU, .qkv_bias = true};
    const json_t *sizes = json_object_get(json, "model_config");
    double ratio = 0;
    int channels = 3;
    json = json_is_object(sizes) ? sizes : json;
    TUB_TRY(read_sizes(json, c, err));
    TUB_TRY(tub_config_read_int(json, "in_chans", 3, 3, &channels, err));
    TUB_TRY(tub_config_read_double(json, "mlp_ratio", &ratio, err));
    TUB_TRY(tub_config_read_eps(json, "layer_norm_eps", c, err));
    TUB_TRY(tub_config_read_bool(json, "qkv_bias", &c->qkv_bias, err));
    TUB_TRY(tub_config_read_bool(json, "cos_attn", &c->cosine, err));
    if (!(ratio >= 0 && ratio <= 64))
        return tub_fail(err, TUB_ERROR_MODEL, "config.json: key \"mlp_ratio\": must be above 0 and at most 64");
    const json_t *scale = json_object_get(json, "qk_scale");
    if (scale && !json_is_null(scale))
        return tub_fail(err, TUB_ERROR_MODEL, "config.json: key \"qk_scale\": only null is known");
    c->mlp = (int)(c->hidden * ratio);
    return TUB_OK;
}

static const tub_size sizes[] = {
    {"base", 768, 12, 12, 3072, 16, 224, false},
    {"small", 384, 12, 6, 1536, 16, 224, false},
    {"large", 1024, 24, 16, 4096, 16, 224, false},
    {"huge", 1280, 32, 16, 5120, 16, 224, false},
    {"giant", 1408, 40, 16, 6144, 14, 224, false},
    {"tiny", 64, 2, 2, 128, 8, 32, false},
    {0},
};

static json_t *make_config(const tub_size *s)
{
    json_t *inner = json_pack(
        "{s:b, s:i, s:i, s:i, s:i, s:f, s:f, s:f, s:i, s:s, s:i, s:i, s:i, s:n, s:b, s:i, s:b, s:b, s:b}", "cos_attn",
        false, "depth", s->layers, "embed_dim", s->hidden, "img_size", s->image, "in_chans", 3, "init_values", 0.0,
        "layer_norm_eps", 1e-6, "mlp_ratio", (double)s->mlp / s->hidden, "num_classes", 0, "norm_layer", "nn.LayerNorm",
        "num_frames", 16, "num_heads", s->heads, "patch_size", s->patch, "qk_scale", "qkv_bias", true, "tubelet_size",
        2, "use_learnable_pos_emb", false, "use_mean_pooling", true, "with_cp", false);
    return json_pack("{s:[s], s:s, s:o}", "architectures", "VideoMAEv2_Base", "model_type", "VideoMAEv2_Base",
                     "model_config", inner);
}

// [3D] of q_bias and v_bias; k's part is zero.
static tub_tensor bind_bias(tub_binder *b, const tub_config *c, const char *at)
{
    const int n = c->hidden;
    const tub_tensor parts[3] = {tub_bind_vector(b, TUB_FILL_BIAS, n, at, "attn.q_bias"), tub_no_tensor(),
                                 tub_bind_vector(b, TUB_FILL_BIAS, n, at, "attn.v_bias")};
    return tub_bind_stack(b, parts, (const int64_t[]){n, n, n}, 3);
}

// Weights of the norm of q and k: a head's own scale for q, 1 for k.
static tub_tensor bind_scale(tub_binder *b, const tub_config *c, const char *at)
{
    float *out;
    const int n = c->hidden, heads = c->heads;
    const tub_tensor scale = tub_bind(b, TUB_FILL_ONE, TUB_SHAPE(heads, 1, 1), "%sattn.scale", at);
    const tub_tensor t = tub_bind_new(b, "attn.scale", TUB_SHAPE(2 * n), &out);
    const float *v = tub_bind_floats(b, &scale);
    // A number of heads that doesn't divide the columns is refused when a program is built.
    for (int i = 0; out && v && n % heads == 0 && i < n; i++) {
        out[i] = (float)exp(fmin(v[i / (n / heads)], 4.6052));
        out[n + i] = 1;
    }
    return t;
}

static void bind_block(tub_binder *b, const tub_config *c, int i, tub_block *k)
{
    char at[TUB_AT], gamma[TUB_AT + 16];
    snprintf(at, sizeof at, "blocks.%d.", i);
    k->norm1 = tub_bind_norm(b, c->hidden, true, at, "norm1");
    k->qkv.weight = tub_bind(b, TUB_FILL_WEIGHT, TUB_SHAPE(3 * c->hidden, c->hidden), "%sattn.qkv.weight", at);
    if (c->qkv_bias)
        k->qkv.bias = bind_bias(b, c, at);
    if (c->cosine)
        k->qk_norm = bind_scale(b, c, at);
    k->out = tub_bind_linear(b, c->hidden, c->hidden, true, at, "attn.proj");
    k->norm2 = tub_bind_norm(b, c->hidden, true, at, "norm2");
    k->up = tub_bind_linear(b, c->mlp, c->hidden, true, at, "mlp.fc1");
    k->down = tub_bind_linear(b, c->hidden, c->mlp, true, at, "mlp.fc2");
    snprintf(gamma, sizeof gamma, "%sgamma_1", at);
    if (tub_binder_has(b, gamma, false)) {
        k->scale1 = tub_bind_vector(b, TUB_FILL_SCALE, c->hidden, at, "gamma_1");
        k->scale2 = tub_bind_vector(b, TUB_FILL_SCALE, c->hidden, at, "gamma_2");
    }
}

// Published models whose heads don't have 64 channels have 16 heads.
static int usual_heads(int hidden)
{
    if (hidden == 1280 || hidden == 1408 || hidden == 1664)
        return 16;
    return hidden % 64 ? 0 : hidden / 64;
}

static void complete_config(tub_binder *b, tub_config *c)
{
    tub_size_from_shape(b, "patch_embed.proj.weight", 5, 0, &c->hidden);
    tub_size_from_shape(b, "patch_embed.proj.weight", 5, 2, &c->tubelet);
    tub_size_from_shape(b, "patch_embed.proj.weight", 5, 3, &c->patch);
    tub_size_from_shape(b, "blocks.0.mlp.fc1.weight", 2, 0, &c->mlp);
    tub_layers_from_names(b, "blocks.", ".norm1.weight", &c->layers);
    c->cosine = c->cosine || tub_binder_has(b, "blocks.0.attn.scale", false);
    if (c->cosine)
        tub_size_from_shape(b, "blocks.0.attn.scale", 3, 0, &c->heads);
    c->free_heads = c->heads == 0;
    if (c->free_heads)
        c->heads = usual_heads(c->hidden);
}

static void bind(tub_binder *b, tub_config *c, void *out)
{
    static const char *const prefixes[] = {"model.", "", "encoder.", NULL};
    static const char *const ignored[] = {"head.*",     "model.head.*",         "decoder.*",
                                          "mask_token", "encoder_to_decoder.*", NULL};
    weights *w = out;
    tub_binder_ignore(b, ignored);
    tub_binder_prefix(b, prefixes, "patch_embed.proj.weight");
    complete_config(b, c);
    w->patch.weight = tub_bind(b, TUB_FILL_WEIGHT, TUB_SHAPE(c->hidden, 3, c->tubelet, c->patch, c->patch),
                               "patch_embed.proj.weight");
    w->patch.bias = tub_bind(b, TUB_FILL_BIAS, TUB_SHAPE(c->hidden), "patch_embed.proj.bias");
    int tokens = 0;
    tub_size_from_shape(b, "pos_embed", 3, 1, &tokens);
    if (tokens)
        w->positions = tub_bind(b, TUB_FILL_TOKEN, TUB_SHAPE(1, tokens, c->hidden), "pos_embed");
    w->blocks = tub_bind_alloc(b, (size_t)c->layers, sizeof *w->blocks);
    for (int i = 0; w->blocks && i < c->layers; i++)
        bind_block(b, c, i, &w->blocks[i]);
    if (tub_binder_has(b, "norm.weight", false))
        w->norm = tub_bind_norm(b, c->hidden, true, "", "norm");
    c->mean_pooling = tub_binder_has(b, "fc_norm.weight", true);
    if (c->mean_pooling)
        w->fc_norm = tub_bind_norm(b, c->hidden, true, "", "fc_norm");
    // A classifier without fc_norm uses its first token; a pretrained encoder has no feature row of its own.
    c->head = c->mean_pooling || (w->norm.weight.data && tub_binder_prefix_in_use(b)[0] != 'e');
}

static tub_status check(const tub_config *c, const tub_build *build, tub_error *err)
{
    if ((c->frames && build->frames != c->frames) || build->frames < c->tubelet)
        return tub_fail(err, TUB_ERROR_MODEL,
                        "clips of %d frames: this checkpoint takes clips of %d: use "
                        "--clip-length %d",
                        build->frames, c->frames ? c->frames : 16, c->frames ? c->frames : 16);
    if ((c->image_height && (build->height != c->image_height || build->width != c->image_width)) ||
        build->height < c->patch || build->width < c->patch)
        return tub_fail(err, TUB_ERROR_MODEL, "frames of %dx%d pixels: this checkpoint takes %dx%d: use --size %dx%d",
                        build->height, build->width, c->image_height ? c->image_height : 224,
                        c->image_width ? c->image_width : 224, c->image_height ? c->image_height : 224,
                        c->image_width ? c->image_width : 224);
    return TUB_OK;
}

static void build_program(const tub_config *c, const void *in, const tub_build *build, tub_arena *arena, tub_program *p,
                          tub_value *feature, tub_value *tokens)
{
    const weights *w = in;
    int n = (build->frames / c->tubelet) * (build->height / c->patch) * (build->width / c->patch);
    tub_block_plan plan = tub_block_plan_of(c);
    if (c->cosine) {
        plan.scale = 1;
        plan.qk_kind = TUB_NORM_L2;
        plan.qk_dim = plan.dim;
        plan.qk_eps = 1e-12;
    }
    tub_value x = tub_patches(p, "tubelets", c->tubelet, c->patch, c->patch);
    x = tub_linear(p, "embedding", x, w->patch.weight, w->patch.bias, TUB_ACT_NONE, TUB_WIDE);
    x = tub_add_table(p, "positions", x, w->positions.data ? w->positions : tub_table_sincos(p, arena, n, c->hidden));
    x = tub_append_blocks(p, arena, w->blocks, c->layers, &plan, x);
    if (tub_append_hidden(p, build, x, 0, feature, tokens))
        return;
    if (w->norm.weight.data)
        x = tub_norm_rows(p, "last norm", x, TUB_NORM_LAYER, w->norm.weight, w->norm.bias, c->eps, TUB_WIDE);
    *tokens = x;
    if (build->pool == TUB_POOL_POOLER && !c->mean_pooling) {
        *feature = tub_rows(p, "first token", x, 0, 1);
        return;
    }
    *feature = tub_mean(p, "mean of all tokens", x);
    if (build->pool == TUB_POOL_POOLER)
        *feature =
            tub_norm_rows(p, "fc_norm", *feature, TUB_NORM_LAYER, w->fc_norm.weight, w->fc_norm.bias, c->eps, TUB_WIDE);
}

const tub_architecture tub_videomaev2 = {
    .name = "videomaev2",
    .model_types = "videomae_v2,VideoMAEv2*",
    .feature = "fc_norm of the mean of all tokens; without an fc_norm the first token of a classifier, else the mean",
    .layouts = "OpenGVLab's: the Hub's folders, and .pth files of VideoMAE v2, VideoMAE and InternVideo 1",
    .pooler = "fc_norm of the mean of all tokens; without an fc_norm the first token",
    .sizes = sizes,
    .size_names = "base,small,large,huge,giant,tiny",
    .read_config = read_config,
    .make_config = make_config,
    .bind = bind,
    .weights_bytes = sizeof(weights),
    .check = check,
    .build = build_program,
    .sizes_in_file = true,
    .names = "patch_embed.proj.weight,blocks.0.attn.qkv.weight,!blocks.0.attn.qkv.bias,!cls_token",
};
