// Shared by the vision transformers: binding of layers, the pre-norm block, tables of positions and angles.
//
//   x --+-- norm1 -- qkv -- (norm of q, k) -- (rotate) -- attention -- out * scale1 --(+)-- x
//       +------------------------------------------------------------------------------'
//   x --+-- norm2 -- up -- act -- down * scale2 --(+)-- x
//       +------------------------------------------'
//   gated: up is [gate; up] stacked, act(gate) * up
#ifndef TUB_VIT_H
#define TUB_VIT_H

#include "model.h"

// ---- binding. `at`: the layer's part of the name ("encoder.layer.3.") ----

typedef struct tub_layer { // linear: weight [out, in], bias [out] or empty; norm: weight [n], bias [n] or empty
    tub_tensor weight, bias;
} tub_layer;

typedef struct tub_block {
    tub_layer norm1, qkv, out, norm2, up, down;
    tub_tensor scale1, scale2; // LayerScale, or empty
    tub_tensor qk_norm;        // [2D]: q's, then k's; or empty
} tub_block;

enum { TUB_AT = 96 }; // most bytes of `at`

tub_layer tub_bind_linear(tub_binder *b, int out, int in, bool bias, const char *at, const char *name);
tub_layer tub_bind_norm(tub_binder *b, int n, bool bias, const char *at, const char *name);
tub_tensor tub_bind_vector(tub_binder *b, tub_fill fill, int n, const char *at, const char *name);
// q, k and v as one linear layer [3n, n]. `weights`: their full names. `biases`: likewise, NULL for a missing one.
tub_layer tub_bind_qkv(tub_binder *b, int n, const char *at, const char *const weights[3], const char *const biases[3]);
// Whether the block at `at` ("layers.0.") has the names that transformers 5 uses in memory ("attention.q_proj") instead
// of those in its files. torch.save() of a state_dict writes the former.
bool tub_bind_is_of_memory(const tub_binder *b, const char *at);
// tub_bind_qkv() for families with the names of transformers' ViT: "attention.attention.query" and so on, or those in
// memory. `biases`: their names, NULL: named like the weights. There are none if the config has none.
tub_layer tub_bind_query_key_value(tub_binder *b, const tub_config *c, const char *at, const char *const biases[3]);
// "embeddings.patch_embeddings.projection": [n, 3, tubelet, height, width], or [n, 3, height, width] if `tubelet` is 0.
tub_layer tub_bind_vit_patches(tub_binder *b, int n, int tubelet, int height, int width);
// Block i ("encoder.layer.3.") with the names of transformers' ViT: "layernorm_before", "intermediate.dense", ...; or
// with those in memory ("layers.3.", "mlp.fc1").
void tub_bind_vit_block(tub_binder *b, const tub_config *c, int i, const char *const biases[3], tub_block *k);
// Stacks two linear layers that have the same input.
tub_layer tub_bind_pair(tub_binder *b, const tub_layer *first, const tub_layer *second);
// Wx + b for a constant vector x: [1, out], computed once.
tub_tensor tub_bind_folded(tub_binder *b, const tub_layer *layer, const tub_tensor *x);
// Rows first .. first + count of a tensor: a view.
tub_tensor tub_tensor_slice(const tub_tensor *t, int64_t first, int64_t count);

// ---- building ----

typedef struct tub_block_plan {
    int heads, dim; // dim: of a head
    int groups;     // runs of rows that attend only to themselves; 0: all rows together
    double scale;   // of the attention; 0: 1 / sqrt(dim)
    tub_norm qk_kind; // norm of q and k if the blocks have qk_norm: qk_dim columns at a time
    int qk_dim;
    double qk_eps;
    double eps;
    tub_norm norm;
    tub_activation activation;
    bool gated;
    tub_tensor cosine, sine; // angles for q and k; empty: no rotation
    int skip;
    int frame; // rows of a frame, whose position selects the angles; 0: each row has its own
    tub_pairing pairing;
} tub_block_plan;

tub_block_plan tub_block_plan_of(const tub_config *config);
tub_value tub_append_blocks(tub_program *p, tub_arena *arena, const tub_block *blocks, int count,
                            const tub_block_plan *plan, tub_value x);
// The two halves of a block, for families with other blocks. `layer`: for the labels.
tub_value tub_append_attention(tub_program *p, tub_arena *arena, int layer, const tub_block *k,
                               const tub_block_plan *plan, tub_value x);
tub_value tub_append_mlp(tub_program *p, tub_arena *arena, int layer, const tub_block *k, const tub_block_plan *plan,
                         tub_value x);
// "layer 3 attention", in the arena.
const char *tub_layer_label(tub_arena *arena, int layer, const char *part);

// The last norm and the row, for models whose first rows are a class token and `registers` registers.
void tub_append_class_outputs(tub_program *p, tub_value x, const tub_layer *norm, double eps, int registers,
                              tub_pool pool, tub_value *feature, tub_value *tokens);

// ---- tables for one shape, in the arena. The program keeps a failure ----

tub_tensor tub_new_table(tub_program *p, tub_arena *arena, int64_t rows, int64_t cols, float **data);
// sin (even columns) and cos (odd columns) of row / 10000^(2 floor(col / 2) / cols).
tub_tensor tub_table_sincos(tub_program *p, tub_arena *arena, int rows, int cols);
// Positions [grid * grid, cols] resized to [height * width, cols], bicubic: a = -0.5 with antialias, else -0.75.
tub_tensor tub_table_resize(tub_program *p, tub_arena *arena, const float *positions, int grid, int height, int width,
                            int cols, bool antialias);
// Cosine and sine [rows, cols] of angles(context, row, out[cols]).
typedef void (*tub_angles)(const void *context, int row, double *out);
void tub_table_rotation(tub_program *p, tub_arena *arena, int rows, int cols, tub_angles angles, const void *context,
                        tub_tensor *cosine, tub_tensor *sine);

#endif
