// V-JEPA 2 (`vjepa2`), as transformers saves it: VJEPA2Model, VJEPA2ForVideoClassification.
//
//   pixels [T, 3, H, W]                          fewer frames than a tubelet has: the clip is repeated
//     | encoder.embeddings.patch_embeddings.proj tubelets of 2 frames, order (t, y, x); no positions, no class token
//   x [n, D]
//     | encoder.layer.i                          pre-norm blocks, q and k rotated by (t, y, x)
//     | encoder.layernorm
//   last hidden state [n, D]                     feature without a pooler: the mean of all tokens
//     | pooler.self_attention_layers.i           pre-norm blocks, MLP of 4 D; only in a classifier
//     | pooler.cross_attention_layer             one learned query q over all tokens, no projection after it:
//     |                                          a = query_tokens + attention(Wq query_tokens, layer_norm1(x))
//     |                                          a + mlp(layer_norm2(a))
//   feature [D]
//
// Rotation: three equal parts of a head's columns turn with t, y and x; the columns that are left over don't turn. The
// angles of a part are tiled twice, but pairs are neighbors, as in OneVision-Encoder. y and x come from the token's
// number and the grid of crop_size, whatever the size of the frames: that is how transformers counts.
//
// Encoder names may be prefixed with "vjepa2.". The predictor and the classifier are not used.
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
    tub_block *blocks;
    tub_block *pooler_blocks;
    tub_block cross; // its norm1, norm2, up and down
    tub_layer cross_kv;
    tub_tensor query, folded; // [1, D]: query_tokens; Wq query_tokens + bq
} weights;

static tub_status read_sizes(const json_t *json, tub_config *c, tub_error *err)
{
    double ratio = 4;
    int channels = 3;
    TUB_TRY(tub_config_read_tower(json, c, err));
    TUB_TRY(tub_config_read_int(json, "in_chans", 3, 3, &channels, err));
    TUB_TRY(tub_config_read_int(json, "crop_size", c->patch, 1 << 14, &c->image_height, err));
    c->image_width = c->image_height;
    TUB_TRY(tub_config_read_int(json, "frames_per_clip", 1, 4096, &c->frames, err));
    TUB_TRY(tub_config_read_int(json, "tubelet_size", 1, 4096, &c->tubelet, err));
    TUB_TRY(tub_config_read_int(json, "num_pooler_layers", 0, 200, &c->pooler_layers, err));
    TUB_TRY(tub_config_read_double(json, "mlp_ratio", &ratio, err));
    if (!(ratio > 0 && ratio <= 64))
        return tub_fail(err, TUB_ERROR_MODEL, "config.json: key \"mlp_ratio\": must be above 0 and at most 64");
    c->mlp = (int)(c->hidden * ratio);
    return c->mlp > 0 ? TUB_OK : tub_fail(err, TUB_ERROR_MODEL, "config.json: key \"mlp_ratio\": is too small");
}

static tub_status read_config(const json_t *json, tub_config *c, tub_error *err)
{
    *c = (tub_config){.hidden = 1024,
                      .layers = 24,
                      .heads = 16,
                      .patch = 16,
                      .tubelet = 2,
                      .frames = 64,
                      .image_height = 256,
                      .eps = 1e-6,
                      .activation = TUB_ACT_GELU,
                      .qkv_bias = true,
                      .pooler_layers = 3};
    TUB_TRY(read_sizes(json, c, err));
    TUB_TRY(tub_config_read_bool(json, "qkv_bias", &c->qkv_bias, err));
    if (c->hidden / c->heads % 2)
        return tub_fail(err, TUB_ERROR_MODEL,
                        "config.json: heads of %d channels: this family needs an even number "
                        "(hidden_size / num_attention_heads)",
                        c->hidden / c->heads);
    return TUB_OK;
}

static const tub_size sizes[] = {
    {"large", 1024, 24, 16, 4096, 16, 256, false},
    {"huge", 1280, 32, 16, 5120, 16, 256, false},
    {"giant", 1408, 40, 22, 6144, 16, 256, false},
    {"tiny", 64, 2, 2, 128, 8, 32, false},
    {0},
};

static json_t *make_config(const tub_size *s)
{
    // Rounded up in the last of the 15 digits that are written, so that int(hidden_size * mlp_ratio) is the width.
    const double ratio = ceil((double)s->mlp / s->hidden * 1e14) / 1e14;
    return json_pack("{s:[s], s:f, s:f, s:i, s:f, s:s, s:i, s:s, s:i, s:i, s:f, s:f, s:f, s:s, s:i, s:i, s:i, s:i, s:b,"
                     " s:i}",
                     "architectures", "VJEPA2Model", "attention_dropout", 0.0, "attention_probs_dropout_prob", 0.0,
                     "crop_size", s->image, "drop_path_rate", 0.0, "dtype", "float32", "frames_per_clip",
                     s->image < 64 ? 16 : 64, "hidden_act", "gelu", "hidden_size", s->hidden, "in_chans", 3,
                     "initializer_range", 0.02, "layer_norm_eps", 1e-6, "mlp_ratio", ratio, "model_type", "vjepa2",
                     "num_attention_heads", s->heads, "num_hidden_layers", s->layers, "num_pooler_layers", 3,
                     "patch_size", s->patch, "qkv_bias", true, "tubelet_size", 2);
}

static void bind_block(tub_binder *b, const tub_config *c, int i, tub_block *k)
{
    static const char *const names[3] = {"attention.query.weight", "attention.key.weight", "attention.value.weight"};
    static const char *const biases[3] = {"attention.query.bias", "attention.key.bias", "attention.value.bias"};
    static const char *const none[3] = {0};
    char at[TUB_AT];
    snprintf(at, sizeof at, "encoder.layer.%d.", i);
    k->norm1 = tub_bind_norm(b, c->hidden, true, at, "norm1");
    k->qkv = tub_bind_qkv(b, c->hidden, at, names, c->qkv_bias ? biases : none);
    k->out = tub_bind_linear(b, c->hidden, c->hidden, true, at, "attention.proj");
    k->norm2 = tub_bind_norm(b, c->hidden, true, at, "norm2");
    k->up = tub_bind_linear(b, c->mlp, c->hidden, true, at, "mlp.fc1");
    k->down = tub_bind_linear(b, c->hidden, c->mlp, true, at, "mlp.fc2");
}

// What both kinds of the pooler's layers have in common.
static void bind_pooler_mlp(tub_binder *b, int n, const char *at, tub_block *k)
{
    k->norm1 = tub_bind_norm(b, n, true, at, "layer_norm1");
    k->norm2 = tub_bind_norm(b, n, true, at, "layer_norm2");
    k->up = tub_bind_linear(b, 4 * n, n, true, at, "mlp.fc1");
    k->down = tub_bind_linear(b, n, 4 * n, true, at, "mlp.fc2");
}

static void bind_pooler_block(tub_binder *b, int n, int i, tub_block *k)
{
    static const char *const names[3] = {"self_attn.q_proj.weight", "self_attn.k_proj.weight",
                                         "self_attn.v_proj.weight"};
    static const char *const biases[3] = {"self_attn.q_proj.bias", "self_attn.k_proj.bias", "self_attn.v_proj.bias"};
    char at[TUB_AT];
    snprintf(at, sizeof at, "pooler.self_attention_layers.%d.", i);
    k->qkv = tub_bind_qkv(b, n, at, names, biases);
    k->out = tub_bind_linear(b, n, n, true, at, "self_attn.out_proj");
    bind_pooler_mlp(b, n, at, k);
}

static void bind_pooler(tub_binder *b, const tub_config *c, weights *w)
{
    static const char at[] = "pooler.cross_attention_layer.";
    const int n = c->hidden;
    w->query = tub_bind(b, TUB_FILL_TOKEN, TUB_SHAPE(1, 1, n), "pooler.query_tokens");
    w->pooler_blocks = tub_bind_alloc(b, (size_t)c->pooler_layers + 1, sizeof *w->pooler_blocks);
    for (int i = 0; w->pooler_blocks && i < c->pooler_layers; i++)
        bind_pooler_block(b, n, i, &w->pooler_blocks[i]);
    const tub_layer q = tub_bind_linear(b, n, n, true, at, "cross_attn.q_proj");
    const tub_layer k = tub_bind_linear(b, n, n, true, at, "cross_attn.k_proj");
    const tub_layer v = tub_bind_linear(b, n, n, true, at, "cross_attn.v_proj");
    w->folded = tub_bind_folded(b, &q, &w->query);
    w->cross_kv = tub_bind_pair(b, &k, &v);
    bind_pooler_mlp(b, n, at, &w->cross);
}

static void bind(tub_binder *b, tub_config *c, void *out)
{
    static const char *const prefixes[] = {"", "vjepa2.", NULL}, *const bare[] = {"", NULL};
    static const char *const ignored[] = {"predictor.*", "vjepa2.predictor.*", "classifier.*", NULL};
    static const char up[] = "encoder.layer.0.mlp.fc1.weight", proj[] = "encoder.embeddings.patch_embeddings.proj";
    weights *w = out;
    int rank;
    int64_t dims[8];
    tub_binder_ignore(b, ignored);
    tub_binder_prefix(b, prefixes, up);
    // mlp_ratio is a rounded fraction in some files.
    tub_binder_shape(b, up, &rank, dims);
    if (rank == 2 && dims[0] > 0 && dims[0] <= 1 << 17)
        c->mlp = (int)dims[0];
    w->patch.weight =
        tub_bind(b, TUB_FILL_WEIGHT, TUB_SHAPE(c->hidden, 3, c->tubelet, c->patch, c->patch), "%s.weight", proj);
    w->patch.bias = tub_bind(b, TUB_FILL_BIAS, TUB_SHAPE(c->hidden), "%s.bias", proj);
    w->blocks = tub_bind_alloc(b, (size_t)c->layers, sizeof *w->blocks);
    for (int i = 0; w->blocks && i < c->layers; i++)
        bind_block(b, c, i, &w->blocks[i]);
    w->norm = tub_bind_norm(b, c->hidden, true, "", "encoder.layernorm");
    c->head = tub_binder_has_absolute(b, "pooler.query_tokens", false);
    if (c->head) {
        tub_binder_prefix(b, bare, "pooler.query_tokens");
        bind_pooler(b, c, w);
    }
}

typedef struct grid {
    int side, dim;
} grid;

static void angles(const void *context, int row, double *out)
{
    const grid *g = context;
    const int part = 2 * (g->dim / 3 / 2), half = part / 2, frame = g->side * g->side;
    const int positions[3] = {row / frame, row % frame / g->side, row % g->side};
    memset(out, 0, (size_t)g->dim * sizeof *out);
    for (int axis = 0; axis < 3; axis++)
        for (int i = 0; i < part; i++)
            out[axis * part + i] = positions[axis] * pow(10000, -(double)(i % half) / half);
}

static tub_value build_pooler(const tub_config *c, const weights *w, tub_block_plan plan, tub_arena *arena,
                              tub_program *p, tub_value x)
{
    plan.cosine = plan.sine = tub_no_tensor();
    for (int i = 0; i < c->pooler_layers; i++) {
        x = tub_append_attention(p, arena, c->layers + i, &w->pooler_blocks[i], &plan, x);
        x = tub_append_mlp(p, arena, c->layers + i, &w->pooler_blocks[i], &plan, x);
    }
    tub_value y = tub_norm_rows(p, "pooler norm", x, TUB_NORM_LAYER, w->cross.norm1.weight, w->cross.norm1.bias, c->eps,
                                TUB_NARROW);
    y = tub_linear(p, "pooler k, v", y, w->cross_kv.weight, w->cross_kv.bias, TUB_ACT_NONE, TUB_NARROW);
    y = tub_attention_pool(p, "pooler attention", w->folded, y, c->heads, plan.dim, 1 / sqrt(plan.dim));
    y = tub_add_table(p, "pooler query", y, w->query);
    return tub_append_mlp(p, arena, c->layers + c->pooler_layers, &w->cross, &plan, y);
}

static void build_program(const tub_config *c, const void *in, const tub_build *build, tub_arena *arena, tub_program *p,
                          tub_value *feature, tub_value *tokens)
{
    const weights *w = in;
    const grid g = {c->image_height / c->patch, c->hidden / c->heads};
    tub_block_plan plan = tub_block_plan_of(c);
    tub_value x = tub_patches(p, "tubelets", c->tubelet, c->patch, c->patch);
    x = tub_linear(p, "embedding", x, w->patch.weight, w->patch.bias, TUB_ACT_NONE, TUB_WIDE);
    if (x == TUB_NONE)
        return;
    plan.pairing = TUB_PAIR_INTERLEAVED;
    tub_table_rotation(p, arena, p->values[x].rows, g.dim, angles, &g, &plan.cosine, &plan.sine);
    x = tub_append_blocks(p, arena, w->blocks, c->layers, &plan, x);
    if (tub_append_hidden(p, build, x, 0, feature, tokens))
        return;
    *tokens = tub_norm_rows(p, "last norm", x, TUB_NORM_LAYER, w->norm.weight, w->norm.bias, c->eps, TUB_WIDE);
    *feature = build->pool == TUB_POOL_POOLER ? build_pooler(c, w, plan, arena, p, *tokens)
                                              : tub_mean(p, "mean of all tokens", *tokens);
}

const tub_architecture tub_vjepa2 = {
    .name = "vjepa2",
    .model_types = "vjepa2",
    .feature = "mean of all tokens, of a classifier its attentive pooler",
    .layouts = "transformers: bare or for classification",
    .pooler = "attentive pooler",
    .sizes = sizes,
    .size_names = "large,huge,giant,tiny",
    .processor = "VJEPA2VideoProcessor",
    .read_config = read_config,
    .make_config = make_config,
    .bind = bind,
    .weights_bytes = sizeof(weights),
    .check = tub_check_one_patch,
    .build = build_program,
    .names = "encoder.embeddings.patch_embeddings.proj.weight,encoder.layer.0.attention.proj.weight",
};
