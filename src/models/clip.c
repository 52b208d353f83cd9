// The vision tower of CLIP and MetaCLIP 1 (`clip`, `clip_vision_model`) and of MetaCLIP 2 (`metaclip_2`,
// `metaclip_2_vision_model`), frame models.
//
//   pixels [3, H, W]
//     | embeddings.patch_embedding             order (y, x); no bias
//   x = [embeddings.class_embedding ; patches] + embeddings.position_embedding
//     |                                        at a size other than image_size (only if asked for), the patches'
//     |                                        part is resized from its square grid, bicubic
//     | pre_layrnorm                           (sic)
//     | encoder.layers.i                       pre-norm blocks, quick_gelu unless the config says another
//   last hidden state [1 + n, D]               no norm
//     | row 0 | post_layernorm
//   feature [D]                                "pooler_output"
//     | visual_projection                      where the file has one: the pool "projection", CLIP's image_embeds
//
// Names may be prefixed with "vision_model.": in every file, except those that transformers 5 writes for the vision
// tower alone.
#include "checks.h"
#include "class_row.h"
#include "clip_tower.h"
#include "config_reader.h"
#include "fail.h"
#include "families.h"
#include "pools.h"

typedef struct weights {
    tub_tensor patch;
    tub_tensor class;       // [1, D] with its position
    const float *positions; // [grid * grid, D] of the patches
    tub_layer norm_pre, norm_post;
    tub_block *blocks;
    tub_tensor projection; // [P, D], or empty
} weights;

// Files of the first versions also have the tower's part in "vision_config_dict". If the two differ, transformers takes
// this one, including class defaults.
static const json_t *vision_part(const json_t *json)
{
    const json_t *dict = json_object_get(json, "vision_config_dict");
    return json_is_object(dict) ? dict : tub_config_vision(json);
}

static tub_status read_config(const json_t *json, tub_config *c, tub_error *err)
{
    *c = (tub_config){.hidden = 768,
                      .layers = 12,
                      .heads = 12,
                      .mlp = 3072,
                      .patch = 32,
                      .frames = 1,
                      .image_height = 224,
                      .image_width = 224,
                      .eps = 1e-5,
                      .activation = TUB_ACT_QUICK_GELU,
                      .head = true,
                      .projection = 512};
    TUB_TRY(tub_config_read_int(json, "projection_dim", 1, 1 << 15, &c->projection, err));
    return tub_config_read_clip(vision_part(json), c, err);
}

static const tub_size sizes[] = {
    {"base", 768, 12, 12, 3072, 16, 224, false},   {"base-patch32", 768, 12, 12, 3072, 32, 224, false},
    {"large", 1024, 24, 16, 4096, 14, 224, false}, {"huge", 1280, 32, 16, 5120, 14, 224, false},
    {"tiny", 64, 2, 2, 128, 8, 32, false},         {0},
};

static json_t *make_common(const tub_size *s, const char *class, const char *model_type)
{
    return json_pack("{s:[s], s:f, s:s, s:s, s:i, s:i, s:f, s:f, s:i, s:f, s:s, s:i, s:i, s:i, s:i, s:i}",
                     "architectures", class, "attention_dropout", 0.0, "dtype", "float32", "hidden_act", "quick_gelu",
                     "hidden_size", s->hidden, "image_size", s->image, "initializer_factor", 1.0, "initializer_range",
                     0.02, "intermediate_size", s->mlp, "layer_norm_eps", 1e-5, "model_type", model_type,
                     "num_attention_heads", s->heads, "num_channels", 3, "num_hidden_layers", s->layers, "patch_size",
                     s->patch, "projection_dim", 512);
}

static json_t *make_config(const tub_size *s)
{
    return make_common(s, "CLIPVisionModel", "clip_vision_model");
}

static json_t *make_metaclip_config(const tub_size *s)
{
    return make_common(s, "MetaClip2VisionModel", "metaclip_2_vision_model");
}

static void bind_embeddings(tub_binder *b, const tub_config *c, weights *w)
{
    const int n = c->hidden, grid = c->image_height / c->patch;
    tub_tensor token = tub_bind(b, TUB_FILL_TOKEN, TUB_SHAPE(n), "embeddings.class_embedding");
    w->patch = tub_bind(b, TUB_FILL_WEIGHT, TUB_SHAPE(n, 3, c->patch, c->patch), "embeddings.patch_embedding.weight");
    tub_tensor table =
        tub_bind(b, TUB_FILL_TOKEN, TUB_SHAPE(1 + (int64_t)grid * grid, n), "embeddings.position_embedding.weight");
    w->class = tub_bind_class_row(b, n, &token, &table, &w->positions);
}

static void bind(tub_binder *b, tub_config *c, void *out)
{
    static const char *const prefixes[] = {"vision_model.", "", NULL};
    static const char *const ignored[] = {"text_model.*",
                                          "logit_scale",
                                          "text_projection.weight",
                                          "classifier.*",
                                          "vision_model.embeddings.position_ids",
                                          "embeddings.position_ids",
                                          NULL};
    weights *w = out;
    tub_binder_ignore(b, ignored);
    tub_binder_prefix(b, prefixes, "embeddings.class_embedding");
    bind_embeddings(b, c, w);
    w->norm_pre = tub_bind_norm(b, c->hidden, true, "", "pre_layrnorm");
    w->blocks = tub_bind_clip_blocks(b, c);
    w->norm_post = tub_bind_norm(b, c->hidden, true, "", "post_layernorm");
    if (!tub_binder_has_absolute(b, "visual_projection.weight", false))
        c->projection = 0;
    if (c->projection)
        w->projection =
            tub_bind_absolute(b, TUB_FILL_WEIGHT, TUB_SHAPE(c->projection, c->hidden), "visual_projection.weight");
}

// The class token's row: normed, and projected if that is asked for.
static tub_value append_row(tub_program *p, const tub_config *c, const weights *w, bool project, tub_value x)
{
    tub_value row = tub_rows(p, "class token", x, 0, 1);
    row = tub_norm_rows(p, "post norm", row, TUB_NORM_LAYER, w->norm_post.weight, w->norm_post.bias, c->eps,
                        project ? TUB_NARROW : TUB_WIDE);
    return project ? tub_linear(p, "projection", row, w->projection, tub_no_tensor(), TUB_ACT_NONE, TUB_WIDE) : row;
}

static void build_program(const tub_config *c, const void *in, const tub_build *build, tub_arena *arena, tub_program *p,
                          tub_value *feature, tub_value *tokens)
{
    const weights *w = in;
    const int grid = c->image_height / c->patch, rows = build->height / c->patch, cols = build->width / c->patch;
    tub_block_plan plan = tub_block_plan_of(c);
    tub_value x = tub_patches(p, "patches", 1, c->patch, c->patch);
    x = tub_linear(p, "embedding", x, w->patch, tub_no_tensor(), TUB_ACT_NONE, TUB_WIDE);
    x = tub_add_table(p, "positions", x, tub_table_resize(p, arena, w->positions, grid, rows, cols, c->hidden, false));
    x = tub_prepend(p, "class token", x, w->class);
    x = tub_norm_rows(p, "first norm", x, TUB_NORM_LAYER, w->norm_pre.weight, w->norm_pre.bias, c->eps, TUB_WIDE);
    *tokens = x = tub_append_blocks(p, arena, w->blocks, c->layers, &plan, x);
    if (tub_append_hidden(p, build, x, 1, feature, tokens))
        return;
    if (build->pool == TUB_POOL_POOLER || build->pool == TUB_POOL_PROJECTION)
        *feature = append_row(p, c, w, build->pool == TUB_POOL_PROJECTION, x);
    else
        *feature = tub_append_pool(p, x, 1, build->pool);
}

const tub_architecture tub_clip = {
    .name = "clip",
    .model_types = "clip,clip_vision_model",
    .feature = "class token through post_layernorm",
    .layouts = "transformers 4 and 5: the whole model or its vision tower",
    .pooler = "class token through post_layernorm",
    .per_frame = true,
    .class_token = true,
    .sizes = sizes,
    .size_names = "base,base-patch32,large,huge,tiny",
    .processor = "CLIPImageProcessor",
    .read_config = read_config,
    .make_config = make_config,
    .bind = bind,
    .weights_bytes = sizeof(weights),
    .check = tub_check_image_size,
    .build = build_program,
    .names = "embeddings.class_embedding,pre_layrnorm.weight",
};

const tub_architecture tub_metaclip2 = {
    .name = "metaclip_2",
    .model_types = "metaclip_2,metaclip_2_vision_model",
    .feature = "class token through post_layernorm",
    .layouts = "transformers 4 and 5: the whole model or its vision tower",
    .pooler = "class token through post_layernorm",
    .per_frame = true,
    .class_token = true,
    .sizes = sizes,
    .size_names = "base,base-patch32,large,huge,tiny",
    .processor = "CLIPImageProcessor",
    .read_config = read_config,
    .make_config = make_metaclip_config,
    .bind = bind,
    .weights_bytes = sizeof(weights),
    .check = tub_check_image_size,
    .build = build_program,
    .names = "embeddings.class_embedding,pre_layrnorm.weight",
};
