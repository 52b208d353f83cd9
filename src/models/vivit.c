// ViViT (`vivit`), as transformers saves it: VivitModel, VivitForVideoClassification.
//
//   pixels [T, 3, H, W]
//     | embeddings.patch_embeddings.projection   tubelets [kt, kh, kw] of tubelet_size, order (t, y, x)
//   x = [embeddings.cls_token ; tubelets] + embeddings.position_embeddings
//     | encoder.layer.i                          pre-norm blocks, gelu_fast
//     | layernorm
//   last hidden state [1 + n, D]
//     | row 0
//   feature [D]                                  the class token; with --pool pooler tanh(pooler.dense), if
//                                                it exists
//
// Names may be prefixed with "vivit.". The classifier is not used.
#include <string.h>

#include "class_row.h"
#include "config_reader.h"
#include "fail.h"
#include "families.h"
#include "pools.h"
#include "vit.h"

typedef struct weights {
    tub_layer patch, norm, pooler;
    tub_tensor prefix, positions; // [1, D]: class token with its position; [n, D]: of the tubelets
    tub_block *blocks;
} weights;

static tub_status read_tubelet(const json_t *json, tub_config *c, tub_error *err)
{
    const json_t *value = json_object_get(json, "tubelet_size");
    int *const sides[3] = {&c->tubelet, &c->patch, &c->patch_width};
    if (value && !(json_is_array(value) && json_array_size(value) == 3))
        return tub_fail(err, TUB_ERROR_MODEL, "config.json: key \"tubelet_size\": isn't [frames, height, width]");
    for (size_t i = 0; value && i < 3; i++) {
        const json_t *side = json_array_get(value, i);
        const json_int_t n = json_integer_value(side);
        if (!json_is_integer(side) || n < 1 || n > (i ? 256 : c->frames))
            return tub_fail(
                err, TUB_ERROR_MODEL,
                "config.json: key \"tubelet_size\": must be from 1 to num_frames, and from 1 to 256 pixels");
        *sides[i] = (int)n;
    }
    return TUB_OK;
}

static tub_status read_config(const json_t *json, tub_config *c, tub_error *err)
{
    *c = (tub_config){.hidden = 768,
                      .layers = 12,
                      .heads = 12,
                      .mlp = 3072,
                      .patch = 16,
                      .patch_width = 16,
                      .tubelet = 2,
                      .frames = 32,
                      .image_height = 224,
                      .image_width = 224,
                      .eps = 1e-6,
                      .activation = TUB_ACT_GELU_TANH,
                      .qkv_bias = true};
    const char *activation;
    TUB_TRY(tub_config_read_tower(json, c, err));
    TUB_TRY(tub_config_read_mlp(json, c, err));
    TUB_TRY(tub_config_read_int(json, "num_frames", 1, 4096, &c->frames, err));
    TUB_TRY(read_tubelet(json, c, err));
    TUB_TRY(tub_config_read_image(json, c, err));
    if (c->image_width < c->patch_width)
        return tub_fail(err, TUB_ERROR_MODEL, "config.json: key \"image_size\": is smaller than a tubelet");
    TUB_TRY(tub_config_read_bool(json, "qkv_bias", &c->qkv_bias, err));
    TUB_TRY(tub_json_string(json, "config.json", "pooler_act", "tanh", &activation, err));
    if (strcmp(activation, "tanh") != 0)
        return tub_fail(err, TUB_ERROR_MODEL, "config.json: key \"pooler_act\": \"%.40s\" isn't known: tanh is",
                        activation);
    c->pooler = c->hidden;
    if (json_is_null(json_object_get(json, "pooler_output_size")))
        return TUB_OK;
    return tub_config_read_int(json, "pooler_output_size", 1, 1 << 15, &c->pooler, err);
}

static const tub_size sizes[] = {
    {"base", 768, 12, 12, 3072, 16, 224, false},
    {"large", 1024, 24, 16, 4096, 16, 224, false},
    {"tiny", 64, 2, 2, 128, 8, 32, false},
    {0},
};

static json_t *make_config(const tub_size *s)
{
    return json_pack("{s:[s], s:f, s:s, s:s, s:f, s:i, s:i, s:f, s:i, s:f, s:s, s:i, s:i, s:i, s:i, s:b, s:[i, i, i]}",
                     "architectures", "VivitModel", "attention_probs_dropout_prob", 0.0, "dtype", "float32",
                     "hidden_act", "gelu_fast", "hidden_dropout_prob", 0.0, "hidden_size", s->hidden, "image_size",
                     s->image, "initializer_range", 0.02, "intermediate_size", s->mlp, "layer_norm_eps", 1e-6,
                     "model_type", "vivit", "num_attention_heads", s->heads, "num_channels", 3, "num_frames",
                     s->image < 64 ? 8 : 32, "num_hidden_layers", s->layers, "qkv_bias", true, "tubelet_size", 2,
                     s->patch, s->patch);
}

static int64_t tubelets(const tub_config *c)
{
    return (int64_t)(c->frames / c->tubelet) * (c->image_height / c->patch) * (c->image_width / c->patch_width);
}

static void bind_embeddings(tub_binder *b, const tub_config *c, weights *w)
{
    const int n = c->hidden;
    const tub_tensor class = tub_bind(b, TUB_FILL_TOKEN, TUB_SHAPE(1, 1, n), "embeddings.cls_token");
    const tub_tensor table =
        tub_bind(b, TUB_FILL_TOKEN, TUB_SHAPE(1, 1 + tubelets(c), n), "embeddings.position_embeddings");
    w->patch = tub_bind_vit_patches(b, n, c->tubelet, c->patch, c->patch_width);
    const float *positions;
    w->prefix = tub_bind_class_row(b, n, &class, &table, &positions);
    if (positions)
        w->positions =
            (tub_tensor){.name = table.name, .dtype = TUB_F32, .rank = 2, .dims = {tubelets(c), n}, .data = positions};
}

static void bind(tub_binder *b, tub_config *c, void *out)
{
    static const char *const prefixes[] = {"", "vivit.", NULL};
    static const char *const ignored[] = {"classifier.*", NULL};
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
        w->pooler = tub_bind_linear(b, c->pooler, c->hidden, true, "", "pooler.dense");
}

// The model's positions are a stored table of the config's size, which transformers can't resize over time.
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
    const tub_block_plan plan = tub_block_plan_of(c);
    tub_value x = tub_patches(p, "tubelets", c->tubelet, c->patch, c->patch_width);
    x = tub_linear(p, "embedding", x, w->patch.weight, w->patch.bias, TUB_ACT_NONE, TUB_WIDE);
    x = tub_add_table(p, "positions", x, w->positions);
    x = tub_prepend(p, "class token", x, w->prefix);
    x = tub_append_blocks(p, arena, w->blocks, c->layers, &plan, x);
    if (tub_append_hidden(p, build, x, 1, feature, tokens))
        return;
    tub_append_class_outputs(p, x, &w->norm, c->eps, 0, build->pool, feature, tokens);
    if (build->pool != TUB_POOL_POOLER)
        return;
    x = tub_norm_rows(p, "last norm", tub_rows(p, "class token", x, 0, 1), TUB_NORM_LAYER, w->norm.weight, w->norm.bias,
                      c->eps, TUB_NARROW);
    *feature = tub_linear(p, "pooler", x, w->pooler.weight, w->pooler.bias, TUB_ACT_TANH, TUB_WIDE);
}

const tub_architecture tub_vivit = {
    .name = "vivit",
    .model_types = "vivit",
    .feature = "class token of the last hidden state",
    .layouts = "transformers: bare or for classification",
    .pooler = "tanh of a linear layer on the class token",
    .class_token = true,
    .default_pool = TUB_POOL_CLS,
    .sizes = sizes,
    .size_names = "base,large,tiny",
    .processor = "VivitImageProcessor",
    .read_config = read_config,
    .make_config = make_config,
    .bind = bind,
    .weights_bytes = sizeof(weights),
    .check = check,
    .build = build_program,
    .names = "embeddings.cls_token,encoder.layer.0.layernorm_before.weight,!encoder.layer.0.temporal_dense.weight",
};
