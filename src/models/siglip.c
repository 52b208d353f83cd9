// SigLIP, and SigLIP 2 of fixed resolution (`siglip`, `siglip_vision_model`), frame models.
//
//   pixels [3, H, W]
//     | embeddings.patch_embedding             order (y, x); no class token
//   x [n, D] + embeddings.position_embedding   at a size other than image_size (only if asked for), resized from its
//     |                                        square grid, bicubic
//     | encoder.layers.i                       pre-norm blocks, gelu_pytorch_tanh
//     | post_layernorm
//   last hidden state [n, D]
//     | head                                   one learned query over all tokens, MLP: see pool_head.h
//   feature [D]                                without a head (vision_use_head false): the mean of all tokens
//
// Names may be prefixed with "vision_model.": in every file, except those that transformers 5 writes for the vision
// tower alone.
#include "checks.h"
#include "clip_tower.h"
#include "config_reader.h"
#include "fail.h"
#include "families.h"
#include "pool_head.h"
#include "pools.h"

typedef struct weights {
    tub_layer patch, norm;
    const float *positions; // [grid * grid, D]
    tub_block *blocks;
    tub_pool_head head;
} weights;

static tub_status read_config(const json_t *json, tub_config *c, tub_error *err)
{
    *c = (tub_config){.hidden = 768,
                      .layers = 12,
                      .heads = 12,
                      .mlp = 3072,
                      .patch = 16,
                      .frames = 1,
                      .image_height = 224,
                      .image_width = 224,
                      .eps = 1e-6,
                      .activation = TUB_ACT_GELU_TANH,
                      .head = true};
    json = tub_config_vision(json);
    TUB_TRY(tub_config_read_clip(json, c, err));
    return tub_config_read_bool(json, "vision_use_head", &c->head, err);
}

static const tub_size sizes[] = {
    {"base", 768, 12, 12, 3072, 16, 224, false},
    {"large", 1024, 24, 16, 4096, 16, 256, false},
    {"so400m", 1152, 27, 16, 4304, 14, 384, false},
    {"tiny", 64, 2, 2, 128, 8, 32, false},
    {0},
};

static json_t *make_config(const tub_size *s)
{
    return json_pack("{s:[s], s:f, s:s, s:s, s:i, s:i, s:i, s:f, s:s, s:i, s:i, s:i, s:i, s:b}", "architectures",
                     "SiglipVisionModel", "attention_dropout", 0.0, "dtype", "float32", "hidden_act",
                     "gelu_pytorch_tanh", "hidden_size", s->hidden, "image_size", s->image, "intermediate_size", s->mlp,
                     "layer_norm_eps", 1e-6, "model_type", "siglip_vision_model", "num_attention_heads", s->heads,
                     "num_channels", 3, "num_hidden_layers", s->layers, "patch_size", s->patch, "vision_use_head",
                     true);
}

static void bind(tub_binder *b, tub_config *c, void *out)
{
    static const char *const prefixes[] = {"vision_model.", "", NULL};
    static const char *const ignored[] = {"text_model.*",
                                          "logit_*",
                                          "classifier.*",
                                          "vision_model.embeddings.position_ids",
                                          "embeddings.position_ids",
                                          NULL};
    const int n = c->hidden, grid = c->image_height / c->patch;
    weights *w = out;
    tub_binder_ignore(b, ignored);
    tub_binder_prefix(b, prefixes, "embeddings.patch_embedding.weight");
    w->patch.weight =
        tub_bind(b, TUB_FILL_WEIGHT, TUB_SHAPE(n, 3, c->patch, c->patch), "embeddings.patch_embedding.weight");
    w->patch.bias = tub_bind(b, TUB_FILL_BIAS, TUB_SHAPE(n), "embeddings.patch_embedding.bias");
    tub_tensor table =
        tub_bind(b, TUB_FILL_TOKEN, TUB_SHAPE((int64_t)grid * grid, n), "embeddings.position_embedding.weight");
    w->positions = tub_bind_floats(b, &table);
    w->blocks = tub_bind_clip_blocks(b, c);
    w->norm = tub_bind_norm(b, n, true, "", "post_layernorm");
    if (c->head)
        tub_bind_pool_head(b, c, "layernorm", true, &w->head);
}

static void build_program(const tub_config *c, const void *in, const tub_build *build, tub_arena *arena, tub_program *p,
                          tub_value *feature, tub_value *tokens)
{
    const weights *w = in;
    const int grid = c->image_height / c->patch, rows = build->height / c->patch, cols = build->width / c->patch;
    tub_block_plan plan = tub_block_plan_of(c);
    tub_value x = tub_patches(p, "patches", 1, c->patch, c->patch);
    x = tub_linear(p, "embedding", x, w->patch.weight, w->patch.bias, TUB_ACT_NONE, TUB_WIDE);
    x = tub_add_table(p, "positions", x, tub_table_resize(p, arena, w->positions, grid, rows, cols, c->hidden, false));
    x = tub_append_blocks(p, arena, w->blocks, c->layers, &plan, x);
    if (tub_append_hidden(p, build, x, 0, feature, tokens))
        return;
    *tokens = tub_norm_rows(p, "last norm", x, TUB_NORM_LAYER, w->norm.weight, w->norm.bias, c->eps, TUB_WIDE);
    if (build->pool == TUB_POOL_POOLER) {
        // The head reads the tokens in the compute type, as every linear layer does.
        x = tub_norm_rows(p, "last norm", x, TUB_NORM_LAYER, w->norm.weight, w->norm.bias, c->eps, TUB_NARROW);
        *feature = tub_append_pool_head(p, c, &w->head, TUB_NORM_LAYER, c->eps, x);
    } else {
        *feature = tub_mean(p, "mean of all tokens", *tokens);
    }
}

const tub_architecture tub_siglip = {
    .name = "siglip",
    .model_types = "siglip,siglip_vision_model",
    .feature = "attention-pooling head, without one the mean of all tokens",
    .layouts = "transformers 4 and 5: the whole model or its vision tower",
    .pooler = "attention-pooling head",
    .per_frame = true,
    .sizes = sizes,
    .size_names = "base,large,so400m,tiny",
    .processor = "SiglipImageProcessor",
    .read_config = read_config,
    .make_config = make_config,
    .bind = bind,
    .weights_bytes = sizeof(weights),
    .check = tub_check_image_size,
    .build = build_program,
    .names = "embeddings.patch_embedding.bias,encoder.layers.0.self_attn.q_proj.weight,post_layernorm.weight",
};
