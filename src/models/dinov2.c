// DINOv2 (`dinov2`) and DINOv2 with registers (`dinov2_with_registers`), frame models.
//
//   pixels [3, H, W]
//     | embeddings.patch_embeddings.projection       order (y, x)
//   x = [embeddings.cls_token ; patches] + embeddings.position_embeddings
//     |                                              the patches' part resized from its own grid to the input's:
//     |                                              bicubic, with registers antialiased as well
//     | embeddings.register_tokens                   between class token and patches, without positions
//     | encoder.layer.i                              pre-norm blocks with LayerScale; MLP plain, or SwiGLU:
//     |                                              weights_in = [gate; up], silu
//     | layernorm
//   last hidden state [1 + R + n, D]
//     | row 0
//   feature [D]                                      the class token ("pooler_output")
#include <stdio.h>

#include "checks.h"
#include "class_row.h"
#include "config_reader.h"
#include "fail.h"
#include "families.h"
#include "pools.h"
#include "vit.h"

typedef struct weights {
    tub_layer patch, norm;
    tub_tensor prefix;      // [1 + R, D]: class token with its position; registers
    const float *positions; // [grid * grid, D] of the patches
    tub_block *blocks;
} weights;

static tub_status read_common(const json_t *json, tub_config *c, tub_error *err)
{
    double ratio = 4;
    TUB_TRY(tub_config_read_tower(json, c, err));
    TUB_TRY(tub_config_read_square(json, c, err));
    TUB_TRY(tub_config_read_double(json, "mlp_ratio", &ratio, err));
    TUB_TRY(tub_config_read_bool(json, "qkv_bias", &c->qkv_bias, err));
    TUB_TRY(tub_config_read_bool(json, "use_swiglu_ffn", &c->gated, err));
    if (!(ratio > 0 && ratio <= 64))
        return tub_fail(err, TUB_ERROR_MODEL, "config.json: key \"mlp_ratio\": must be above 0 and at most 64");
    c->mlp = (int)(c->hidden * ratio);
    if (c->gated) {
        c->mlp = ((int)(c->mlp * 2.0 / 3) + 7) / 8 * 8;
        c->activation = TUB_ACT_SILU;
    }
    return c->mlp > 0 ? TUB_OK : tub_fail(err, TUB_ERROR_MODEL, "config.json: key \"mlp_ratio\": is too small");
}

static tub_config defaults(void)
{
    return (tub_config){.hidden = 768,
                        .layers = 12,
                        .heads = 12,
                        .patch = 14,
                        .frames = 1,
                        .image_height = 224,
                        .image_width = 224,
                        .eps = 1e-6,
                        .activation = TUB_ACT_GELU,
                        .qkv_bias = true,
                        .head = true};
}

static tub_status read_config(const json_t *json, tub_config *c, tub_error *err)
{
    *c = defaults();
    return read_common(json, c, err);
}

static tub_status read_registers_config(const json_t *json, tub_config *c, tub_error *err)
{
    *c = defaults();
    c->patch = 16;
    c->registers = 4;
    c->antialias_positions = true;
    TUB_TRY(tub_config_read_int(json, "num_register_tokens", 0, 1024, &c->registers, err));
    return read_common(json, c, err);
}

static const tub_size sizes[] = {
    {"base", 768, 12, 12, 3072, 14, 518, false},   {"small", 384, 12, 6, 1536, 14, 518, false},
    {"large", 1024, 24, 16, 4096, 14, 518, false}, {"giant", 1536, 40, 24, 6144, 14, 518, true},
    {"tiny", 64, 2, 2, 128, 14, 56, false},        {0},
};

static json_t *make_common(const tub_size *s, const char *class, const char *model_type)
{
    return json_pack(
        "{s:[s], s:b, s:f, s:f, s:s, s:s, s:f, s:i, s:i, s:f, s:f, s:f, s:i, s:s, s:i, s:i, s:i, s:i, s:b, s:b,"
        " s:b}",
        "architectures", class, "apply_layernorm", true, "attention_probs_dropout_prob", 0.0, "drop_path_rate", 0.0,
        "dtype", "float32", "hidden_act", "gelu", "hidden_dropout_prob", 0.0, "hidden_size", s->hidden, "image_size",
        s->image, "initializer_range", 0.02, "layer_norm_eps", 1e-6, "layerscale_value", 1.0, "mlp_ratio",
        s->mlp / s->hidden, "model_type", model_type, "num_attention_heads", s->heads, "num_channels", 3,
        "num_hidden_layers", s->layers, "patch_size", s->patch, "qkv_bias", true, "reshape_hidden_states", true,
        "use_swiglu_ffn", s->gated);
}

static json_t *make_config(const tub_size *s)
{
    json_t *json = make_common(s, "Dinov2Model", "dinov2");
    if (json_object_set_new(json, "use_mask_token", json_true()) == 0)
        return json;
    json_decref(json);
    return NULL;
}

static json_t *make_registers_config(const tub_size *s)
{
    json_t *json = make_common(s, "Dinov2WithRegistersModel", "dinov2_with_registers");
    if (json_object_set_new(json, "num_register_tokens", json_integer(4)) == 0)
        return json;
    json_decref(json);
    return NULL;
}

// In files, one tensor has the gate's rows above the rows that it gates.
static void bind_gated(tub_binder *b, const tub_config *c, const char *at, bool memory, tub_block *k)
{
    if (memory) {
        const tub_layer gate = tub_bind_linear(b, c->mlp, c->hidden, true, at, "mlp.gate_proj");
        const tub_layer up = tub_bind_linear(b, c->mlp, c->hidden, true, at, "mlp.up_proj");
        k->up = tub_bind_pair(b, &gate, &up);
    } else {
        k->up = tub_bind_linear(b, 2 * c->mlp, c->hidden, true, at, "mlp.weights_in");
    }
    k->down = tub_bind_linear(b, c->hidden, c->mlp, true, at, memory ? "mlp.down_proj" : "mlp.weights_out");
}

static void bind_plain(tub_binder *b, const tub_config *c, const char *at, tub_block *k)
{
    k->up = tub_bind_linear(b, c->mlp, c->hidden, true, at, "mlp.fc1");
    k->down = tub_bind_linear(b, c->hidden, c->mlp, true, at, "mlp.fc2");
}

static void bind_block(tub_binder *b, const tub_config *c, int i, tub_block *k)
{
    char at[TUB_AT];
    snprintf(at, sizeof at, "encoder.layer.%d.", i);
    const bool memory = tub_bind_is_of_memory(b, at);
    k->norm1 = tub_bind_norm(b, c->hidden, true, at, "norm1");
    k->qkv = tub_bind_query_key_value(b, c, at, NULL);
    k->out = tub_bind_linear(b, c->hidden, c->hidden, true, at, memory ? "attention.o_proj" : "attention.output.dense");
    k->scale1 = tub_bind_vector(b, TUB_FILL_SCALE, c->hidden, at, "layer_scale1.lambda1");
    k->norm2 = tub_bind_norm(b, c->hidden, true, at, "norm2");
    if (c->gated)
        bind_gated(b, c, at, memory, k);
    else
        bind_plain(b, c, at, k);
    k->scale2 = tub_bind_vector(b, TUB_FILL_SCALE, c->hidden, at, "layer_scale2.lambda1");
}

static void bind_embeddings(tub_binder *b, const tub_config *c, weights *w)
{
    const int n = c->hidden, grid = c->image_height / c->patch;
    tub_tensor class = tub_bind(b, TUB_FILL_TOKEN, TUB_SHAPE(1, 1, n), "embeddings.cls_token"), registers = {0};
    // Only used in training, but transformers looks for it.
    if (tub_binder_has(b, "embeddings.mask_token", true))
        tub_bind(b, TUB_FILL_TOKEN, TUB_SHAPE(1, n), "embeddings.mask_token");
    if (c->registers || (c->antialias_positions && tub_binder_has(b, "embeddings.register_tokens", true)))
        registers = tub_bind(b, TUB_FILL_TOKEN, TUB_SHAPE(1, c->registers, n), "embeddings.register_tokens");
    tub_tensor table =
        tub_bind(b, TUB_FILL_TOKEN, TUB_SHAPE(1, 1 + (int64_t)grid * grid, n), "embeddings.position_embeddings");
    w->patch = tub_bind_vit_patches(b, n, 0, c->patch, c->patch);

    w->prefix = tub_bind_prefix(b, n, &class, &table, &registers, c->registers, &w->positions);
}

static void bind(tub_binder *b, tub_config *c, void *out)
{
    static const char *const prefixes[] = {"", "dinov2.", "dinov2_with_registers.", NULL};
    static const char *const ignored[] = {"classifier.*", NULL};
    weights *w = out;
    tub_binder_ignore(b, ignored);
    tub_binder_prefix(b, prefixes, "embeddings.cls_token");
    bind_embeddings(b, c, w);
    w->blocks = tub_bind_alloc(b, (size_t)c->layers, sizeof *w->blocks);
    for (int i = 0; w->blocks && i < c->layers; i++)
        bind_block(b, c, i, &w->blocks[i]);
    w->norm = tub_bind_norm(b, c->hidden, true, "", "layernorm");
}

static void build_program(const tub_config *c, const void *in, const tub_build *build, tub_arena *arena, tub_program *p,
                          tub_value *feature, tub_value *tokens)
{
    const weights *w = in;
    const int grid = c->image_height / c->patch, rows = build->height / c->patch, cols = build->width / c->patch;
    tub_block_plan plan = tub_block_plan_of(c);
    tub_value x = tub_patches(p, "patches", 1, c->patch, c->patch);
    x = tub_linear(p, "embedding", x, w->patch.weight, w->patch.bias, TUB_ACT_NONE, TUB_WIDE);
    x = tub_add_table(p, "positions", x,
                      tub_table_resize(p, arena, w->positions, grid, rows, cols, c->hidden, c->antialias_positions));
    x = tub_prepend(p, "class token, registers", x, w->prefix);
    x = tub_append_blocks(p, arena, w->blocks, c->layers, &plan, x);
    if (tub_append_hidden(p, build, x, 1 + c->registers, feature, tokens))
        return;
    tub_append_class_outputs(p, x, &w->norm, c->eps, c->registers, build->pool, feature, tokens);
}

const tub_architecture tub_dinov2 = {
    .name = "dinov2",
    .model_types = "dinov2",
    .feature = "class token of the last hidden state",
    .layouts = "transformers: bare or for classification",
    .pooler = "class token of the last hidden state",
    .per_frame = true,
    .class_token = true,
    .sizes = sizes,
    .size_names = "base,small,large,giant,tiny",
    .processor = "BitImageProcessor",
    .read_config = read_config,
    .make_config = make_config,
    .bind = bind,
    .weights_bytes = sizeof(weights),
    .check = tub_check_one_patch,
    .build = build_program,
    .names = "embeddings.cls_token,encoder.layer.0.layer_scale1.lambda1,!embeddings.register_tokens",
};

const tub_architecture tub_dinov2_registers = {
    .name = "dinov2_with_registers",
    .model_types = "dinov2_with_registers",
    .feature = "class token of the last hidden state",
    .layouts = "transformers: bare or for classification",
    .pooler = "class token of the last hidden state",
    .per_frame = true,
    .class_token = true,
    .sizes = sizes,
    .size_names = "base,small,large,giant,tiny",
    .processor = "BitImageProcessor",
    .read_config = read_registers_config,
    .make_config = make_registers_config,
    .bind = bind,
    .weights_bytes = sizeof(weights),
    .check = tub_check_one_patch,
    .build = build_program,
    .names = "embeddings.register_tokens,encoder.layer.0.layer_scale1.lambda1",
};
