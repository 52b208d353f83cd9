#include "clip_tower.h"

#include <stdio.h>

#include "config_reader.h"
#include "fail.h"

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

tub_block *tub_bind_clip_blocks(tub_binder *b, const tub_config *c)
{
    tub_block *blocks = tub_bind_alloc(b, (size_t)c->layers, sizeof *blocks);
    for (int i = 0; blocks && i < c->layers; i++)
        bind_block(b, c, i, &blocks[i]);
    return blocks;
}

tub_status tub_config_read_clip(const json_t *json, tub_config *c, tub_error *err)
{
    TUB_TRY(tub_config_read_tower(json, c, err));
    TUB_TRY(tub_config_read_mlp(json, c, err));
    return tub_config_read_square(json, c, err);
}
