#include "pool_head.h"

#include <math.h>

void tub_bind_pool_head(tub_binder *b, const tub_config *c, const char *norm, bool norm_bias, tub_pool_head *head)
{
    int n = c->hidden;
    tub_tensor probe = tub_bind(b, TUB_FILL_TOKEN, TUB_SHAPE(1, 1, n), "head.probe");
    tub_tensor weight = tub_bind(b, TUB_FILL_WEIGHT, TUB_SHAPE(3 * n, n), "head.attention.in_proj_weight");
    tub_tensor bias = tub_bind(b, TUB_FILL_BIAS, TUB_SHAPE(3 * n), "head.attention.in_proj_bias");
    head->out = tub_bind_linear(b, n, n, true, "head.attention.", "out_proj");
    head->norm = tub_bind_norm(b, n, norm_bias, "head.", norm);
    head->up = tub_bind_linear(b, c->mlp, n, true, "head.mlp.", "fc1");
    head->down = tub_bind_linear(b, n, c->mlp, true, "head.mlp.", "fc2");
    const tub_layer q = {.weight = tub_tensor_slice(&weight, 0, n), .bias = tub_tensor_slice(&bias, 0, n)};
    head->query = tub_bind_folded(b, &q, &probe);
    head->kv.weight = tub_tensor_slice(&weight, n, 2 * n);
    head->kv.bias = tub_tensor_slice(&bias, n, 2 * n);
}

tub_value tub_append_pool_head(tub_program *p, const tub_config *c, const tub_pool_head *head, tub_norm norm,
                               double eps, tub_value tokens)
{
    int dim = c->hidden / c->heads;
    tub_value y = tub_linear(p, "head k, v", tokens, head->kv.weight, head->kv.bias, TUB_ACT_NONE, TUB_NARROW);
    y = tub_attention_pool(p, "head attention", head->query, y, c->heads, dim, 1 / sqrt(dim));
    tub_value a = tub_linear(p, "head attention out", y, head->out.weight, head->out.bias, TUB_ACT_NONE, TUB_WIDE);
    y = tub_norm_rows(p, "head norm", a, norm, head->norm.weight, head->norm.bias, eps, TUB_NARROW);
    y = tub_linear(p, "head mlp up", y, head->up.weight, head->up.bias, c->activation, TUB_NARROW);
    return tub_linear_residual(p, "head mlp down", y, head->down.weight, head->down.bias, tub_no_tensor(), a);
}
