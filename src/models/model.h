// Models: families of checkpoints as programs.
//
// A family is one file and one row of the table in families.c. It has three hooks: read the config, bind the tensors,
// append the operations. A model never sees a backend.
#ifndef TUB_MODEL_H
#define TUB_MODEL_H

#include <tubelet/transform.h>

#include "binder.h"
#include "program.h"

// The sizes and switches of a vision transformer: the union of what the families need.
typedef struct tub_config {
    int hidden, layers, heads, mlp;
    int patch, tubelet;                 // pixels, frames
    int patch_width;                    // ViViT's; its `patch` is the height
    int frames;                         // of a clip; 0: any
    int image_height, image_width;      // the size that the checkpoint was made for; 0: any
    double eps;
    tub_activation activation;
    bool qkv_bias, query_bias, key_bias, value_bias, proj_bias, mlp_bias;
    bool gated, mean_pooling, rms;
    bool antialias_positions;           // used when positions are resized
    bool head;                          // TUB_POOL_POOLER is available, and the default
    int registers;
    double rope_theta;
    int rope_temporal;
    double head_eps;                    // of the head's norm
    bool cosine;                        // cosine attention: q and k have length 1
    bool free_heads;                    // the checkpoint doesn't tell `heads`: it is a guess, or 0
    bool native;                        // AIMv2: positions for any size
    int pooler;                         // width of a pooler that has its own
    bool divided, space_only;           // TimeSformer's kinds of attention; neither: joint
    int pool_heads;                     // InternVideo2: heads of the projector
    bool qk_norm;                       // InternVideo2: q and k are normed
    int pooler_layers;                  // V-JEPA 2: self-attention layers of the pooler
    int projection;                     // width of TUB_POOL_PROJECTION, 0: there is none
} tub_config;

// A published size, for `init`.
typedef struct tub_size {
    const char *name;                   // "base"
    int hidden, layers, heads, mlp;
    int patch;
    int image;                          // side, pixels
    bool gated;
} tub_size;

typedef struct tub_model tub_model;

typedef struct tub_build {
    int frames, height, width;          // of an item
    tub_pool pool;
    const tub_input *input;
    tub_positions positions;            // INDEX unless the architecture takes others
    int layer;                          // 0, or the number of blocks (config.layers): the outputs are then the hidden
                                        // state after them and its pool, see pools.h
    bool any_size;                      // the user chose the size: positions may be resized if the family supports it
} tub_build;

typedef struct tub_architecture {
    const char *name;
    const char *model_types;            // the model_type values that mean this family, comma-separated; "Name*": all
                                        // that begin with Name
    const char *feature;                // the default feature in words
    const char *layouts;                // layouts of checkpoints, in words; NULL: only transformers'
    const char *pooler;                 // what TUB_POOL_POOLER is, in words
    bool per_frame;
    tub_pool default_pool;              // DEFAULT: the head
    tub_pool headless_pool;             // the default without a head; DEFAULT: the class token, or without one the mean
    bool class_token;                   // has TUB_POOL_CLS, and a prefix before the patch tokens
    const tub_size *sizes;              // the default first; ends with name NULL
    const char *size_names;             // their names, comma-separated
    const char *processor;              // class of the default preprocessor: see preprocess.h. NULL: the original
                                        // script's transform, TUB_TRANSFORM_OPENTAD
    // Reads `config`, and fills in the class defaults. Errors: TUB_ERROR_MODEL naming the key.
    tub_status (*read_config)(const json_t *config, tub_config *out, tub_error *err);
    // The config.json that `init` writes (new reference; NULL on failure).
    json_t *(*make_config)(const tub_size *size);
    // Binds into `weights` (the architecture's own struct of weights_bytes bytes, zeroed). The binder keeps errors.
    void (*bind)(tub_binder *b, tub_config *config, void *weights);
    size_t weights_bytes;
    // Checks that the model can take an item of this shape. Errors: TUB_ERROR_MODEL.
    tub_status (*check)(const tub_config *config, const tub_build *build, tub_error *err);
    // Appends the operations and returns the outputs. `arena` gets constants made for this shape. `build` is checked,
    // and its pool is never DEFAULT.
    void (*build)(const tub_config *config, const void *weights, const tub_build *build, tub_arena *arena,
                  tub_program *p, tub_value *feature, tub_value *tokens);
    bool positions;                     // takes other positions than INDEX
    bool sizes_in_file;                 // a file without a config.json can be read
    // How the family's files are recognized: comma-separated names of tensors, which must all exist, with any prefix.
    // "!name": must not exist. "a|b": one of them. NULL: files aren't recognized.
    const char *names;
} tub_architecture;

struct tub_model {
    const tub_architecture *architecture;
    tub_config config;
    tub_transform transform;            // the checkpoint's own
    int64_t parameters;                 // values of the tensors taken from the checkpoint
    bool has_transform;                 // false: no preprocessor file; `transform` is the class default
    void *weights;
    tub_arena arena;                    // tensors
};

// The i-th family, NULL past the last.
const tub_architecture *tub_architecture_at(size_t i);
// By config.json's model_type; NULL if unknown.
const tub_architecture *tub_architecture_find(const char *model_type);
// Whether the names of a checkpoint's tensors are those of a family.
bool tub_architecture_fits(const tub_architecture *a, const tub_checkpoint *c);
// The family whose names these are; NULL if there is none.
const tub_architecture *tub_architecture_guess(const tub_checkpoint *c);

// Loads a checkpoint: family by model_type (without a config.json: by its tensors), config, tensors, transform. Errors:
// TUB_ERROR_MODEL (an unknown model_type, listing the known ones; a missing, unexpected or wrong-shaped tensor, naming
// it).
tub_status tub_model_open(const tub_checkpoint *c, tub_model **out, tub_error *err);
// Likewise, but without the values of its tensors: to describe it, not to run it.
tub_status tub_model_survey(const tub_checkpoint *c, tub_model **out, tub_error *err);
void tub_model_close(tub_model **m);        // accepts NULL

// Sets the number of heads if the checkpoint doesn't tell it. Errors: TUB_ERROR_MODEL (it does, or the number doesn't
// divide the hidden size).
tub_status tub_model_set_heads(tub_model *m, int heads, tub_error *err);

// The published size with the model's dimensions; NULL if there is none.
const tub_size *tub_model_size(const tub_model *m);

// The pool that DEFAULT means for this checkpoint; other pools are returned as they are.
tub_pool tub_model_pool(const tub_model *m, tub_pool pool);
// What a pool's row is, in words. Static memory.
const char *tub_model_feature(const tub_model *m, tub_pool pool);
// Likewise for the hidden state after a block that isn't the last.
const char *tub_model_hidden_feature(const tub_model *m, tub_pool pool);

// The program for items of this shape. The model owns the constants. Errors: TUB_ERROR_MODEL (a clip length, a size or
// a pool that the model can't take), TUB_ERROR_INTERNAL.
tub_status tub_model_build(tub_model *m, const tub_build *build, tub_program **out, tub_error *err);

#endif
