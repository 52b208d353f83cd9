// A checkpoint: a folder in Hugging Face layout, or a file of weights.
//
//   config.json
//   model.safetensors  |  model.safetensors.index.json + shards  |  pytorch_model.bin  |
//   pytorch_model.bin.index.json + shards  |  the only .pt or .pth file
//   preprocessor_config.json, video_preprocessor_config.json, processor_config.json   (optional)
//
// A .safetensors, .pt, .pth or .bin file is used with the config.json and preprocessor files beside it. If there is no
// config.json (the original scripts' .pth and backbone.pt, alone or as the only such file of a folder), the config is
// an empty object. "org/name" that isn't a path is looked up in the Hugging Face cache: see hf_cache.h.
//
// Opening reads only the headers; tensors are read on demand. Files are untrusted: see safetensors.h, torch_file.h.
#ifndef TUB_CHECKPOINT_FOLDER_H
#define TUB_CHECKPOINT_FOLDER_H

#include <stdbool.h>

#include "json.h"
#include "memory.h"
#include "program.h"

typedef struct tub_checkpoint tub_checkpoint;

// Errors: TUB_ERROR_MODEL naming the file and what is wrong with it (no such folder, no config.json, truncated
// weights, ...). Ownership: the caller closes *out.
tub_status tub_checkpoint_open(const char *name, tub_checkpoint **out, tub_error *err);
void tub_checkpoint_close(tub_checkpoint **c);      // accepts NULL; tensors that were read stay valid

// The folder or the file.
const char *tub_checkpoint_path(const tub_checkpoint *c);
const json_t *tub_checkpoint_config(const tub_checkpoint *c);           // borrowed
// NULL if there is none. `video`: prefer video_preprocessor_config.json.
const json_t *tub_checkpoint_preprocessor(const tub_checkpoint *c, bool video);
// The i-th of its files: config.json if there is one, then the weights in the order of their names. False past the
// last. `path` is borrowed.
bool tub_checkpoint_file(const tub_checkpoint *c, size_t i, const char **path, int64_t *bytes);

size_t tub_checkpoint_count(const tub_checkpoint *c);
// Name, type and shape of the i-th tensor; data is NULL. TUB_I64 and other types that can't be weights are listed, too.
void tub_checkpoint_tensor(const tub_checkpoint *c, size_t i, tub_tensor *out);
// Index by name, or -1.
long tub_checkpoint_find(const tub_checkpoint *c, const char *name);
// The i-th tensor. Its values are valid as long as the arena lives: they are mapped from the file, or read into the
// arena.
// Errors: TUB_ERROR_MODEL, TUB_ERROR_MEMORY.
tub_status tub_checkpoint_read(const tub_checkpoint *c, size_t i, tub_arena *arena, tub_tensor *out, tub_error *err);
// Checks that the weight files are as they were at open. Call it after their values were used. Errors: TUB_ERROR_MODEL.
tub_status tub_checkpoint_unchanged(const tub_checkpoint *c, tub_error *err);

#endif
