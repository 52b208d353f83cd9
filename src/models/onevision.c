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
// Rotation: the first 2/16 of a head's pairs turn with the frame's number, 3/16 with y, 3/16 with x. The whole vector
// of angles is tiled twice, but pairs are neighbors, so the members of a pair turn by different angles. The model was
// trained that way.
#include <math.h>
#include <string.h>

#include "clip_tower.h"
#include "config_reader.h"
#include "fail.h"
#include "families.h"
#include "onevision.h"
#include "pools.h"

tub_status tub_onevision_read_norm(const json_t *json, tub_config *c, tub_error *err)
{
    const char *norm;
    TUB_TRY(tub_config_read_double(json, "rope_theta", &c->rope_theta, err));
    if (!(c->rope_theta > 0))
        return tub_fail(err, TUB_ERROR_MODEL, "config.json: key \"rope_theta\": must be above 0");
    TUB_TRY(tub_json_string(json, "config.json", "layer_norm_type", "layer_norm", &norm, err));
    c->rms = strcmp(norm, "rms_norm") == 0;
    if (!c->rms && strcmp(norm, "layer_norm") != 0)
        return tub_fail(err, TUB_ERROR_MODEL,
                        "config.json: key \"layer_norm_type\": \"%.40s\" isn't layer_norm or rms_norm", norm);
    return TUB_OK;
}

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
    TUB_TRY(tub_config_read_tower(json, c, err));
    TUB_TRY(tub_config_read_mlp(json, c, err));
    TUB_TRY(tub_config_read_image(json, c, err));
    TUB_TRY(tub_config_read_bool(json, "use_head", &c->head, err));
    TUB_TRY(tub_onevision_read_norm(json, c, err));
    c->head_eps = c->eps;
    // null lifts the limit; a missing key doesn't.
    if (json_is_null(json_object_get(json, "rope_temporal_size")))
        c->rope_temporal = 0;
    else
        TUB_TRY(tub_config_read_int(json, "rope_temporal_size", 1, 1 << 20, &c->rope_temporal, err));
    if (c->hidden / c->heads % 32)
        return tub_fail(err, TUB_ERROR_MODEL,
                        "config.json: heads of %d channels: this family needs a multiple of 32 "
                        "(hidden_size / num_attention_heads)",
                        c->hidden / c->heads);
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

static void bind(tub_binder *b, tub_config *c, void *out)
{
    static const char *const prefixes[] = {"", NULL};
    tub_onevision_weights *w = out;
    tub_binder_prefix(b, prefixes, "embeddings.patch_embedding.weight");
    w->patch =
        tub_bind(b, TUB_FILL_WEIGHT, TUB_SHAPE(c->hidden, 3, c->patch, c->patch), "embeddings.patch_embedding.weight");
    w->norm_pre = tub_bind_norm(b, c->hidden, !c->rms, "", "layernorm_pre");
    w->blocks = tub_bind_clip_blocks(b, c);
    if (c->head) {
        w->norm_post = tub_bind_norm(b, c->hidden, !c->rms, "", "layernorm_post");
        tub_bind_pool_head(b, c, "norm", false, &w->head);
    }
}

tub_status tub_onevision_check(const tub_config *c, const tub_build *build, tub_error *err)
{
    if (c->hidden / c->heads % 32)
        return tub_fail(err, TUB_ERROR_MODEL,
                        "%d heads of %d channels: this family needs a multiple of 32: use --heads", c->heads,
                        c->hidden / c->heads);
    if (c->rope_temporal && build->positions == TUB_POSITIONS_INDEX && build->frames > c->rope_temporal)
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
    int frames, height, width, dim;
    double theta;
    tub_positions positions;
} grid;

// SPREAD: floor(linspace(0, 63, frames)), in float32 and from both ends, as torch.linspace computes it.
static int position(const grid *g, int frame)
{
    // VIDEO: every position has its rows, in order.
    if (g->positions != TUB_POSITIONS_SPREAD || g->frames == 1)
        return frame;
    const float last = TUB_POSITIONS_COUNT - 1, step = last / (float)(g->frames - 1);
    if (frame < g->frames / 2)
        return (int)(step * (float)frame);
    return (int)(last - step * (float)(g->frames - 1 - frame));
}

static void angles(const void *context, int row, double *out)
{
    const grid *g = context;
    const int unit = g->dim / 32;
    const struct {
        int at, count;
    } axes[3] = {{position(g, row / (g->height * g->width)), 4 * unit},
                 {row / g->width % g->height, 6 * unit},
                 {row % g->width, 6 * unit}};
    double *to = out;
    for (int a = 0; a < 3; a++)
        for (int i = 0; i < axes[a].count; i++)
            *to++ = axes[a].at * pow(g->theta, -(double)i / axes[a].count);
    memcpy(to, out, (size_t)(g->dim / 2) * sizeof *out);
}

static tub_value build_head(const tub_config *c, const tub_onevision_weights *w, tub_program *p, tub_value x)
{
    // The head reads the tokens in the compute type, as every linear layer does.
    tub_value y = tub_norm_rows(p, "last norm", x, c->rms ? TUB_NORM_RMS : TUB_NORM_LAYER, w->norm_post.weight,
                                w->norm_post.bias, c->eps, TUB_NARROW);
    return tub_append_pool_head(p, c, &w->head, TUB_NORM_RMS, c->head_eps, y);
}

void tub_onevision_build(const tub_config *c, const void *in, const tub_build *build, tub_arena *arena, tub_program *p,
                         tub_value *feature, tub_value *tokens)
{
    const tub_onevision_weights *w = in;
    const grid g = {.frames = build->frames,
                    .height = build->height / c->patch,
                    .width = build->width / c->patch,
                    .dim = c->hidden / c->heads,
                    .theta = c->rope_theta,
                    .positions = build->positions};
    const tub_norm norm = c->rms ? TUB_NORM_RMS : TUB_NORM_LAYER;
    tub_block_plan plan = tub_block_plan_of(c);
    const int frames = build->positions == TUB_POSITIONS_VIDEO ? TUB_POSITIONS_COUNT : build->frames;
    plan.pairing = TUB_PAIR_INTERLEAVED;
    plan.frame = build->positions == TUB_POSITIONS_VIDEO ? g.height * g.width : 0;
    tub_table_rotation(p, arena, frames * g.height * g.width, g.dim, angles, &g, &plan.cosine, &plan.sine);
    tub_value x = tub_patches(p, "patches", 1, c->patch, c->patch);
    x = tub_linear(p, "embedding", x, w->patch, tub_no_tensor(), TUB_ACT_NONE, TUB_WIDE);
    x = tub_norm_rows(p, "first norm", x, norm, w->norm_pre.weight, w->norm_pre.bias, c->eps, TUB_WIDE);
    x = tub_append_blocks(p, arena, w->blocks, c->layers, &plan, x);
    if (tub_append_hidden(p, build, x, 0, feature, tokens))
        return;
    *tokens = x;
    if (w->norm_post.weight.data)
        *tokens = tub_norm_rows(p, "last norm", x, norm, w->norm_post.weight, w->norm_post.bias, c->eps, TUB_WIDE);
    *feature = build->pool == TUB_POOL_POOLER ? build_head(c, w, p, x) : tub_mean(p, "mean of all tokens", *tokens);
}

const tub_architecture tub_onevision = {
    .name = "onevision",
    .model_types = "onevision_encoder",
    .feature = "attention-pooling head, without one the mean of all tokens",
    .layouts = "the Hub's (lmms-lab-encoder)",
    .pooler = "attention-pooling head",
    .sizes = sizes,
    .size_names = "base,large,tiny",
    .processor = "CLIPImageProcessor",
    .read_config = read_config,
    .make_config = make_config,
    .bind = bind,
    .weights_bytes = sizeof(tub_onevision_weights),
    .check = tub_onevision_check,
    .build = tub_onevision_build,
    .positions = true,
    .names = "layernorm_pre.weight,encoder.layers.0.self_attn.q_proj.weight",
};
