// DINOv3 ViT (`dinov3_vit`), a frame model.
//
//   pixels [3, H, W]
//     | embeddings.patch_embeddings              order (y, x); no additive positions
//   x = [embeddings.cls_token ; embeddings.register_tokens ; patches]
//     | layer.i                                  pre-norm blocks with LayerScale; q and k of the patches rotated by
//     |                                          (y, x) in -1..1, halves; MLP plain, or gated: act(gate) * up
//     | norm
//   last hidden state [1 + R + n, D]
//     | row 0
//   feature [D]                                  the class token ("pooler_output")
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "checks.h"
#include "config_reader.h"
#include "fail.h"
#include "families.h"
#include "pools.h"
#include "vit.h"

typedef struct weights {
    tub_layer patch, norm;
    tub_tensor prefix; // [1 + R, D]
    tub_block *blocks;
} weights;

static tub_status read_config(const json_t *json, tub_config *c, tub_error *err)
{
    *c = (tub_config){.hidden = 384,
                      .layers = 12,
                      .heads = 6,
                      .mlp = 1536,
                      .patch = 16,
                      .frames = 1,
                      .image_height = 224,
                      .image_width = 224,
                      .eps = 1e-5,
                      .activation = TUB_ACT_GELU,
                      .query_bias = true,
                      .value_bias = true,
                      .proj_bias = true,
                      .mlp_bias = true,
                      .head = true,
                      .rope_theta = 100};
    TUB_TRY(tub_config_read_tower(json, c, err));
    TUB_TRY(tub_config_read_mlp(json, c, err));
    TUB_TRY(tub_config_read_image(json, c, err));
    TUB_TRY(tub_config_read_int(json, "num_register_tokens", 0, 1024, &c->registers, err));
    TUB_TRY(tub_config_read_bool(json, "query_bias", &c->query_bias, err));
    TUB_TRY(tub_config_read_bool(json, "key_bias", &c->key_bias, err));
    TUB_TRY(tub_config_read_bool(json, "value_bias", &c->value_bias, err));
    TUB_TRY(tub_config_read_bool(json, "proj_bias", &c->proj_bias, err));
    TUB_TRY(tub_config_read_bool(json, "mlp_bias", &c->mlp_bias, err));
    TUB_TRY(tub_config_read_bool(json, "use_gated_mlp", &c->gated, err));
    TUB_TRY(tub_config_read_double(json, "rope_theta", &c->rope_theta, err));
    if (c->hidden / c->heads % 4)
        return tub_fail(err, TUB_ERROR_MODEL,
                        "config.json: heads of %d channels: this family needs a multiple of 4 "
                        "(hidden_size / num_attention_heads)",
                        c->hidden / c->heads);
    if (!(c->rope_theta > 0))
        return tub_fail(err, TUB_ERROR_MODEL, "config.json: key \"rope_theta\": must be above 0");
    return TUB_OK;
}

static const tub_size sizes[] = {
    {"base", 768, 12, 12, 3072, 16, 224, false},
    {"small", 384, 12, 6, 1536, 16, 224, false},
    {"small-plus", 384, 12, 6, 1536, 16, 224, true},
    {"large", 1024, 24, 16, 4096, 16, 224, false},
    {"huge-plus", 1280, 32, 20, 5120, 16, 224, true},
    {"tiny", 64, 2, 2, 128, 8, 48, false},
    {0},
};

static json_t *make_config(const tub_size *s)
{
    return json_pack(
        "{s:[s], s:f, s:f, s:s, s:s, s:i, s:i, s:f, s:i, s:b, s:f, s:f, s:b, s:s, s:i, s:i, s:i, s:i, s:i, s:n,"
        " s:f, s:n, s:b, s:b, s:f, s:b, s:b}",
        "architectures", "DINOv3ViTModel", "attention_dropout", 0.0, "drop_path_rate", 0.0, "dtype", "float32",
        "hidden_act", s->gated ? "silu" : "gelu", "hidden_size", s->hidden, "image_size", s->image, "initializer_range",
        0.02, "intermediate_size", s->mlp, "key_bias", false, "layer_norm_eps", 1e-5, "layerscale_value", 1.0,
        "mlp_bias", true, "model_type", "dinov3_vit", "num_attention_heads", s->heads, "num_channels", 3,
        "num_hidden_layers", s->layers, "num_register_tokens", 4, "patch_size", s->patch, "pos_embed_jitter",
        "pos_embed_rescale", 2.0, "pos_embed_shift", "proj_bias", true, "query_bias", true, "rope_theta", 100.0,
        "use_gated_mlp", s->gated, "value_bias", true);
}

static void bind_mlp(tub_binder *b, const tub_config *c, const char *at, tub_block *k)
{
    tub_layer gate = {0};
    if (c->gated)
        gate = tub_bind_linear(b, c->mlp, c->hidden, c->mlp_bias, at, "mlp.gate_proj");
    k->up = tub_bind_linear(b, c->mlp, c->hidden, c->mlp_bias, at, "mlp.up_proj");
    if (c->gated)
        k->up = tub_bind_pair(b, &gate, &k->up);
    k->down = tub_bind_linear(b, c->hidden, c->mlp, c->mlp_bias, at, "mlp.down_proj");
}

static void bind_block(tub_binder *b, const tub_config *c, int i, tub_block *k)
{
    static const char *const names[3] = {"attention.q_proj.weight", "attention.k_proj.weight",
                                         "attention.v_proj.weight"};
    const char *const biases[3] = {c->query_bias ? "attention.q_proj.bias" : NULL,
                                   c->key_bias ? "attention.k_proj.bias" : NULL,
                                   c->value_bias ? "attention.v_proj.bias" : NULL};
    char at[TUB_AT];
    snprintf(at, sizeof at, "model.layer.%d.", i); // as in memory
    if (!tub_bind_is_of_memory(b, at))
        snprintf(at, sizeof at, "layer.%d.", i);
    k->norm1 = tub_bind_norm(b, c->hidden, true, at, "norm1");
    k->qkv = tub_bind_qkv(b, c->hidden, at, names, biases);
    k->out = tub_bind_linear(b, c->hidden, c->hidden, c->proj_bias, at, "attention.o_proj");
    k->scale1 = tub_bind_vector(b, TUB_FILL_SCALE, c->hidden, at, "layer_scale1.lambda1");
    k->norm2 = tub_bind_norm(b, c->hidden, true, at, "norm2");
    bind_mlp(b, c, at, k);
    k->scale2 = tub_bind_vector(b, TUB_FILL_SCALE, c->hidden, at, "layer_scale2.lambda1");
}

static void bind_embeddings(tub_binder *b, const tub_config *c, weights *w)
{
    int n = c->hidden;
    tub_tensor rows[2] = {tub_bind(b, TUB_FILL_TOKEN, TUB_SHAPE(1, 1, n), "embeddings.cls_token"), {0}};
    // Only used in training, but transformers looks for it.
    if (tub_binder_has(b, "embeddings.mask_token", true))
        tub_bind(b, TUB_FILL_TOKEN, TUB_SHAPE(1, 1, n), "embeddings.mask_token");
    if (c->registers || tub_binder_has(b, "embeddings.register_tokens", true))
        rows[1] = tub_bind(b, TUB_FILL_TOKEN, TUB_SHAPE(1, c->registers, n), "embeddings.register_tokens");
    for (int i = 0; i < 2; i++) {
        rows[i].dims[0] = rows[i].dims[1];
        rows[i].dims[1] = rows[i].dims[2];
        rows[i].rank = 2;
    }
    w->prefix = tub_bind_stack(b, rows, NULL, 2);
    w->patch.weight =
        tub_bind(b, TUB_FILL_WEIGHT, TUB_SHAPE(n, 3, c->patch, c->patch), "embeddings.patch_embeddings.weight");
    w->patch.bias = tub_bind(b, TUB_FILL_BIAS, TUB_SHAPE(n), "embeddings.patch_embeddings.bias");
}

static void bind(tub_binder *b, tub_config *c, void *out)
{
    static const char *const prefixes[] = {"", "dinov3_vit.", NULL};
    static const char *const ignored[] = {"classifier.*", NULL};
    weights *w = out;
    tub_binder_ignore(b, ignored);
    tub_binder_prefix(b, prefixes, "embeddings.cls_token");
    bind_embeddings(b, c, w);
    w->blocks = tub_bind_alloc(b, (size_t)c->layers, sizeof *w->blocks);
    for (int i = 0; w->blocks && i < c->layers; i++)
        bind_block(b, c, i, &w->blocks[i]);
    w->norm = tub_bind_norm(b, c->hidden, true, "", "norm");
}

typedef struct grid {
    int height, width, dim;
    double theta;
} grid;

static void angles(const void *context, int row, double *out)
{
    const grid *g = context;
    const int quarter = g->dim / 4;
    const double y = 2 * (row / g->width + 0.5) / g->height - 1, x = 2 * (row % g->width + 0.5) / g->width - 1;
    for (int i = 0; i < quarter; i++) {
        double frequency = 2 * M_PI * pow(g->theta, -4.0 * i / g->dim);
        out[i] = out[2 * quarter + i] = y * frequency;
        out[quarter + i] = out[3 * quarter + i] = x * frequency;
    }
}

static void build_program(const tub_config *c, const void *in, const tub_build *build, tub_arena *arena, tub_program *p,
                          tub_value *feature, tub_value *tokens)
{
    const weights *w = in;
    const grid g = {build->height / c->patch, build->width / c->patch, c->hidden / c->heads, c->rope_theta};
    tub_block_plan plan = tub_block_plan_of(c);
    plan.pairing = TUB_PAIR_HALVES;
    plan.skip = 1 + c->registers;
    tub_table_rotation(p, arena, g.height * g.width, g.dim, angles, &g, &plan.cosine, &plan.sine);
    tub_value x = tub_patches(p, "patches", 1, c->patch, c->patch);
    x = tub_linear(p, "embedding", x, w->patch.weight, w->patch.bias, TUB_ACT_NONE, TUB_WIDE);
    x = tub_prepend(p, "class token, registers", x, w->prefix);
    x = tub_append_blocks(p, arena, w->blocks, c->layers, &plan, x);
    if (tub_append_hidden(p, build, x, 1 + c->registers, feature, tokens))
        return;
    tub_append_class_outputs(p, x, &w->norm, c->eps, c->registers, build->pool, feature, tokens);
}

const tub_architecture tub_dinov3 = {
    .name = "dinov3",
    .model_types = "dinov3_vit",
    .feature = "class token of the last hidden state",
    .pooler = "class token of the last hidden state",
    .per_frame = true,
    .class_token = true,
    .sizes = sizes,
    .size_names = "base,small,small-plus,large,huge-plus,tiny",
    .processor = "DINOv3ViTImageProcessorFast",
    .read_config = read_config,
    .make_config = make_config,
    .bind = bind,
    .weights_bytes = sizeof(weights),
    .check = tub_check_one_patch,
    .build = build_program,
    .names = "layer.0.attention.q_proj.weight,layer.0.layer_scale1.lambda1",
};
