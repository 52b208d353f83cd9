// LLaVA-ViT, the original script's `backbone.pt` of what became OneVision-Encoder: see onevision.c for the network.
//
//   conv1                                           patches of each frame, order (t, y, x); no bias
//   ln_pre
//   transformer.layers.i.{ln_1, attn.in_proj, attn.out_proj, ln_2, mlp.0, mlp.2}
//   ln_post                                         always, and before the head
//   head.{probe, attention, norm, mlp}              as in onevision.c
//
// Its norms have torch's default epsilons, not those of the Hugging Face conversion: 1e-5 for LayerNorm, float32's
// epsilon for RMSNorm (the variants named *_rms, and always the head's). The file has no config: sizes are those of the
// tensors. Heads have 64 channels (96 in the giant size), unless --heads gives another number of heads.
#include <stdio.h>

#include "config_reader.h"
#include "fail.h"
#include "families.h"
#include "onevision.h"
#include "shape_sizes.h"

static const double rms_eps = 1.1920928955078125e-07;

// Values that the config doesn't give stay 0, and come from the tensors.
static tub_status read_config(const json_t *json, tub_config *c, tub_error *err)
{
    *c = (tub_config){.activation = TUB_ACT_GELU, .rope_theta = 1e4};
    TUB_TRY(tub_config_read_int(json, "hidden_size", 1, 1 << 15, &c->hidden, err));
    TUB_TRY(tub_config_read_int(json, "num_hidden_layers", 1, TUB_LAYERS_MOST, &c->layers, err));
    TUB_TRY(tub_config_read_int(json, "num_attention_heads", 1, 1024, &c->heads, err));
    TUB_TRY(tub_config_read_int(json, "patch_size", 1, 256, &c->patch, err));
    TUB_TRY(tub_config_read_int(json, "intermediate_size", 1, 1 << 17, &c->mlp, err));
    TUB_TRY(tub_config_read_activation(json, c, err));
    TUB_TRY(tub_onevision_read_norm(json, c, err));
    c->eps = rms_eps;
    TUB_TRY(tub_config_read_eps(json, "head_norm_eps", c, err));
    c->head_eps = c->eps;
    c->eps = 0; // depends on the kind of norm
    return tub_config_read_eps(json, "layer_norm_eps", c, err);
}

static const tub_size sizes[] = {
    {"base", 768, 12, 12, 3072, 16, 224, false},
    {"small", 384, 6, 6, 1536, 16, 224, false},
    {"large", 1024, 24, 16, 4096, 14, 224, false},
    {"huge", 1280, 32, 20, 5120, 14, 224, false},
    {"giant", 1536, 40, 16, 6144, 14, 224, false},
    {"tiny", 64, 2, 2, 128, 8, 32, false},
    {0},
};

static json_t *make_config(const tub_size *s)
{
    return json_pack("{s:s, s:f, s:i, s:i, s:f, s:s, s:s, s:i, s:i, s:i, s:f}", "hidden_act", "gelu", "head_norm_eps",
                     rms_eps, "hidden_size", s->hidden, "intermediate_size", s->mlp, "layer_norm_eps", 1e-5,
                     "layer_norm_type", "layer_norm", "model_type", "llava_vit", "num_attention_heads", s->heads,
                     "num_hidden_layers", s->layers, "patch_size", s->patch, "rope_theta", 10000.0);
}

static void complete_config(tub_binder *b, tub_config *c)
{
    tub_size_from_shape(b, "conv1.weight", 4, 0, &c->hidden);
    tub_size_from_shape(b, "conv1.weight", 4, 2, &c->patch);
    tub_size_from_shape(b, "transformer.layers.0.mlp.0.weight", 2, 0, &c->mlp);
    tub_layers_from_names(b, "transformer.layers.", ".ln_1.weight", &c->layers);
    c->rms = !tub_binder_has(b, "ln_pre.bias", !c->rms);
    if (c->eps == 0)
        c->eps = c->rms ? rms_eps : 1e-5;
    c->free_heads = c->heads == 0;
    if (c->free_heads)
        c->heads = c->hidden == 1536 && c->layers == 40 ? 16 : c->hidden % 64 ? 0 : c->hidden / 64;
    c->head = tub_binder_has(b, "head.probe", true);
}

static void bind_block(tub_binder *b, const tub_config *c, int i, tub_block *k)
{
    const int n = c->hidden;
    char at[TUB_AT];
    snprintf(at, sizeof at, "transformer.layers.%d.", i);
    k->norm1 = tub_bind_norm(b, n, !c->rms, at, "ln_1");
    k->qkv = tub_bind_linear(b, 3 * n, n, true, at, "attn.in_proj");
    k->out = tub_bind_linear(b, n, n, true, at, "attn.out_proj");
    k->norm2 = tub_bind_norm(b, n, !c->rms, at, "ln_2");
    k->up = tub_bind_linear(b, c->mlp, n, true, at, "mlp.0");
    k->down = tub_bind_linear(b, n, c->mlp, true, at, "mlp.2");
}

static void bind(tub_binder *b, tub_config *c, void *out)
{
    tub_onevision_weights *w = out;
    complete_config(b, c);
    w->patch = tub_bind(b, TUB_FILL_WEIGHT, TUB_SHAPE(c->hidden, 3, c->patch, c->patch), "conv1.weight");
    w->norm_pre = tub_bind_norm(b, c->hidden, !c->rms, "", "ln_pre");
    w->blocks = tub_bind_alloc(b, (size_t)c->layers, sizeof *w->blocks);
    for (int i = 0; w->blocks && i < c->layers; i++)
        bind_block(b, c, i, &w->blocks[i]);
    w->norm_post = tub_bind_norm(b, c->hidden, !c->rms, "", "ln_post");
    if (c->head)
        tub_bind_pool_head(b, c, "norm", false, &w->head);
}

const tub_architecture tub_llavavit = {
    .name = "llavavit",
    .model_types = "llava_vit",
    .feature = "attention-pooling head, without one the mean of all tokens",
    .layouts = "backbone.pt of the original script",
    .pooler = "attention-pooling head",
    .sizes = sizes,
    .size_names = "base,small,large,huge,giant,tiny",
    .read_config = read_config,
    .make_config = make_config,
    .bind = bind,
    .weights_bytes = sizeof(tub_onevision_weights),
    .check = tub_onevision_check,
    .build = tub_onevision_build,
    .positions = true,
    .sizes_in_file = true,
    .names = "conv1.weight,ln_pre.weight,transformer.layers.0.ln_1.weight",
};
