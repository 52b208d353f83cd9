#include <stdio.h>

#include "half.h"
#include "vit.h"

tub_tensor tub_bind_vector(tub_binder *b, tub_fill fill, int n, const char *at, const char *name)
{
    return tub_bind(b, fill, TUB_SHAPE(n), "%s%s", at, name);
}

tub_layer tub_bind_linear(tub_binder *b, int out, int in, bool bias, const char *at, const char *name)
{
    tub_layer l = {.weight = tub_bind(b, TUB_FILL_WEIGHT, TUB_SHAPE(out, in), "%s%s.weight", at, name)};
    if (bias)
        l.bias = tub_bind(b, TUB_FILL_BIAS, TUB_SHAPE(out), "%s%s.bias", at, name);
    return l;
}

tub_layer tub_bind_norm(tub_binder *b, int n, bool bias, const char *at, const char *name)
{
    tub_layer l = {.weight = tub_bind(b, TUB_FILL_ONE, TUB_SHAPE(n), "%s%s.weight", at, name)};
    if (bias)
        l.bias = tub_bind(b, TUB_FILL_BIAS, TUB_SHAPE(n), "%s%s.bias", at, name);
    return l;
}

tub_layer tub_bind_qkv(tub_binder *b, int n, const char *at, const char *const weights[3], const char *const biases[3])
{
    tub_tensor weight[3], bias[3];
    for (int i = 0; i < 3; i++) {
        weight[i] = tub_bind(b, TUB_FILL_WEIGHT, TUB_SHAPE(n, n), "%s%s", at, weights[i]);
        bias[i] = biases[i] ? tub_bind(b, TUB_FILL_BIAS, TUB_SHAPE(n), "%s%s", at, biases[i]) : tub_no_tensor();
    }
    const int64_t zeros[3] = {n, n, n};
    return (tub_layer){.weight = tub_bind_rows(b, weight, 3), .bias = tub_bind_stack(b, bias, zeros, 3)};
}

bool tub_bind_is_of_memory(const tub_binder *b, const char *at)
{
    char probe[TUB_AT + 64];
    snprintf(probe, sizeof probe, "%sattention.q_proj.weight", at);
    return tub_binder_has(b, probe, false);
}

tub_layer tub_bind_query_key_value(tub_binder *b, const tub_config *c, const char *at, const char *const biases[3])
{
    static const char *const weights[2][3] = {
        {"attention.attention.query.weight", "attention.attention.key.weight", "attention.attention.value.weight"},
        {"attention.q_proj.weight", "attention.k_proj.weight", "attention.v_proj.weight"}};
    static const char *const like_weights[2][3] = {
        {"attention.attention.query.bias", "attention.attention.key.bias", "attention.attention.value.bias"},
        {"attention.q_proj.bias", "attention.k_proj.bias", "attention.v_proj.bias"}};
    static const char *const none[3] = {0};
    const int names = tub_bind_is_of_memory(b, at);
    return tub_bind_qkv(b, c->hidden, at, weights[names], !c->qkv_bias ? none : biases ? biases : like_weights[names]);
}

tub_layer tub_bind_vit_patches(tub_binder *b, int n, int tubelet, int height, int width)
{
    static const char name[] = "embeddings.patch_embeddings.projection";
    tub_layer l;
    if (tubelet)
        l.weight = tub_bind(b, TUB_FILL_WEIGHT, TUB_SHAPE(n, 3, tubelet, height, width), "%s.weight", name);
    else
        l.weight = tub_bind(b, TUB_FILL_WEIGHT, TUB_SHAPE(n, 3, height, width), "%s.weight", name);
    l.bias = tub_bind(b, TUB_FILL_BIAS, TUB_SHAPE(n), "%s.bias", name);
    return l;
}

void tub_bind_vit_block(tub_binder *b, const tub_config *c, int i, const char *const biases[3], tub_block *k)
{
    char at[TUB_AT];
    snprintf(at, sizeof at, "layers.%d.", i);
    const bool memory = tub_bind_is_of_memory(b, at);
    if (!memory)
        snprintf(at, sizeof at, "encoder.layer.%d.", i);
    k->norm1 = tub_bind_norm(b, c->hidden, true, at, "layernorm_before");
    k->qkv = tub_bind_query_key_value(b, c, at, biases);
    k->out = tub_bind_linear(b, c->hidden, c->hidden, true, at, memory ? "attention.o_proj" : "attention.output.dense");
    k->norm2 = tub_bind_norm(b, c->hidden, true, at, "layernorm_after");
    k->up = tub_bind_linear(b, c->mlp, c->hidden, true, at, memory ? "mlp.fc1" : "intermediate.dense");
    k->down = tub_bind_linear(b, c->hidden, c->mlp, true, at, memory ? "mlp.fc2" : "output.dense");
}

tub_layer tub_bind_pair(tub_binder *b, const tub_layer *first, const tub_layer *second)
{
    const tub_tensor weights[2] = {first->weight, second->weight}, biases[2] = {first->bias, second->bias};
    const int64_t zeros[2] = {first->weight.dims[0], second->weight.dims[0]};
    return (tub_layer){.weight = tub_bind_rows(b, weights, 2), .bias = tub_bind_stack(b, biases, zeros, 2)};
}

tub_tensor tub_bind_folded(tub_binder *b, const tub_layer *layer, const tub_tensor *x)
{
    const int64_t rows = layer->weight.rank ? layer->weight.dims[0] : 1;
    const int64_t cols = layer->weight.rank ? tub_tensor_count(&layer->weight) / rows : 0;
    float *folded;
    tub_tensor t = tub_bind_new(b, "folded", TUB_SHAPE(1, rows), &folded);
    const float *w = tub_bind_floats(b, &layer->weight), *add = tub_bind_floats(b, &layer->bias);
    const float *vector = tub_bind_floats(b, x);
    for (int64_t i = 0; folded && w && vector && i < rows; i++) {
        double sum = add ? add[i] : 0;
        for (int64_t j = 0; j < cols; j++)
            sum += (double)w[i * cols + j] * vector[j];
        folded[i] = (float)sum;
    }
    return t;
}

tub_tensor tub_tensor_slice(const tub_tensor *t, int64_t first, int64_t count)
{
    tub_tensor slice = *t;
    int64_t row = t->dims[0] ? tub_tensor_count(t) / t->dims[0] : 0;
    slice.dims[0] = count;
    if (t->data)
        slice.data = (const char *)t->data + (size_t)(first * row) * tub_dtype_bytes(t->dtype);
    return slice;
}
