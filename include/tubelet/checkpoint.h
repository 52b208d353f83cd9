// Checkpoints: the families that are known, random checkpoints of them, and other layouts made into the usual one.
#ifndef TUBELET_CHECKPOINT_H
#define TUBELET_CHECKPOINT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <tubelet/status.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct tub_family_info {
    const char *name;           // "videomae"
    const char *model_types;    // the config.json model_type values that it answers to, comma-separated
    const char *sizes;          // sizes that tub_checkpoint_init() knows, comma-separated, the default first
    const char *feature;        // the default feature in words
    bool per_frame;             // frame model
} tub_family_info;

// The i-th family; false past the last. Strings are static. Thread-safety: safe.
TUB_API bool tub_family_at(size_t i, tub_family_info *out);

// Writes a random checkpoint in Hugging Face layout (config.json, preprocessor_config.json, model.safetensors,
// float32) into `folder`, which is made if needed and must not already hold a config.json.
// `what`: "FAMILY" or "FAMILY:SIZE". The same seed gives the same bytes.
// Errors: TUB_ERROR_ARGUMENT (unknown family or size, listing the known), TUB_ERROR_OUTPUT.
TUB_API tub_status tub_checkpoint_init(const char *what, const char *folder, uint64_t seed, tub_error *err);

// Writes the checkpoint `model` in Hugging Face layout (config.json, model.safetensors, and its preprocessor files) into
// `folder`, which is made if needed and must not already hold a config.json or model.safetensors. `model`: what an
// encoder takes: a folder with safetensors or torch.save files, such a file alone, or "org/name" in the local Hugging
// Face cache. Names and types stay, except that "_orig_mod." and "module." are taken out of names in torch.save files.
// A checkpoint without config.json gets an empty one: its family is told by its tensors then, as without.
// Errors: TUB_ERROR_MODEL, TUB_ERROR_OUTPUT, TUB_ERROR_ARGUMENT.
TUB_API tub_status tub_checkpoint_convert(const char *model, const char *folder, tub_error *err);

#ifdef __cplusplus
}
#endif
#endif
