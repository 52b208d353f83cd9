// TimeSformer (`timesformer`), as transformers saves it: TimesformerModel, TimesformerForVideoClassification.
//
//   pixels [T, 3, H, W]
//     | embeddings.patch_embeddings.projection   patches of each frame
//   x = patches + embeddings.position_embeddings[1..] (at another size: nearest) + embeddings.time_embeddings[t]
//   c = embeddings.cls_token + embeddings.position_embeddings[0]
//     | encoder.layer.i                          by attention_type, see below
//     | layernorm
//   last hidden state [1 + n T, D]               class token, then for each patch its frames
//     | row 0
//   feature [D]                                  space_only: mean over the class tokens of the frames
//
// divided_space_time:
//   x += temporal_dense(temporal_attention(temporal_layernorm(x)))     each patch: its T tokens among themselves
//   s  = attention(layernorm_before([c ; x of the frame]))             each frame: the class token and its patches
//   c += mean over the frames of s[0],  x += s[1..]
//   [c ; x] += mlp(layernorm_after([c ; x]))
// joint_space_time: ordinary pre-norm blocks over all tokens.
// space_only: every frame separately, [c ; patches], without time; the last hidden state is frame after frame.
//
// Names may be prefixed with "timesformer.". The classifier is not used.
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "checks.h"
#include "class_row.h"
#include "config_reader.h"
#include "fail.h"
#include "families.h"
#include "pools.h"
#include "vit.h"

typedef struct temporal {
    tub_layer norm, qkv, out, dense;
} temporal;

typedef struct weights {
    tub_layer patch, norm;
    tub_tensor prefix;      // [1, D]: class token with its position
    const float *positions; // [grid * grid, D] of the patches
    const float *times;     // [frames, D]; not with space_only
    tub_block *blocks;
    temporal *temporal; // of each layer; with divided_space_time only
} weights;

static tub_status read_kind(const json_t *json, tub_config *c, tub_error *err)
{
    const char *kind;
    TUB_TRY(tub_json_string(json, "config.json", "attention_type", "divided_space_time", &kind, err));
    c->divided = strcmp(kind, "divided_space_time") == 0;
    c->space_only = strcmp(kind, "space_only") == 0;
    if (c->divided || c->space_only || strcmp(kind, "joint_space_time") == 0)
        return TUB_OK;
    return tub_fail(err, TUB_ERROR_MODEL,
                    "config.json: key \"attention_type\": \"%.40s\" isn't divided_space_time, joint_space_time or "
                    "space_only",
                    kind);
}

static tub_status read_config(const json_t *json, tub_config *c, tub_error *err)
{
    *c = (tub_config){.hidden = 768,
                      .layers = 12,
                      .heads = 12,
                      .mlp = 3072,
                      .patch = 16,
                      .frames = 8,
                      .image_height = 224,
                      .image_width = 224,
                      .eps = 1e-6,
                      .activation = TUB_ACT_GELU,
                      .qkv_bias = true};
    TUB_TRY(tub_config_read_tower(json, c, err));
    TUB_TRY(tub_config_read_mlp(json, c, err));
    TUB_TRY(tub_config_read_square(json, c, err));
    TUB_TRY(tub_config_read_int(json, "num_frames", 1, 4096, &c->frames, err));
    TUB_TRY(tub_config_read_bool(json, "qkv_bias", &c->qkv_bias, err));
    return read_kind(json, c, err);
}

static const tub_size sizes[] = {
    {"base", 768, 12, 12, 3072, 16, 224, false},
    {"large", 1024, 24, 16, 4096, 16, 224, false},
    {"tiny", 64, 2, 2, 128, 8, 32, false},
    {0},
};

static json_t *make_config(const tub_size *s)
{
    return json_pack(
        "{s:[s], s:f, s:s, s:i, s:s, s:s, s:f, s:i, s:i, s:f, s:i, s:f, s:s, s:i, s:i, s:i, s:i, s:i, s:b}",
        "architectures", "TimesformerModel", "attention_probs_dropout_prob", 0.0, "attention_type",
        "divided_space_time", "drop_path_rate", 0, "dtype", "float32", "hidden_act", "gelu", "hidden_dropout_prob", 0.0,
        "hidden_size", s->hidden, "image_size", s->image, "initializer_range", 0.02, "intermediate_size", s->mlp,
        "layer_norm_eps", 1e-6, "model_type", "timesformer", "num_attention_heads", s->heads, "num_channels", 3,
        "num_frames", 8, "num_hidden_layers", s->layers, "patch_size", s->patch, "qkv_bias", true);
}

static void bind_block(tub_binder *b, const tub_config *c, const char *at, tub_block *k)
{
    const int n = c->hidden;
    k->norm1 = tub_bind_norm(b, n, true, at, "layernorm_before");
    k->qkv = tub_bind_linear(b, 3 * n, n, c->qkv_bias, at, "attention.attention.qkv");
    k->out = tub_bind_linear(b, n, n, true, at, "attention.output.dense");
    k->norm2 = tub_bind_norm(b, n, true, at, "layernorm_after");
    k->up = tub_bind_linear(b, c->mlp, n, true, at, "intermediate.dense");
    k->down = tub_bind_linear(b, n, c->mlp, true, at, "output.dense");
}

static void bind_temporal(tub_binder *b, const tub_config *c, const char *at, temporal *t)
{
    const int n = c->hidden;
    t->norm = tub_bind_norm(b, n, true, at, "temporal_layernorm");
    t->qkv = tub_bind_linear(b, 3 * n, n, c->qkv_bias, at, "temporal_attention.attention.qkv");
    t->out = tub_bind_linear(b, n, n, true, at, "temporal_attention.output.dense");
    t->dense = tub_bind_linear(b, n, n, true, at, "temporal_dense");
}

static void bind_embeddings(tub_binder *b, const tub_config *c, weights *w)
{
    const int n = c->hidden, grid = c->image_height / c->patch;
    const tub_tensor class = tub_bind(b, TUB_FILL_TOKEN, TUB_SHAPE(1, 1, n), "embeddings.cls_token");
    const tub_tensor table =
        tub_bind(b, TUB_FILL_TOKEN, TUB_SHAPE(1, 1 + (int64_t)grid * grid, n), "embeddings.position_embeddings");
    if (!c->space_only) {
        const tub_tensor times = tub_bind(b, TUB_FILL_TOKEN, TUB_SHAPE(1, c->frames, n), "embeddings.time_embeddings");
        w->times = tub_bind_floats(b, &times);
    }
    w->patch = tub_bind_vit_patches(b, n, 0, c->patch, c->patch);
    w->prefix = tub_bind_class_row(b, n, &class, &table, &w->positions);
}

static void bind(tub_binder *b, tub_config *c, void *out)
{
    static const char *const prefixes[] = {"", "timesformer.", NULL};
    static const char *const ignored[] = {"classifier.*", NULL};
    weights *w = out;
    tub_binder_ignore(b, ignored);
    tub_binder_prefix(b, prefixes, "embeddings.cls_token");
    bind_embeddings(b, c, w);
    w->blocks = tub_bind_alloc(b, (size_t)c->layers, sizeof *w->blocks);
    w->temporal = tub_bind_alloc(b, (size_t)c->layers, sizeof *w->temporal);
    for (int i = 0; w->blocks && w->temporal && i < c->layers; i++) {
        char at[TUB_AT];
        snprintf(at, sizeof at, "encoder.layer.%d.", i);
        bind_block(b, c, at, &w->blocks[i]);
        if (c->divided)
            bind_temporal(b, c, at, &w->temporal[i]);
    }
    w->norm = tub_bind_norm(b, c->hidden, true, "", "layernorm");
}

static tub_status check(const tub_config *c, const tub_build *build, tub_error *err)
{
    if (c->divided && build->frames != c->frames)
        return tub_fail(err, TUB_ERROR_MODEL,
                        "clips of %d frames: this checkpoint takes clips of %d (num_frames in config.json, with "
                        "divided_space_time): use --clip-length %d",
                        build->frames, c->frames, c->frames);
    return tub_check_one_patch(c, build, err);
}

// What all layers share.
typedef struct layout {
    const tub_config *config;
    const weights *weights;
    tub_arena *arena;
    tub_program *program;
    int frames, height, width; // patches down and across
    int patches;               // of a frame
    int *by_frame; // [T (1 + n)] of rows [class ; patch by patch]: for each frame the class token, its patches
    int *by_patch; // [T + n T] of those rows: the class tokens; patch by patch
} layout;

// torch's nearest, in its float32.
static int nearest(int i, int in, int out)
{
    const int at = (int)((float)i * ((float)in / (float)out));
    return at < in ? at : in - 1;
}

// Positions of the patches plus times, [n T, D]: row t * n + i, or i * T + t with `patch_major`.
static tub_tensor position_table(const layout *l, bool patch_major)
{
    const tub_config *c = l->config;
    const int grid = c->image_height / c->patch;
    const size_t cols = (size_t)c->hidden;
    float *data;
    tub_tensor t = tub_new_table(l->program, l->arena, (int64_t)l->frames * l->patches, c->hidden, &data);
    for (int i = 0; data && i < l->patches; i++) {
        int at = i;
        if (l->patches != grid * grid)
            at = nearest(i / l->width, grid, l->height) * grid + nearest(i % l->width, grid, l->width);
        for (int frame = 0; frame < l->frames; frame++) {
            float *row = data + (size_t)(patch_major ? i * l->frames + frame : frame * l->patches + i) * cols;
            memcpy(row, l->weights->positions + (size_t)at * cols, cols * sizeof *row);
            const float *time = l->weights->times;
            for (size_t j = 0; time && j < cols; j++)
                row[j] += time[(size_t)nearest(frame, c->frames, l->frames) * cols + j];
        }
    }
    return t;
}

static int *new_index(const layout *l, int count)
{
    int *index = tub_arena_alloc(l->arena, (size_t)count, sizeof *index);
    if (!index && l->program->status == TUB_OK)
        l->program->status = tub_fail_memory(&l->program->error, "an order of tokens");
    return index;
}

// Index from rows frame by frame to rows patch by patch, with `first` rows before them.
static int *patch_major(const layout *l, int first)
{
    int *index = new_index(l, first + l->frames * l->patches);
    for (int i = 0; index && i < first; i++)
        index[i] = i;
    for (int i = 0; index && i < l->frames * l->patches; i++)
        index[first + i] = first + i % l->frames * l->patches + i / l->frames;
    return index;
}

static bool make_orders(layout *l)
{
    const int T = l->frames, n = l->patches;
    l->by_frame = new_index(l, T * (1 + n));
    l->by_patch = new_index(l, T + n * T);
    if (!l->by_frame || !l->by_patch)
        return false;
    for (int t = 0; t < T; t++) {
        l->by_frame[t * (1 + n)] = 0;
        l->by_patch[t] = t * (1 + n);
        for (int i = 0; i < n; i++) {
            l->by_frame[t * (1 + n) + 1 + i] = 1 + i * T + t;
            l->by_patch[T + i * T + t] = t * (1 + n) + 1 + i;
        }
    }
    return true;
}

// `x`: rows patch by patch.
static tub_value append_temporal(const layout *l, const tub_block_plan *plan, int layer, tub_value x)
{
    const temporal *k = &l->weights->temporal[layer];
    tub_program *p = l->program;
    tub_value y = tub_norm_rows(p, tub_layer_label(l->arena, layer, "temporal norm"), x, TUB_NORM_LAYER, k->norm.weight,
                                k->norm.bias, plan->eps, TUB_NARROW);
    y = tub_linear(p, tub_layer_label(l->arena, layer, "temporal q, k, v"), y, k->qkv.weight, k->qkv.bias, TUB_ACT_NONE,
                   TUB_NARROW);
    y = tub_attention_groups(p, tub_layer_label(l->arena, layer, "temporal attention"), y, plan->heads, plan->dim,
                             plan->scale, l->patches);
    y = tub_linear(p, tub_layer_label(l->arena, layer, "temporal attention out"), y, k->out.weight, k->out.bias,
                   TUB_ACT_NONE, TUB_NARROW);
    return tub_linear_residual(p, tub_layer_label(l->arena, layer, "temporal dense"), y, k->dense.weight, k->dense.bias,
                               tub_no_tensor(), x);
}

// `class`: [1, D]; `x`: rows patch by patch. The result has both.
static tub_value append_spatial(const layout *l, const tub_block_plan *plan, int layer, tub_value class, tub_value x)
{
    const tub_block *k = &l->weights->blocks[layer];
    const int T = l->frames, n = l->patches;
    tub_program *p = l->program;
    const char *norm = tub_layer_label(l->arena, layer, "norm 1");
    tub_value first =
        tub_norm_rows(p, norm, class, TUB_NORM_LAYER, k->norm1.weight, k->norm1.bias, plan->eps, TUB_NARROW);
    tub_value y = tub_norm_rows(p, norm, x, TUB_NORM_LAYER, k->norm1.weight, k->norm1.bias, plan->eps, TUB_NARROW);
    const char *order = tub_layer_label(l->arena, layer, "order of tokens");
    y = tub_gather(p, order, tub_concat(p, order, first, y), l->by_frame, T * (1 + n));
    y = tub_linear(p, tub_layer_label(l->arena, layer, "q, k, v"), y, k->qkv.weight, k->qkv.bias, TUB_ACT_NONE,
                   TUB_NARROW);
    y = tub_attention_groups(p, tub_layer_label(l->arena, layer, "attention"), y, plan->heads, plan->dim, plan->scale,
                             T);
    y = tub_gather(p, order, y, l->by_patch, T + n * T);
    y = tub_linear(p, tub_layer_label(l->arena, layer, "attention out"), y, k->out.weight, k->out.bias, TUB_ACT_NONE,
                   TUB_WIDE);
    const char *sum = tub_layer_label(l->arena, layer, "residual");
    class = tub_add(p, sum, class, tub_mean(p, sum, tub_rows(p, sum, y, 0, T)));
    x = tub_add(p, sum, x, tub_rows(p, sum, y, T, n * T));
    return tub_concat(p, sum, class, x);
}

static tub_value build_divided(layout *l, tub_block_plan plan, tub_value x)
{
    tub_program *p = l->program;
    plan.scale = 1 / sqrt(plan.dim);
    if (!make_orders(l))
        return TUB_NONE;
    x = tub_prepend(p, "class token", x, l->weights->prefix);
    for (int i = 0; i < l->config->layers; i++) {
        tub_value class = tub_rows(p, "class token", x, 0, 1);
        tub_value patches = tub_rows(p, "patches", x, 1, l->patches * l->frames);
        patches = append_temporal(l, &plan, i, patches);
        x = append_spatial(l, &plan, i, class, patches);
        x = tub_append_mlp(p, l->arena, i, &l->weights->blocks[i], &plan, x);
    }
    return x;
}

// The last norm, unless a hidden state was asked for.
static tub_value norm_last(const layout *l, const tub_build *build, double eps, tub_value x)
{
    const tub_layer *norm = &l->weights->norm;
    if (build->layer)
        return x;
    return tub_norm_rows(l->program, "last norm", x, TUB_NORM_LAYER, norm->weight, norm->bias, eps, TUB_WIDE);
}

// Frame after frame, each with its class token.
static void build_space_only(const layout *l, tub_block_plan plan, const tub_build *build, tub_value x,
                             tub_value *feature, tub_value *tokens)
{
    const int T = l->frames, n = l->patches;
    tub_program *p = l->program;
    int *order = new_index(l, T * (1 + n)), *classes = new_index(l, T), *patches = new_index(l, T * n);
    if (!order || !classes || !patches)
        return;
    for (int i = 0; i < T * n; i++)
        patches[i] = i / n * (1 + n) + 1 + i % n;
    for (int i = 0; i < T * (1 + n); i++)
        order[i] = i % (1 + n) ? i - i / (1 + n) : 0;
    for (int t = 0; t < T; t++)
        classes[t] = t * (1 + n);
    x = tub_gather(p, "class tokens", tub_prepend(p, "class token", x, l->weights->prefix), order, T * (1 + n));
    plan.groups = T;
    x = tub_append_blocks(p, l->arena, l->weights->blocks, l->config->layers, &plan, x);
    *tokens = norm_last(l, build, plan.eps, x);
    if (build->pool == TUB_POOL_MEAN) {
        *feature = tub_mean(p, "mean of all tokens", *tokens);
    } else if (build->pool == TUB_POOL_PATCH_MEAN) {
        *feature = tub_mean(p, "mean of the patches", tub_gather(p, "patches", *tokens, patches, T * n));
    } else {
        x = norm_last(l, build, plan.eps, tub_gather(p, "class tokens", x, classes, T));
        *feature = tub_mean(p, "mean of the class tokens", x);
    }
}

static void build_program(const tub_config *c, const void *in, const tub_build *build, tub_arena *arena, tub_program *p,
                          tub_value *feature, tub_value *tokens)
{
    const weights *w = in;
    layout l = {.config = c, .weights = w, .arena = arena, .program = p, .frames = build->frames};
    l.height = build->height / c->patch;
    l.width = build->width / c->patch;
    l.patches = l.height * l.width;
    const tub_block_plan plan = tub_block_plan_of(c);
    tub_value x = tub_patches(p, "patches", 1, c->patch, c->patch);
    if (c->divided)
        x = tub_gather(p, "order of patches", x, patch_major(&l, 0), l.frames * l.patches);
    x = tub_linear(p, "embedding", x, w->patch.weight, w->patch.bias, TUB_ACT_NONE, TUB_WIDE);
    x = tub_add_table(p, "positions", x, position_table(&l, c->divided));
    if (c->space_only) {
        build_space_only(&l, plan, build, x, feature, tokens);
        return;
    }
    if (c->divided) {
        x = build_divided(&l, plan, x);
    } else {
        x = tub_prepend(p, "class token", x, w->prefix);
        x = tub_append_blocks(p, arena, w->blocks, c->layers, &plan, x);
    }
    if (!tub_append_hidden(p, build, x, 1, feature, tokens))
        tub_append_class_outputs(p, x, &w->norm, c->eps, 0, build->pool, feature, tokens);
    if (!c->divided)
        *tokens = tub_gather(p, "order of tokens", *tokens, patch_major(&l, 1), 1 + l.frames * l.patches);
}

const tub_architecture tub_timesformer = {
    .name = "timesformer",
    .model_types = "timesformer",
    .feature = "class token of the last hidden state, with space_only the mean of the frames' class tokens",
    .layouts = "transformers: bare or for classification",
    .class_token = true,
    .sizes = sizes,
    .size_names = "base,large,tiny",
    .processor = "VideoMAEImageProcessor",
    .read_config = read_config,
    .make_config = make_config,
    .bind = bind,
    .weights_bytes = sizeof(weights),
    .check = check,
    .build = build_program,
    .names = "encoder.layer.0.temporal_dense.weight",
};
