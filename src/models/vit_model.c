// ViT (`vit`), a frame model.
//
//   pixels [3, H, W]
//     | embeddings.patch_embeddings.projection   order (y, x)
//   x = [embeddings.cls_token ; patches] + embeddings.position_embeddings
//     |                                          at a size other than image_size (only if asked for), the patches'
//     |                                          part is resized from its square grid, bicubic
//     | encoder.layer.i                          pre-norm blocks
//     | layernorm
//   last hidden state [1 + n, D]
//     | row 0 | pooler.dense | tanh              where the file has a pooler, else row 0 itself
//   feature [D]
//
// Names may be prefixed with "vit.": in files of ViTForImageClassification, which has no pooler.
#include <string.h>

#include "checks.h"
#include "class_row.h"
#include "config_reader.h"
#include "fail.h"
#include "families.h"
#include "pools.h"
#include "vit.h"

typedef struct weights {
    tub_layer patch, norm, pooler;
    tub_tensor class;       // [1, D] with its position
    const float *positions; // [grid * grid, D] of the patches
    tub_block *blocks;
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
                      .eps = 1e-12,
                      .activation = TUB_ACT_GELU,
                      .qkv_bias = true};
    TUB_TRY(tub_config_read_tower(json, c, err));
    TUB_TRY(tub_config_read_mlp(json, c, err));
    TUB_TRY(tub_config_read_square(json, c, err));
    TUB_TRY(tub_config_read_bool(json, "qkv_bias", &c->qkv_bias, err));
    c->pooler = c->hidden;
    TUB_TRY(tub_config_read_int(json, "pooler_output_size", 1, 1 << 15, &c->pooler, err));
    const char *activation;
    TUB_TRY(tub_json_string(json, "config.json", "pooler_act", "tanh", &activation, err));
    if (strcmp(activation, "tanh") != 0)
        return tub_fail(err, TUB_ERROR_MODEL, "config.json: key \"pooler_act\": \"%.40s\" isn't known: tanh is",
                        activation);
    return TUB_OK;
}

static const tub_size sizes[] = {
    {"base", 768, 12, 12, 3072, 16, 224, false},   {"small", 384, 12, 6, 1536, 16, 224, false},
    {"large", 1024, 24, 16, 4096, 16, 224, false}, {"huge", 1280, 32, 16, 5120, 14, 224, false},
    {"tiny", 64, 2, 2, 128, 8, 32, false},         {0},
};

static json_t *make_config(const tub_size *s)
{
    return json_pack(
        "{s:[s], s:f, s:s, s:i, s:s, s:f, s:i, s:i, s:f, s:i, s:f, s:s, s:i, s:i, s:i, s:i, s:s, s:i, s:b}",
        "architectures", "ViTModel", "attention_probs_dropout_prob", 0.0, "dtype", "float32", "encoder_stride", 16,
        "hidden_act", "gelu", "hidden_dropout_prob", 0.0, "hidden_size", s->hidden, "image_size", s->image,
        "initializer_range", 0.02, "intermediate_size", s->mlp, "layer_norm_eps", 1e-12, "model_type", "vit",
        "num_attention_heads", s->heads, "num_channels", 3, "num_hidden_layers", s->layers, "patch_size", s->patch,
        "pooler_act", "tanh", "pooler_output_size", s->hidden, "qkv_bias", true);
}

static void bind_embeddings(tub_binder *b, const tub_config *c, weights *w)
{
    const int n = c->hidden, grid = c->image_height / c->patch;
    tub_tensor token = tub_bind(b, TUB_FILL_TOKEN, TUB_SHAPE(1, 1, n), "embeddings.cls_token");
    tub_tensor table =
        tub_bind(b, TUB_FILL_TOKEN, TUB_SHAPE(1, 1 + (int64_t)grid * grid, n), "embeddings.position_embeddings");
    w->patch = tub_bind_vit_patches(b, n, 0, c->patch, c->patch);
    w->class = tub_bind_class_row(b, n, &token, &table, &w->positions);
}

static void bind(tub_binder *b, tub_config *c, void *out)
{
    static const char *const prefixes[] = {"", "vit.", NULL};
    static const char *const ignored[] = {"classifier.*", "decoder.*", "embeddings.mask_token",
                                          "vit.embeddings.mask_token", NULL};
    weights *w = out;
    tub_binder_ignore(b, ignored);
    tub_binder_prefix(b, prefixes, "embeddings.cls_token");
    bind_embeddings(b, c, w);
    w->blocks = tub_bind_alloc(b, (size_t)c->layers, sizeof *w->blocks);
    for (int i = 0; w->blocks && i < c->layers; i++)
        tub_bind_vit_block(b, c, i, NULL, &w->blocks[i]);
    w->norm = tub_bind_norm(b, c->hidden, true, "", "layernorm");
    c->head = tub_binder_has(b, "pooler.dense.weight", true);
    if (c->head)
        w->pooler = tub_bind_linear(b, c->pooler, c->hidden, true, "pooler.", "dense");
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
    x = tub_prepend(p, "class token", x, w->class);
    x = tub_append_blocks(p, arena, w->blocks, c->layers, &plan, x);
    if (tub_append_hidden(p, build, x, 1, feature, tokens))
        return;
    if (build->pool != TUB_POOL_POOLER) {
        tub_append_class_outputs(p, x, &w->norm, c->eps, 0, build->pool, feature, tokens);
        return;
    }
    *tokens = tub_norm_rows(p, "last norm", x, TUB_NORM_LAYER, w->norm.weight, w->norm.bias, c->eps, TUB_WIDE);
    tub_value row = tub_rows(p, "class token", x, 0, 1);
    row = tub_norm_rows(p, "last norm", row, TUB_NORM_LAYER, w->norm.weight, w->norm.bias, c->eps, TUB_NARROW);
    *feature = tub_linear(p, "pooler", row, w->pooler.weight, w->pooler.bias, TUB_ACT_TANH, TUB_WIDE);
}

const tub_architecture tub_vit = {
    .name = "vit",
    .model_types = "vit",
    .feature = "pooler (tanh of a linear layer of the class token), without one the class token",
    .layouts = "transformers: bare or for classification",
    .pooler = "pooler: tanh of a linear layer of the class token",
    .per_frame = true,
    .class_token = true,
    .sizes = sizes,
    .size_names = "base,small,large,huge,tiny",
    .processor = "ViTImageProcessor",
    .read_config = read_config,
    .make_config = make_config,
    .bind = bind,
    .weights_bytes = sizeof(weights),
    .check = tub_check_image_size,
    .build = build_program,
    .names = "embeddings.cls_token,encoder.layer.0.layernorm_before.weight,!encoder.layer.0.temporal_dense.weight",
};
