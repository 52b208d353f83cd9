// A checkpoint folder in Hugging Face layout: config.json, weights, preprocessor files.
//
//   config.json
//   model.safetensors  |  model.safetensors.index.json + shards
//   preprocessor_config.json, video_preprocessor_config.json, processor_config.json   (optional)
//
// Opening reads the headers only; tensors are read when asked for. Files are untrusted: see safetensors.h.
#ifndef TUB_CHECKPOINT_FOLDER_H
#define TUB_CHECKPOINT_FOLDER_H

#include <stdbool.h>

#include "hash.h"
#include "json.h"
#include "memory.h"
#include "program.h"

typedef struct tub_checkpoint tub_checkpoint;

// Errors: TUB_ERROR_MODEL naming the file and what is wrong with it (no such folder, no config.json, truncated
// weights, ...). Ownership: *out is the caller's.
tub_status tub_checkpoint_open(const char *folder, tub_checkpoint **out, tub_error *err);
void tub_checkpoint_close(tub_checkpoint **c);      // accepts NULL; tensors read into arenas stay

const char *tub_checkpoint_path(const tub_checkpoint *c);
const json_t *tub_checkpoint_config(const tub_checkpoint *c);           // borrowed
// NULL where there is none. `video`: prefer video_preprocessor_config.json.
const json_t *tub_checkpoint_preprocessor(const tub_checkpoint *c, bool video);

size_t tub_checkpoint_count(const tub_checkpoint *c);
// Name, type and shape of the i-th tensor; data is NULL. Dtype TUB_I64 and others that can't be weights are listed too.
void tub_checkpoint_tensor(const tub_checkpoint *c, size_t i, tub_tensor *out);
// Index by name, or -1.
long tub_checkpoint_find(const tub_checkpoint *c, const char *name);
// Reads the i-th tensor into the arena. Errors: TUB_ERROR_MODEL, TUB_ERROR_MEMORY.
tub_status tub_checkpoint_read(const tub_checkpoint *c, size_t i, tub_arena *arena, tub_tensor *out, tub_error *err);
// XXH3-128 over config.json and every weight file, in name order. Reads the files once.
tub_status tub_checkpoint_hash(const tub_checkpoint *c, char out[TUB_HASH_TEXT], tub_error *err);

#endif
