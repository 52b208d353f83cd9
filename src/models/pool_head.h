// The attention-pooling head of SigLIP, which OneVision-Encoder uses, too: one learned query attends to all tokens,
// then comes an MLP with a norm before it.
//
//   tokens [n, D] -- k, v --+
//   head.probe -- q --------+-- attention -- out = a --+-- norm -- fc1 -- act -- fc2 --(+)-- row [D]
//                                                      +---------------------------------'
#ifndef TUB_POOL_HEAD_H
#define TUB_POOL_HEAD_H

#include "vit.h"

typedef struct tub_pool_head {
    tub_tensor query; // [1, D], the same for every item: Wq probe + bq
    tub_layer kv, out, norm, up, down;
} tub_pool_head;

// Binds "head.*"; the norm is "head.<norm>", with or without a bias.
void tub_bind_pool_head(tub_binder *b, const tub_config *c, const char *norm, bool norm_bias, tub_pool_head *head);
// `tokens`: narrow, after the last norm. The row is wide.
tub_value tub_append_pool_head(tub_program *p, const tub_config *c, const tub_pool_head *head, tub_norm norm,
                               double eps, tub_value tokens);

#endif
