// VideoMAE, as transformers saves it: VideoMAEModel, VideoMAEForPreTraining, VideoMAEForVideoClassification.
//
//   pixels [T, 3, H, W]
//     | embeddings.patch_embeddings.projection     tubelets of 2 frames, order (t, y, x); no class token
//   x [n, D] + sin-cos table of the token's number (not in the file)
//     | encoder.layer.i                            pre-norm blocks; query and value have biases, key never
//     | layernorm                                  only where use_mean_pooling is false
//   last hidden state [n, D]
//     | mean over the tokens
//     | fc_norm (eps 1e-5)                         only in a classifier with use_mean_pooling
//   feature [D]
//
// Names may be prefixed with "videomae.". Decoder, mask token and classifier are not used.
#include <stdio.h>

#include "config_reader.h"
#include "fail.h"
#include "families.h"
#include "pools.h"
#include "vit.h"

typedef struct weights {
    tub_layer patch, norm, fc_norm;
    tub_block *blocks;
} weights;

static tub_status read_config(const json_t *json, tub_config *c, tub_error *err)
{
    *c = (tub_config){.hidden = 768,
                      .layers = 12,
                      .heads = 12,
                      .mlp = 3072,
                      .patch = 16,
                      .tubelet = 2,
                      .frames = 16,
                      .image_height = 224,
                      .image_width = 224,
                      .eps = 1e-12,
                      .activation = TUB_ACT_GELU,
                      .qkv_bias = true,
                      .mean_pooling = true};
    TUB_TRY(tub_config_read_tower(json, c, err));
    TUB_TRY(tub_config_read_mlp(json, c, err));
    TUB_TRY(tub_config_read_image(json, c, err));
    TUB_TRY(tub_config_read_int(json, "num_frames", 1, 4096, &c->frames, err));
    TUB_TRY(tub_config_read_int(json, "tubelet_size", 1, c->frames, &c->tubelet, err));
    TUB_TRY(tub_config_read_bool(json, "use_mean_pooling", &c->mean_pooling, err));
    // The key's name up to version 4 of transformers, then its name since version 5.
    TUB_TRY(tub_config_read_bool(json, "qkv_bias", &c->qkv_bias, err));
    return tub_config_read_bool(json, "qv_bias", &c->qkv_bias, err);
}

static const tub_size sizes[] = {
    {"base", 768, 12, 12, 3072, 16, 224, false},   {"small", 384, 12, 16, 1536, 16, 224, false},
    {"large", 1024, 24, 16, 4096, 16, 224, false}, {"huge", 1280, 32, 16, 5120, 16, 224, false},
    {"tiny", 64, 2, 2, 128, 8, 32, false},         {0},
};

static json_t *make_config(const tub_size *s)
{
    return json_pack(
        "{s:[s], s:f, s:i, s:i, s:i, s:i, s:s, s:s, s:f, s:i, s:i, s:f, s:i, s:f, s:s, s:b, s:i, s:i, s:i, s:i,"
        " s:i, s:b, s:i, s:b}",
        "architectures", "VideoMAEModel", "attention_probs_dropout_prob", 0.0, "decoder_hidden_size", 384,
        "decoder_intermediate_size", 1536, "decoder_num_attention_heads", 6, "decoder_num_hidden_layers", 4, "dtype",
        "float32", "hidden_act", "gelu", "hidden_dropout_prob", 0.0, "hidden_size", s->hidden, "image_size", s->image,
        "initializer_range", 0.02, "intermediate_size", s->mlp, "layer_norm_eps", 1e-12, "model_type", "videomae",
        "norm_pix_loss", true, "num_attention_heads", s->heads, "num_channels", 3, "num_frames", 16,
        "num_hidden_layers", s->layers, "patch_size", s->patch, "qkv_bias", true, "tubelet_size", 2, "use_mean_pooling",
        false);
}

// Keys have no bias. The biases of queries and values have had two names.
static void bind_block(tub_binder *b, const tub_config *c, int i, tub_block *k)
{
    static const char *const old[3] = {"attention.attention.q_bias", NULL, "attention.attention.v_bias"},
                             *const new[3] = {"attention.attention.query.bias", NULL, "attention.attention.value.bias"};
    char probe[TUB_AT + 64];
    snprintf(probe, sizeof probe, "encoder.layer.%d.%s", i, new[0]);
    tub_bind_vit_block(b, c, i, tub_binder_has(b, probe, false) ? new : old, k);
}

static void bind(tub_binder *b, tub_config *c, void *out)
{
    static const char *const prefixes[] = {"", "videomae.", NULL};
    static const char *const ignored[] = {"decoder.*", "encoder_to_decoder.*", "mask_token", "classifier.*", NULL};
    weights *w = out;
    tub_binder_ignore(b, ignored);
    tub_binder_prefix(b, prefixes, "embeddings.patch_embeddings.projection.weight");
    w->patch = tub_bind_vit_patches(b, c->hidden, c->tubelet, c->patch, c->patch);
    w->blocks = tub_bind_alloc(b, (size_t)c->layers, sizeof *w->blocks);
    for (int i = 0; w->blocks && i < c->layers; i++)
        bind_block(b, c, i, &w->blocks[i]);
    if (!c->mean_pooling)
        w->norm = tub_bind_norm(b, c->hidden, true, "", "layernorm");
    c->head = c->mean_pooling && tub_binder_has_absolute(b, "fc_norm.weight", false);
    if (c->head) {
        w->fc_norm.weight = tub_bind_absolute(b, TUB_FILL_ONE, TUB_SHAPE(c->hidden), "fc_norm.weight");
        w->fc_norm.bias = tub_bind_absolute(b, TUB_FILL_BIAS, TUB_SHAPE(c->hidden), "fc_norm.bias");
    }
}

// The model's positions are a fixed table of the config's size.
static tub_status check(const tub_config *c, const tub_build *build, tub_error *err)
{
    if (build->frames != c->frames)
        return tub_fail(err, TUB_ERROR_MODEL,
                        "clips of %d frames: this checkpoint takes clips of %d (num_frames in "
                        "config.json): use --clip-length %d",
                        build->frames, c->frames, c->frames);
    if (build->height != c->image_height || build->width != c->image_width)
        return tub_fail(err, TUB_ERROR_MODEL,
                        "frames of %dx%d pixels: this checkpoint takes %dx%d (image_size in "
                        "config.json): use --size %dx%d",
                        build->height, build->width, c->image_height, c->image_width, c->image_height, c->image_width);
    return TUB_OK;
}

static void build_program(const tub_config *c, const void *in, const tub_build *build, tub_arena *arena, tub_program *p,
                          tub_value *feature, tub_value *tokens)
{
    const weights *w = in;
    int n = (build->frames / c->tubelet) * (build->height / c->patch) * (build->width / c->patch);
    tub_block_plan plan = tub_block_plan_of(c);
    tub_value x = tub_patches(p, "tubelets", c->tubelet, c->patch, c->patch);
    x = tub_linear(p, "embedding", x, w->patch.weight, w->patch.bias, TUB_ACT_NONE, TUB_WIDE);
    x = tub_add_table(p, "positions", x, tub_table_sincos(p, arena, n, c->hidden));
    x = tub_append_blocks(p, arena, w->blocks, c->layers, &plan, x);
    if (tub_append_hidden(p, build, x, 0, feature, tokens))
        return;
    if (!c->mean_pooling)
        x = tub_norm_rows(p, "last norm", x, TUB_NORM_LAYER, w->norm.weight, w->norm.bias, c->eps, TUB_WIDE);
    *tokens = x;
    *feature = tub_mean(p, "mean of all tokens", x);
    if (build->pool == TUB_POOL_POOLER)
        *feature =
            tub_norm_rows(p, "fc_norm", *feature, TUB_NORM_LAYER, w->fc_norm.weight, w->fc_norm.bias, 1e-5, TUB_WIDE);
}

const tub_architecture tub_videomae = {
    .name = "videomae",
    .model_types = "videomae",
    .feature = "mean of all tokens, of a classifier through its fc_norm",
    .layouts = "transformers: bare, for pre-training, for classification",
    .pooler = "fc_norm of the mean of all tokens",
    .sizes = sizes,
    .size_names = "base,small,large,huge,tiny",
    .processor = "VideoMAEImageProcessor",
    .read_config = read_config,
    .make_config = make_config,
    .bind = bind,
    .weights_bytes = sizeof(weights),
    .check = check,
    .build = build_program,
    .names =
        "embeddings.patch_embeddings.projection.weight,encoder.layer.0.layernorm_before.weight,!embeddings.cls_token",
};
