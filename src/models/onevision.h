// OneVision-Encoder's network. It comes in two families of files: Hugging Face's (onevision.c) and the original
// script's backbone.pt (llavavit.c).
#ifndef TUB_ONEVISION_H
#define TUB_ONEVISION_H

#include "pool_head.h"

typedef struct tub_onevision_weights {
    tub_tensor patch;
    tub_layer norm_pre, norm_post; // norm_post: may be empty
    tub_block *blocks;
    tub_pool_head head;
} tub_onevision_weights;

// Reads layer_norm_type and rope_theta, which both families have.
tub_status tub_onevision_read_norm(const json_t *json, tub_config *c, tub_error *err);
tub_status tub_onevision_check(const tub_config *c, const tub_build *build, tub_error *err);
void tub_onevision_build(const tub_config *c, const void *weights, const tub_build *build, tub_arena *arena,
                         tub_program *p, tub_value *feature, tub_value *tokens);

#endif
