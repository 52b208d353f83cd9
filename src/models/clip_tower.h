// Shared by the vision towers that use CLIP's names in transformers: CLIP, MetaCLIP, SigLIP, OneVision-Encoder.
#ifndef TUB_CLIP_TOWER_H
#define TUB_CLIP_TOWER_H

#include "vit.h"

// "encoder.layers.i.": layer_norm1, self_attn.{q,k,v,out}_proj, layer_norm2, mlp.fc1, mlp.fc2. NULL after an error.
tub_block *tub_bind_clip_blocks(tub_binder *b, const tub_config *c);

// Reads the config of a vision tower with a square table of positions. `json`: the tower's (see tub_config_vision()).
tub_status tub_config_read_clip(const json_t *json, tub_config *c, tub_error *err);

#endif
