// InternVideo2, the video encoder. Its checkpoints have no config.json: sizes come from the tensors, or from a config
// of our own (`internvideo2`), whose keys are the arguments of the original's constructor.
//
//   pixels [3, T, H, W]
//     | patch_embed.proj                 patches of each frame (tubelets of tubelet_size frames), order (t, y, x)
//   x = [cls_token ; patches] + pos_embed
//     |                                  or pos_embed_cls, and pos_embed_spatial[y, x] + pos_embed_temporal[t];
//     |                                  for another T: linear over time; for another size: then bicubic
//     | blocks.i                         pre-norm blocks with RMSNorm and LayerScale; q and k are normed over the full
//     D |                                  before the heads; tanh gelu
//   last hidden state [1 + n, D]         no norm after the last block
//     | clip_projector                   q: norm1_q of the mean of all tokens; k, v: norm1_k, norm1_v of the tokens;
//     |                                  attn_pool_num_heads heads, then cross_attn.proj
//   feature [clip_embed_dim]             without a projector: the mean of all tokens
//
// Only a classifier (fc_norm, head) or a projection for comparison with text (vision_align, vision_proj) follows the
// projector; these aren't used, nor are the decoders of pre-training. Names may be prefixed with "vision_encoder.": in
// multi-modal checkpoints, whose other parts aren't used either.
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "checks.h"
#include "config_reader.h"
#include "fail.h"
#include "families.h"
#include "pools.h"
#include "shape_sizes.h"
#include "vit.h"

typedef struct weights {
    tub_layer patch;
    tub_tensor prefix;      // [1, D]: class token with its position
    const float *positions; // [frames * grid * grid, D] of the patches
    int frames, grid;       // as stored
    tub_block *blocks;
    tub_layer norm_q, norm_k, norm_v, q, k, v, out; // of the projector
} weights;

// Values that the config doesn't give stay 0, and come from the tensors.
static tub_status read_sizes(const json_t *json, tub_config *c, tub_error *err)
{
    int channels = 3;
    double ratio = 0;
    TUB_TRY(tub_config_read_int(json, "embed_dim", 1, 1 << 15, &c->hidden, err));
    TUB_TRY(tub_config_read_int(json, "depth", 1, TUB_LAYERS_MOST, &c->layers, err));
    TUB_TRY(tub_config_read_int(json, "num_heads", 1, 1024, &c->heads, err));
    TUB_TRY(tub_config_read_int(json, "patch_size", 1, 256, &c->patch, err));
    TUB_TRY(tub_config_read_int(json, "in_chans", 3, 3, &channels, err));
    TUB_TRY(tub_config_read_int(json, "img_size", 1, 1 << 14, &c->image_height, err));
    c->image_width = c->image_height;
    TUB_TRY(tub_config_read_int(json, "num_frames", 1, 4096, &c->frames, err));
    TUB_TRY(tub_config_read_int(json, "tubelet_size", 1, 4096, &c->tubelet, err));
    TUB_TRY(tub_config_read_int(json, "attn_pool_num_heads", 1, 1024, &c->pool_heads, err));
    TUB_TRY(tub_config_read_int(json, "clip_embed_dim", 1, 1 << 15, &c->pooler, err));
    TUB_TRY(tub_config_read_double(json, "mlp_ratio", &ratio, err));
    if (!(ratio >= 0 && ratio <= 64))
        return tub_fail(err, TUB_ERROR_MODEL, "config.json: key \"mlp_ratio\": must be above 0 and at most 64");
    c->mlp = (int)(c->hidden * ratio);
    if (c->hidden && ((c->heads && c->hidden % c->heads) || c->hidden % c->pool_heads))
        return tub_fail(err, TUB_ERROR_MODEL,
                        "config.json: num_heads %d or attn_pool_num_heads %d don't divide embed_dim %d", c->heads,
                        c->pool_heads, c->hidden);
    return TUB_OK;
}

static tub_status read_config(const json_t *json, tub_config *c, tub_error *err)
{
    *c = (tub_config){.image_height = 224,
                      .eps = 1e-6,
                      .head_eps = 1e-5,
                      .rms = true,
                      .qk_norm = true,
                      .activation = TUB_ACT_GELU_TANH,
                      .pool_heads = 16};
    TUB_TRY(read_sizes(json, c, err));
    TUB_TRY(tub_config_read_bool(json, "qkv_bias", &c->qkv_bias, err));
    TUB_TRY(tub_config_read_bool(json, "qk_normalization", &c->qk_norm, err));
    TUB_TRY(tub_config_read_double(json, "rms_norm_eps", &c->eps, err));
    TUB_TRY(tub_config_read_double(json, "pool_layer_norm_eps", &c->head_eps, err));
    if (!(c->eps >= 0 && c->eps < 1 && c->head_eps >= 0 && c->head_eps < 1))
        return tub_fail(err, TUB_ERROR_MODEL,
                        "config.json: keys \"rms_norm_eps\", \"pool_layer_norm_eps\": must be at least 0 and below 1");
    return tub_config_read_activation(json, c, err);
}

static const tub_size sizes[] = {
    {"base", 768, 12, 12, 3072, 14, 224, false},
    {"small", 384, 12, 6, 1536, 14, 224, false},
    {"large", 1024, 24, 16, 4096, 14, 224, false},
    {"1b", 1408, 40, 16, 6144, 14, 224, false},
    {"6b", 3200, 48, 25, 12800, 14, 224, false},
    {"tiny", 64, 2, 2, 128, 14, 56, false},
    {0},
};

static json_t *make_config(const tub_size *s)
{
    // Rounded up in the last of the 15 digits that are written, so that int(embed_dim * mlp_ratio) is the width.
    const double ratio = ceil((double)s->mlp / s->hidden * 1e14) / 1e14;
    return json_pack("{s:i, s:i, s:i, s:i, s:f, s:s, s:i, s:i, s:f, s:s, s:i, s:i, s:i, s:f, s:b, s:b, s:f, s:b, s:i}",
                     "attn_pool_num_heads", 16, "clip_embed_dim", 768, "depth", s->layers, "embed_dim", s->hidden,
                     "fc_norm_eps", 1e-5, "hidden_act", "gelu_pytorch_tanh", "img_size", s->image, "in_chans", 3,
                     "mlp_ratio", ratio, "model_type", "internvideo2", "num_frames", 8, "num_heads", s->heads,
                     "patch_size", s->patch, "pool_layer_norm_eps", 1e-5, "qk_normalization", true, "qkv_bias", false,
                     "rms_norm_eps", 1e-6, "sep_pos_embed", false, "tubelet_size", 1);
}

static tub_tensor bind_qk_norm(tub_binder *b, int n, const char *at)
{
    const tub_tensor parts[2] = {tub_bind_vector(b, TUB_FILL_ONE, n, at, "attn.q_norm.weight"),
                                 tub_bind_vector(b, TUB_FILL_ONE, n, at, "attn.k_norm.weight")};
    return tub_bind_stack(b, parts, NULL, 2);
}

static void bind_block(tub_binder *b, const tub_config *c, int i, tub_block *k)
{
    const int n = c->hidden;
    char at[TUB_AT], probe[TUB_AT + 16];
    snprintf(at, sizeof at, "blocks.%d.", i);
    k->norm1 = tub_bind_norm(b, n, false, at, "norm1");
    k->qkv = tub_bind_linear(b, 3 * n, n, c->qkv_bias, at, "attn.qkv");
    if (c->qk_norm)
        k->qk_norm = bind_qk_norm(b, n, at);
    k->out = tub_bind_linear(b, n, n, true, at, "attn.proj");
    k->norm2 = tub_bind_norm(b, n, false, at, "norm2");
    k->up = tub_bind_linear(b, c->mlp, n, true, at, "mlp.fc1");
    k->down = tub_bind_linear(b, n, c->mlp, true, at, "mlp.fc2");
    snprintf(probe, sizeof probe, "%sls1.gamma", at);
    if (!tub_binder_has(b, probe, true))
        return;
    k->scale1 = tub_bind_vector(b, TUB_FILL_SCALE, n, at, "ls1.gamma");
    k->scale2 = tub_bind_vector(b, TUB_FILL_SCALE, n, at, "ls2.gamma");
}

// The root of a square; 0 for other numbers.
static int root_of(int64_t square)
{
    int root = 0;
    while ((int64_t)root * root < square)
        root++;
    return (int64_t)root * root == square ? root : 0;
}

// Joins the two tables, which are stored separately, to [T * g * g, D].
static const float *bind_separate(tub_binder *b, const tub_config *c, weights *w, const float **first)
{
    const int n = c->hidden;
    int patches = 0;
    w->frames = 0;
    tub_size_from_shape(b, "pos_embed_temporal", 3, 1, &w->frames);
    tub_size_from_shape(b, "pos_embed_spatial", 3, 1, &patches);
    w->grid = root_of(patches);
    const tub_tensor class = tub_bind(b, TUB_FILL_TOKEN, TUB_SHAPE(1, 1, n), "pos_embed_cls");
    const tub_tensor space = tub_bind(b, TUB_FILL_TOKEN, TUB_SHAPE(1, w->grid * w->grid, n), "pos_embed_spatial");
    const tub_tensor time = tub_bind(b, TUB_FILL_TOKEN, TUB_SHAPE(1, w->frames, n), "pos_embed_temporal");
    *first = tub_bind_floats(b, &class);
    const float *s = tub_bind_floats(b, &space), *t = tub_bind_floats(b, &time);
    const size_t cols = (size_t)n, rows = (size_t)w->frames * (size_t)patches;
    float *sum = *first && s && t ? tub_bind_alloc(b, rows, cols * sizeof *sum) : NULL;
    for (size_t i = 0; sum && i < rows; i++)
        for (size_t j = 0; j < cols; j++)
            sum[i * cols + j] = s[i % (size_t)patches * cols + j] + t[i / (size_t)patches * cols + j];
    return sum;
}

// Takes the config's grid and computes the frames from it. If that gives no whole number, takes the config's frames and
// computes the grid.
static const float *bind_joint(tub_binder *b, const tub_config *c, weights *w, const float **first)
{
    int rows = 0;
    tub_size_from_shape(b, "pos_embed", 3, 1, &rows);
    w->grid = c->image_height / c->patch;
    w->frames = c->frames / c->tubelet;
    if (rows > 1 && w->grid && (rows - 1) % (w->grid * w->grid) == 0)
        w->frames = (rows - 1) / (w->grid * w->grid);
    else if (rows > 1 && w->frames && (rows - 1) % w->frames == 0 && root_of((rows - 1) / w->frames))
        w->grid = root_of((rows - 1) / w->frames);
    const tub_tensor table =
        tub_bind(b, TUB_FILL_TOKEN, TUB_SHAPE(1, 1 + (int64_t)w->frames * w->grid * w->grid, c->hidden), "pos_embed");
    *first = tub_bind_floats(b, &table);
    return *first ? *first + c->hidden : NULL;
}

static void bind_embeddings(tub_binder *b, const tub_config *c, weights *w)
{
    const int n = c->hidden;
    const tub_tensor class = tub_bind(b, TUB_FILL_TOKEN, TUB_SHAPE(1, 1, n), "cls_token");
    w->patch.weight =
        tub_bind(b, TUB_FILL_WEIGHT, TUB_SHAPE(n, 3, c->tubelet, c->patch, c->patch), "patch_embed.proj.weight");
    w->patch.bias = tub_bind(b, TUB_FILL_BIAS, TUB_SHAPE(n), "patch_embed.proj.bias");
    const float *first, *token = tub_bind_floats(b, &class);
    w->positions =
        tub_binder_has(b, "pos_embed_spatial", false) ? bind_separate(b, c, w, &first) : bind_joint(b, c, w, &first);
    float *prefix;
    w->prefix = tub_bind_new(b, "prefix", TUB_SHAPE(1, n), &prefix);
    for (int i = 0; prefix && first && token && i < n; i++)
        prefix[i] = token[i] + first[i];
}

static tub_layer bind_cross(tub_binder *b, int n, const char *name)
{
    tub_layer l;
    l.weight = tub_bind(b, TUB_FILL_WEIGHT, TUB_SHAPE(n, n), "clip_projector.cross_attn.%s.weight", name);
    l.bias = tub_bind(b, TUB_FILL_BIAS, TUB_SHAPE(n), "clip_projector.cross_attn.%s_bias", name);
    return l;
}

static void bind_projector(tub_binder *b, const tub_config *c, weights *w)
{
    static const char at[] = "clip_projector.";
    w->norm_q = tub_bind_norm(b, c->hidden, true, at, "norm1_q");
    w->norm_k = tub_bind_norm(b, c->hidden, true, at, "norm1_k");
    w->norm_v = tub_bind_norm(b, c->hidden, true, at, "norm1_v");
    w->q = bind_cross(b, c->hidden, "q");
    w->k = bind_cross(b, c->hidden, "k");
    w->v = bind_cross(b, c->hidden, "v");
    w->out = tub_bind_linear(b, c->pooler, c->hidden, true, at, "cross_attn.proj");
}

// Published models whose heads don't have 64 channels: 1B has 16 heads, 6B 25.
static int usual_heads(int hidden)
{
    if (hidden == 1408)
        return 16;
    return hidden == 3200 ? 25 : hidden % 64 ? 0 : hidden / 64;
}

static void complete_config(tub_binder *b, tub_config *c)
{
    // The width of the MLP in the tensors wins: its ratio is a rounded fraction in the original scripts.
    int mlp = 0;
    tub_size_from_shape(b, "blocks.0.mlp.fc1.weight", 2, 0, &mlp);
    c->mlp = mlp ? mlp : c->mlp;
    tub_size_from_shape(b, "patch_embed.proj.weight", 5, 0, &c->hidden);
    tub_size_from_shape(b, "patch_embed.proj.weight", 5, 2, &c->tubelet);
    tub_size_from_shape(b, "patch_embed.proj.weight", 5, 3, &c->patch);
    tub_size_from_shape(b, "clip_projector.cross_attn.proj.weight", 2, 0, &c->pooler);
    tub_layers_from_names(b, "blocks.", ".norm1.weight", &c->layers);
    c->free_heads = c->heads == 0;
    if (c->free_heads)
        c->heads = usual_heads(c->hidden);
    // These sizes are 0 if their tensors are missing, which is reported by name later.
    c->patch = c->patch ? c->patch : 1;
    c->tubelet = c->tubelet ? c->tubelet : 1;
}

static void bind(tub_binder *b, tub_config *c, void *out)
{
    static const char *const prefixes[] = {"", "vision_encoder.", NULL};
    static const char *const ignored[] = {"fc_norm.*",
                                          "head.*",
                                          "clip_decoder.*",
                                          "clip_pos_embed*",
                                          "clip_img_pos_embed",
                                          "img_pos_embed",
                                          "final_clip_decoder.*",
                                          "mae_decoder.*",
                                          "mae_pos_embed*",
                                          "vision_encoder.clip_*",
                                          "vision_encoder.final_clip_decoder.*",
                                          "vision_encoder.img_pos_embed",
                                          "vision_align.*",
                                          "vision_proj.*",
                                          "text_encoder.*",
                                          "text_proj.*",
                                          "audio_encoder.*",
                                          "audio_proj.*",
                                          "av_*",
                                          "atm_head.*",
                                          "avtm_head.*",
                                          "itm_head.*",
                                          "temp",
                                          NULL};
    weights *w = out;
    tub_binder_ignore(b, ignored);
    tub_binder_prefix(b, prefixes, "patch_embed.proj.weight");
    complete_config(b, c);
    bind_embeddings(b, c, w);
    if (!c->frames)
        c->frames = w->frames * c->tubelet;
    w->blocks = tub_bind_alloc(b, (size_t)c->layers, sizeof *w->blocks);
    for (int i = 0; w->blocks && i < c->layers; i++)
        bind_block(b, c, i, &w->blocks[i]);
    c->head = tub_binder_has(b, "clip_projector.cross_attn.proj.weight", true);
    if (c->head)
        bind_projector(b, c, w);
}

static tub_status check(const tub_config *c, const tub_build *build, tub_error *err)
{
    if (build->frames < c->tubelet)
        return tub_fail(err, TUB_ERROR_MODEL,
                        "clips of %d frames: this checkpoint takes at least %d (tubelet_size in config.json): use "
                        "--clip-length",
                        build->frames, c->tubelet);
    if (c->head && c->hidden % c->pool_heads)
        return tub_fail(err, TUB_ERROR_MODEL, "config.json: attn_pool_num_heads %d doesn't divide its %d channels",
                        c->pool_heads, c->hidden);
    return tub_check_one_patch(c, build, err);
}

// The positions of frame `t` of `frames`, [patches, cols]: torch's linear interpolation over time, align_corners=False.
static void blend_time(const float *from, int in, int frames, int t, size_t values, float *out)
{
    const double at = fmax((t + 0.5) * in / frames - 0.5, 0);
    const int low = (int)at < in - 1 ? (int)at : in - 1, high = low < in - 1 ? low + 1 : low;
    const double rest = at - low;
    for (size_t i = 0; i < values; i++)
        out[i] = (float)((1 - rest) * from[(size_t)low * values + i] + rest * from[(size_t)high * values + i]);
}

static tub_tensor position_table(const tub_config *c, const weights *w, int frames, int height, int width,
                                 tub_arena *arena, tub_program *p)
{
    const int in = w->frames, grid = w->grid;
    const size_t stored = (size_t)grid * (size_t)grid * (size_t)c->hidden;
    const size_t wanted = (size_t)height * (size_t)width * (size_t)c->hidden;
    float *data, *frame;
    const tub_tensor t = tub_new_table(p, arena, (int64_t)frames * height * width, c->hidden, &data);
    tub_new_table(p, arena, (int64_t)grid * grid, c->hidden, &frame);
    for (int i = 0; data && frame && i < frames; i++) {
        blend_time(w->positions, in, frames, i, stored, frame);
        const tub_tensor resized = tub_table_resize(p, arena, frame, grid, height, width, c->hidden, false);
        if (!resized.data)
            return tub_no_tensor();
        memcpy(data + (size_t)i * wanted, resized.data, wanted * sizeof *data);
    }
    return t;
}

static tub_value build_projector(const tub_config *c, const weights *w, tub_program *p, tub_value x)
{
    const int dim = c->hidden / c->pool_heads;
    tub_value q = tub_norm_rows(p, "projector norm q", tub_mean(p, "projector mean", x), TUB_NORM_LAYER,
                                w->norm_q.weight, w->norm_q.bias, c->head_eps, TUB_NARROW);
    tub_value k = tub_norm_rows(p, "projector norm k", x, TUB_NORM_LAYER, w->norm_k.weight, w->norm_k.bias, c->head_eps,
                                TUB_NARROW);
    tub_value v = tub_norm_rows(p, "projector norm v", x, TUB_NORM_LAYER, w->norm_v.weight, w->norm_v.bias, c->head_eps,
                                TUB_NARROW);
    q = tub_linear(p, "projector q", q, w->q.weight, w->q.bias, TUB_ACT_NONE, TUB_NARROW);
    k = tub_linear(p, "projector k", k, w->k.weight, w->k.bias, TUB_ACT_NONE, TUB_NARROW);
    v = tub_linear(p, "projector v", v, w->v.weight, w->v.bias, TUB_ACT_NONE, TUB_NARROW);
    x = tub_attention_values(p, "projector attention", q, k, v, c->pool_heads, dim, 1 / sqrt(dim), 1);
    return tub_linear(p, "projector out", x, w->out.weight, w->out.bias, TUB_ACT_NONE, TUB_WIDE);
}

static void build_program(const tub_config *c, const void *in, const tub_build *build, tub_arena *arena, tub_program *p,
                          tub_value *feature, tub_value *tokens)
{
    const weights *w = in;
    const int frames = build->frames / c->tubelet, height = build->height / c->patch, width = build->width / c->patch;
    tub_block_plan plan = tub_block_plan_of(c);
    plan.qk_kind = TUB_NORM_RMS;
    plan.qk_dim = c->hidden;
    plan.qk_eps = c->eps;
    tub_value x = tub_patches(p, "patches", c->tubelet, c->patch, c->patch);
    x = tub_linear(p, "embedding", x, w->patch.weight, w->patch.bias, TUB_ACT_NONE, TUB_WIDE);
    x = tub_add_table(p, "positions", x, position_table(c, w, frames, height, width, arena, p));
    x = tub_prepend(p, "class token", x, w->prefix);
    x = tub_append_blocks(p, arena, w->blocks, c->layers, &plan, x);
    if (tub_append_hidden(p, build, x, 1, feature, tokens))
        return;
    *tokens = x;
    *feature = build->pool == TUB_POOL_POOLER ? build_projector(c, w, p, x) : tub_append_pool(p, x, 1, build->pool);
}

const tub_architecture tub_internvideo2 = {
    .name = "internvideo2",
    .model_types = "internvideo2",
    .feature = "attention-pooling projector, without one the mean of all tokens",
    .layouts = "OpenGVLab's .pth files of one modality or more, safetensors of the same names",
    .pooler = "attention-pooling projector",
    .class_token = true,
    .headless_pool = TUB_POOL_MEAN,
    .sizes = sizes,
    .size_names = "base,small,large,1b,6b,tiny",
    .processor = "InternVideo2VideoProcessor",
    .read_config = read_config,
    .make_config = make_config,
    .bind = bind,
    .weights_bytes = sizeof(weights),
    .check = check,
    .build = build_program,
    .sizes_in_file = true,
    .names =
        "patch_embed.proj.weight,blocks.0.attn.qkv.weight,blocks.0.attn.q_norm.weight|blocks.0.ls1.gamma,cls_token,"
        "!blocks.0.norm1.bias",
};
