// Checkpoints: the known families, what a checkpoint is and costs, random checkpoints, conversion to Hugging Face
// layout.
#ifndef TUBELET_CHECKPOINT_H
#define TUBELET_CHECKPOINT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <tubelet/encoder.h>
#include <tubelet/status.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct tub_family_info {
    const char *name;           // "videomae"
    const char *model_types;    // config.json's model_type values that mean this family, comma-separated
    const char *sizes;          // sizes that tub_checkpoint_init() knows, comma-separated, the default first
    const char *feature;        // the default feature in words
    bool per_frame;             // frame model
    const char *processor;      // preprocessor class whose defaults hold without a file; NULL: TUB_TRANSFORM_OPENTAD
    const char *layouts;        // layouts of checkpoints that it reads, in words
} tub_family_info;

// The i-th family; false past the last. Strings are static. Thread-safety: safe.
TUB_API bool tub_family_at(size_t i, tub_family_info *out);

// A size that tub_checkpoint_init() knows: a published one, or "tiny" for tests.
typedef struct tub_size_info {
    const char *name;           // "base"
    int hidden, layers, heads, mlp;
    int patch;                  // side of a patch, pixels
    int frames;                 // frames per clip, 0: any; frame models: 1
    int image;                  // side of the image according to its config.json, pixels
    int dim;                    // values of the default feature
    int64_t parameters;         // values of its tensors, counted
} tub_size_info;

// The i-th size of a family, the default first. Strings are static. TUB_END past the last. Thread-safety: safe.
TUB_API tub_status tub_family_size_at(size_t family, size_t i, tub_size_info *out, tub_error *err);

// Writes a random checkpoint in Hugging Face layout (config.json, preprocessor_config.json, model.safetensors,
// float32) into `folder`, which is made if needed and must not contain a config.json yet.
// `what`: "FAMILY" or "FAMILY:SIZE". The same seed gives the same bytes.
// Errors: TUB_ERROR_ARGUMENT (unknown family or size, listing the known ones), TUB_ERROR_OUTPUT.
TUB_API tub_status tub_checkpoint_init(const char *what, const char *folder, uint64_t seed, tub_error *err);

// Writes the checkpoint `model` in Hugging Face layout (config.json, model.safetensors, and its preprocessor files)
// into `folder`, which is made if needed and must not contain a config.json or model.safetensors yet. `model` is what
// an encoder takes: a folder with safetensors or torch.save files, such a file alone, or "org/name" in the local
// Hugging Face cache. Tensors keep their names and types, except that "_orig_mod." and "module." are removed from the
// names in torch.save files. A checkpoint without config.json gets an empty one: as before, its tensors tell its
// family.
// Errors: TUB_ERROR_MODEL, TUB_ERROR_OUTPUT, TUB_ERROR_ARGUMENT.
TUB_API tub_status tub_checkpoint_convert(const char *model, const char *folder, tub_error *err);

// A description: what an encoder with these params would be and cost. A checkpoint is read and checked as for an
// encoder, but nothing is compiled. (Custom models are compiled, since only OpenVINO knows what they are.)
// Thread-safety: one thread at a time per object.
typedef struct tub_description tub_description;

typedef struct tub_description_info {
    tub_encoder_info encoder;       // what tub_encoder_get_info() would return
    const char *size;               // the size with these dimensions ("base"), NULL: there is none. Static
    tub_pool pool;                  // what DEFAULT means; custom models: DEFAULT
    int hidden, layers, heads, mlp; // these and the following are 0 where they aren't known (custom models)
    int patch, tubelet;             // pixels, frames; tubelet 1: frames are cut into patches one by one
    int image_height, image_width;  // the size that the checkpoint was made for, pixels
    bool has_transform;             // the checkpoint has a preprocessor file
    int64_t parameters;             // values of the tensors that the model takes from the checkpoint
    size_t weight_bytes;            // weights that a run computes with, as the backend stores them in the run's
                                    // precision
    size_t workspace_bytes;         // values between operations, for the items of a batch that are computed at once
    size_t file_count;              // config and weights
    size_t operation_count;
} tub_description_info;

typedef struct tub_file_info {
    const char *path;               // borrowed from the description
    int64_t bytes;
} tub_file_info;

// One operation of the forward pass, for one item.
typedef struct tub_operation_info {
    const char *kind, *label;       // "linear", static; "layer 3 up", borrowed from the description
    int inputs[4], output;          // numbers of values; -1: none
    int rows, cols;                 // of the output
    bool wide;                      // the output is always float32; else it has the run's precision
    double flops;
    int64_t parameters;             // values of its constants, position tables included
} tub_operation_info;

// Ownership: the caller closes *out. Errors: as tub_encoder_open().
TUB_API tub_status tub_describe(const tub_encoder_params *params, tub_description **out, tub_error *err);
// Borrowed from the description.
TUB_API const tub_description_info *tub_description_get_info(const tub_description *d);
// The i-th; false past the last.
TUB_API bool tub_description_file_at(const tub_description *d, size_t i, tub_file_info *out);
TUB_API bool tub_description_operation_at(const tub_description *d, size_t i, tub_operation_info *out);
// Accepts NULL and a pointer to NULL.
TUB_API void tub_description_close(tub_description **d);

#ifdef __cplusplus
}
#endif
#endif
