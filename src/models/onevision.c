// OneVision-Encoder (`onevision_encoder`), Hugging Face layout.
//
//   pixels [T, 3, H, W]
//     | embeddings.patch_embedding       patches of each frame, order (t, y, x); no bias, no positions, no class token
//     | layernorm_pre
//   x [n, D]
//     | encoder.layers.i                 pre-norm blocks, q and k rotated by (t, y, x); LayerNorm or RMSNorm
//     | layernorm_post                   only with use_head
//   last hidden state [n, D]
//     | head.attention                   one query, folded from head.probe, over all tokens
//   a [D]
//     | a + head.mlp(head.norm(a))       head.norm is an RMSNorm
//   feature [D]                          without a head: the mean of all tokens
//
// Rotation: the first 2/16 of a head's pairs turn with the frame's number, 3/16 with y, 3/16 with x, and the whole
// vector of angles is tiled twice, while pairs are neighbours: the members of a pair turn by different angles. That is
// what the model was trained with.
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "config_reader.h"
#include "fail.h"
#include "families.h"
#include "vit.h"

typedef struct weights {
    tub_tensor patch;
    tub_layer norm_pre, norm_post;
    tub_block *blocks;
    tub_tensor query; // [1, D] of the head
    tub_layer head_kv, head_out, head_up, head_down;
    tub_tensor head_norm;
} weights;

static tub_status read_config(const json_t *json, tub_config *c, tub_error *err)
{
    *c = (tub_config){.hidden = 1024,
                      .layers = 24,
                      .heads = 16,
                      .mlp = 4096,
                      .patch = 14,
                      .image_height = 448,
                      .image_width = 448,
                      .eps = 1e-6,
                      .activation = TUB_ACT_GELU,
                      .head = true,
                      .rope_theta = 1e4,
                      .rope_temporal = 64};
    const char *norm;
    TUB_TRY(tub_config_read_tower(json, c, err));
    TUB_TRY(tub_config_read_mlp(json, c, err));
    TUB_TRY(tub_config_read_image(json, c, err));
    TUB_TRY(tub_config_read_bool(json, "use_head", &c->head, err));
    TUB_TRY(tub_config_read_double(json, "rope_theta", &c->rope_theta, err));
    // null lifts the limit; a missing key doesn't.
    if (json_is_null(json_object_get(json, "rope_temporal_size")))
        c->rope_temporal = 0;
    else
        TUB_TRY(tub_config_read_int(json, "rope_temporal_size", 1, 1 << 20, &c->rope_temporal, err));
    TUB_TRY(tub_json_string(json, "config.json", "layer_norm_type", "layer_norm", &norm, err));
    c->rms = strcmp(norm, "rms_norm") == 0;
    if (!c->rms && strcmp(norm, "layer_norm") != 0)
        return tub_fail(err, TUB_ERROR_MODEL,
                        "config.json: key \"layer_norm_type\": \"%.40s\" isn't layer_norm or rms_norm", norm);
    if (c->hidden / c->heads % 32)
        return tub_fail(err, TUB_ERROR_MODEL,
                        "config.json: heads of %d channels: this family needs a multiple of 32 "
                        "(hidden_size / num_attention_heads)",
                        c->hidden / c->heads);
    if (!(c->rope_theta > 0))
        return tub_fail(err, TUB_ERROR_MODEL, "config.json: key \"rope_theta\": must be above 0");
    return TUB_OK;
}

// Published with image_size 448 for still images; videos run at 224.
static const tub_size sizes[] = {
    {"base", 768, 12, 12, 3072, 16, 224, false},
    {"large", 1024, 24, 16, 4096, 14, 224, false},
    {"tiny", 64, 2, 2, 128, 8, 32, false},
    {0},
};

static json_t *make_config(const tub_size *s)
{
    return json_pack(
        "{s:[s], s:f, s:{s:s, s:s}, s:s, s:s, s:i, s:i, s:f, s:i, s:f, s:s, s:s, s:i, s:i, s:i, s:i, s:i, s:f,"
        " s:b}",
        "architectures", "OneVisionEncoderModel", "attention_dropout", 0.0, "auto_map", "AutoConfig",
        "configuration_onevision_encoder.OneVisionEncoderConfig", "AutoModel",
        "modeling_onevision_encoder.OneVisionEncoderModel", "dtype", "float32", "hidden_act", "gelu", "hidden_size",
        s->hidden, "image_size", s->image, "initializer_range", 0.02, "intermediate_size", s->mlp, "layer_norm_eps",
        1e-6, "layer_norm_type", "layer_norm", "model_type", "onevision_encoder", "num_attention_heads", s->heads,
        "num_channels", 3, "num_hidden_layers", s->layers, "patch_size", s->patch, "rope_temporal_size", 64,
        "rope_theta", 10000.0, "use_head", true);
}

static void bind_block(tub_binder *b, const tub_config *c, int i, tub_block *k)
{
    static const char *const names[3] = {"self_attn.q_proj.weight", "self_attn.k_proj.weight",
                                         "self_attn.v_proj.weight"};
    static const char *const biases[3] = {"self_attn.q_proj.bias", "self_attn.k_proj.bias", "self_attn.v_proj.bias"};
    char at[TUB_AT];
    snprintf(at, sizeof at, "encoder.layers.%d.", i);
    k->norm1 = tub_bind_norm(b, c->hidden, !c->rms, at, "layer_norm1");
    k->qkv = tub_bind_qkv(b, c->hidden, at, names, biases);
    k->out = tub_bind_linear(b, c->hidden, c->hidden, true, at, "self_attn.out_proj");
    k->norm2 = tub_bind_norm(b, c->hidden, !c->rms, at, "layer_norm2");
    k->up = tub_bind_linear(b, c->mlp, c->hidden, true, at, "mlp.fc1");
    k->down = tub_bind_linear(b, c->hidden, c->mlp, true, at, "mlp.fc2");
}

// The query is the same for every clip: Wq probe + bq, computed once.
static tub_tensor fold_query(tub_binder *b, int n, const tub_tensor *weight, const tub_tensor *bias,
                             const tub_tensor *probe)
{
    float *query;
    tub_tensor t = tub_bind_new(b, "head.query", TUB_SHAPE(1, n), &query);
    const tub_tensor rows = tub_tensor_slice(weight, 0, n);
    const float *w = tub_bind_floats(b, &rows), *add = tub_bind_floats(b, bias), *x = tub_bind_floats(b, probe);
    for (int i = 0; query && w && add && x && i < n; i++) {
        double sum = add[i];
        for (int j = 0; j < n; j++)
            sum += (double)w[(size_t)i * (size_t)n + (size_t)j] * x[j];
        query[i] = (float)sum;
    }
    return t;
}

static void bind_head(tub_binder *b, const tub_config *c, weights *w)
{
    int n = c->hidden;
    tub_tensor probe = tub_bind(b, TUB_FILL_TOKEN, TUB_SHAPE(1, 1, n), "head.probe");
    tub_tensor weight = tub_bind(b, TUB_FILL_WEIGHT, TUB_SHAPE(3 * n, n), "head.attention.in_proj_weight");
    tub_tensor bias = tub_bind(b, TUB_FILL_BIAS, TUB_SHAPE(3 * n), "head.attention.in_proj_bias");
    w->head_out = tub_bind_linear(b, n, n, true, "head.attention.", "out_proj");
    w->head_norm = tub_bind(b, TUB_FILL_ONE, TUB_SHAPE(n), "head.norm.weight");
    w->head_up = tub_bind_linear(b, c->mlp, n, true, "head.mlp.", "fc1");
    w->head_down = tub_bind_linear(b, n, c->mlp, true, "head.mlp.", "fc2");
    w->query = fold_query(b, n, &weight, &bias, &probe);
    w->head_kv.weight = tub_tensor_slice(&weight, n, 2 * n);
    w->head_kv.bias = tub_tensor_slice(&bias, n, 2 * n);
}

static void bind(tub_binder *b, tub_config *c, void *out)
{
    static const char *const prefixes[] = {"", NULL};
    weights *w = out;
    tub_binder_prefix(b, prefixes, "embeddings.patch_embedding.weight");
    w->patch =
        tub_bind(b, TUB_FILL_WEIGHT, TUB_SHAPE(c->hidden, 3, c->patch, c->patch), "embeddings.patch_embedding.weight");
    w->norm_pre = tub_bind_norm(b, c->hidden, !c->rms, "", "layernorm_pre");
    w->blocks = tub_bind_alloc(b, (size_t)c->layers, sizeof *w->blocks);
    for (int i = 0; w->blocks && i < c->layers; i++)
        bind_block(b, c, i, &w->blocks[i]);
    if (c->head) {
        w->norm_post = tub_bind_norm(b, c->hidden, !c->rms, "", "layernorm_post");
        bind_head(b, c, w);
    }
}

static tub_status check(const tub_config *c, const tub_build *build, tub_error *err)
{
    if (c->rope_temporal && build->frames > c->rope_temporal)
        return tub_fail(err, TUB_ERROR_MODEL,
                        "clips of %d frames: this checkpoint takes at most %d (rope_temporal_size in "
                        "config.json): use --clip-length %d or less",
                        build->frames, c->rope_temporal, c->rope_temporal);
    if (build->height % c->patch || build->width % c->patch)
        return tub_fail(err, TUB_ERROR_MODEL,
                        "frames of %dx%d pixels: this checkpoint takes multiples of %d (patch_size in "
                        "config.json): use --size, or --crop %dx%d",
                        build->height, build->width, c->patch, build->height / c->patch * c->patch,
                        build->width / c->patch * c->patch);
    return TUB_OK;
}

typedef struct grid {
    int height, width, dim;
    double theta;
} grid;

static void angles(const void *context, int row, double *out)
{
    const grid *g = context;
    const int unit = g->dim / 32;
    const struct {
        int at, count;
    } axes[3] = {
        {row / (g->height * g->width), 4 * unit}, {row / g->width % g->height, 6 * unit}, {row % g->width, 6 * unit}};
    double *to = out;
    for (int a = 0; a < 3; a++)
        for (int i = 0; i < axes[a].count; i++)
            *to++ = axes[a].at * pow(g->theta, -(double)i / axes[a].count);
    memcpy(to, out, (size_t)(g->dim / 2) * sizeof *out);
}

static tub_value build_head(const tub_config *c, const weights *w, tub_program *p, tub_value x)
{
    int dim = c->hidden / c->heads;
    // The head reads the tokens in the compute type, as every linear layer does.
    tub_value y = tub_norm_rows(p, "last norm", x, c->rms ? TUB_NORM_RMS : TUB_NORM_LAYER, w->norm_post.weight,
                                w->norm_post.bias, c->eps, TUB_NARROW);
    y = tub_linear(p, "head k, v", y, w->head_kv.weight, w->head_kv.bias, TUB_ACT_NONE, TUB_NARROW);
    y = tub_attention_pool(p, "head attention", w->query, y, c->heads, dim, 1 / sqrt(dim));
    tub_value a = tub_linear(p, "head attention out", y, w->head_out.weight, w->head_out.bias, TUB_ACT_NONE, TUB_WIDE);
    y = tub_norm_rows(p, "head norm", a, TUB_NORM_RMS, w->head_norm, tub_no_tensor(), c->eps, TUB_NARROW);
    y = tub_linear(p, "head mlp up", y, w->head_up.weight, w->head_up.bias, c->activation, TUB_NARROW);
    return tub_linear_residual(p, "head mlp down", y, w->head_down.weight, w->head_down.bias, tub_no_tensor(), a);
}

static void build_program(const tub_config *c, const void *in, const tub_build *build, tub_arena *arena, tub_program *p,
                          tub_value *feature, tub_value *tokens)
{
    const weights *w = in;
    const grid g = {build->height / c->patch, build->width / c->patch, c->hidden / c->heads, c->rope_theta};
    const tub_norm norm = c->rms ? TUB_NORM_RMS : TUB_NORM_LAYER;
    tub_block_plan plan = tub_block_plan_of(c);
    plan.pairing = TUB_PAIR_INTERLEAVED;
    tub_table_rotation(p, arena, build->frames * g.height * g.width, g.dim, angles, &g, &plan.cosine, &plan.sine);
    tub_value x = tub_patches(p, "patches", 1, c->patch, c->patch);
    x = tub_linear(p, "embedding", x, w->patch, tub_no_tensor(), TUB_ACT_NONE, TUB_WIDE);
    x = tub_norm_rows(p, "first norm", x, norm, w->norm_pre.weight, w->norm_pre.bias, c->eps, TUB_WIDE);
    x = tub_append_blocks(p, arena, w->blocks, c->layers, &plan, x);
    *tokens = x;
    if (c->head)
        *tokens = tub_norm_rows(p, "last norm", x, norm, w->norm_post.weight, w->norm_post.bias, c->eps, TUB_WIDE);
    *feature = build->pool == TUB_POOL_POOLER ? build_head(c, w, p, x) : tub_mean(p, "mean of all tokens", *tokens);
}

const tub_architecture tub_onevision = {
    .name = "onevision",
    .model_types = "onevision_encoder",
    .feature = "attention-pooling head, without one the mean of all tokens",
    .pooler = "attention-pooling head",
    .sizes = sizes,
    .size_names = "base,large,tiny",
    .processor = "CLIPImageProcessor",
    .read_config = read_config,
    .make_config = make_config,
    .bind = bind,
    .weights_bytes = sizeof(weights),
    .check = check,
    .build = build_program,
};
