#include <math.h>

#include "vit.h"

tub_block_plan tub_block_plan_of(const tub_config *config)
{
    return (tub_block_plan){.heads = config->heads,
                            .dim = config->hidden / config->heads,
                            .eps = config->eps,
                            .norm = config->rms ? TUB_NORM_RMS : TUB_NORM_LAYER,
                            .activation = config->activation,
                            .gated = config->gated};
}

const char *tub_layer_label(tub_arena *arena, int layer, const char *part)
{
    const char *text = tub_arena_format(arena, "layer %d %s", layer, part);
    return text ? text : part;
}

tub_value tub_append_attention(tub_program *p, tub_arena *arena, int layer, const tub_block *k,
                               const tub_block_plan *plan, tub_value x)
{
    const double scale = plan->scale != 0 ? plan->scale : 1 / sqrt(plan->dim);
    tub_value y = tub_norm_rows(p, tub_layer_label(arena, layer, "norm 1"), x, plan->norm, k->norm1.weight,
                                k->norm1.bias, plan->eps, TUB_NARROW);
    y = tub_linear(p, tub_layer_label(arena, layer, "q, k, v"), y, k->qkv.weight, k->qkv.bias, TUB_ACT_NONE,
                   TUB_NARROW);
    if (k->qk_norm.data)
        y = tub_norm_slices(p, tub_layer_label(arena, layer, "norm of q, k"), y, plan->qk_kind, k->qk_norm,
                            plan->qk_eps, plan->qk_dim, 2 * plan->heads * plan->dim / plan->qk_dim);
    if (plan->frame)
        y = tub_rotate_frames(p, tub_layer_label(arena, layer, "rotation"), y, plan->cosine, plan->sine, plan->heads,
                              plan->dim, 2, plan->frame, plan->pairing);
    else if (plan->cosine.data)
        y = tub_rotate(p, tub_layer_label(arena, layer, "rotation"), y, plan->cosine, plan->sine, plan->heads,
                       plan->dim, 2, plan->skip, plan->pairing);
    y = tub_attention_groups(p, tub_layer_label(arena, layer, "attention"), y, plan->heads, plan->dim, scale,
                             plan->groups ? plan->groups : 1);
    return tub_linear_residual(p, tub_layer_label(arena, layer, "attention out"), y, k->out.weight, k->out.bias,
                               k->scale1, x);
}

tub_value tub_append_mlp(tub_program *p, tub_arena *arena, int layer, const tub_block *k, const tub_block_plan *plan,
                         tub_value x)
{
    tub_value y = tub_norm_rows(p, tub_layer_label(arena, layer, "norm 2"), x, plan->norm, k->norm2.weight,
                                k->norm2.bias, plan->eps, TUB_NARROW);
    y = tub_linear(p, tub_layer_label(arena, layer, "mlp up"), y, k->up.weight, k->up.bias,
                   plan->gated ? TUB_ACT_NONE : plan->activation, TUB_NARROW);
    if (plan->gated)
        y = tub_gate(p, tub_layer_label(arena, layer, "mlp gate"), y, plan->activation);
    return tub_linear_residual(p, tub_layer_label(arena, layer, "mlp down"), y, k->down.weight, k->down.bias, k->scale2,
                               x);
}

tub_value tub_append_blocks(tub_program *p, tub_arena *arena, const tub_block *blocks, int count,
                            const tub_block_plan *plan, tub_value x)
{
    for (int i = 0; i < count; i++) {
        x = tub_append_attention(p, arena, i, &blocks[i], plan, x);
        x = tub_append_mlp(p, arena, i, &blocks[i], plan, x);
    }
    return x;
}

void tub_append_class_outputs(tub_program *p, tub_value x, const tub_layer *norm, double eps, int registers,
                              tub_pool pool, tub_value *feature, tub_value *tokens)
{
    *tokens = tub_norm_rows(p, "last norm", x, TUB_NORM_LAYER, norm->weight, norm->bias, eps, TUB_WIDE);
    if (pool == TUB_POOL_MEAN) {
        *feature = tub_mean(p, "mean of all tokens", *tokens);
    } else if (pool == TUB_POOL_PATCH_MEAN) {
        int prefix = 1 + registers, rows = *tokens == TUB_NONE ? 0 : p->values[*tokens].rows;
        *feature = tub_mean(p, "mean of the patches", tub_rows(p, "patches", *tokens, prefix, rows - prefix));
    } else {
        // The class token's row alone: if nobody asks for the tokens, only this row is normed.
        tub_value row = tub_rows(p, "class token", x, 0, 1);
        *feature = tub_norm_rows(p, "last norm", row, TUB_NORM_LAYER, norm->weight, norm->bias, eps, TUB_WIDE);
    }
}
