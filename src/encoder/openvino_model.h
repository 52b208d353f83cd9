// A custom model as OpenVINO sees it: read, then compiled for one shape of input.
//
// An inference takes `group` items, always as many: one where the model's batch is free, else what it was exported for.
// Every stream has one thread, so that an item's arithmetic depends on neither the number of threads nor the batch;
// more threads are more items at a time.
#ifndef TUB_OPENVINO_MODEL_H
#define TUB_OPENVINO_MODEL_H

#include "onnx_files.h"
#include "openvino_layout.h"
#include "openvino_output.h"

enum { TUB_PORT_NAME = 96 };

typedef struct tub_custom_output {
    size_t index;                   // among the model's outputs
    char name[TUB_PORT_NAME];       // "" where it has none
    tub_dtype type;                 // F32, BF16 or F16
    tub_output_form form;           // known once compiled
} tub_custom_output;

typedef struct tub_custom_model {
    tub_openvino ov;
    tub_ov_core *core;
    tub_ov_model *model;
    tub_ov_compiled *compiled;
    const char *path;               // for messages, borrowed
    tub_input_shape input;
    tub_dtype input_type;
    int group;                      // items of one inference
    tub_custom_output row, tokens;  // may be the same one
    int64_t dims[5];                // of the input, once compiled
    int rank;
    int streams;
} tub_custom_model;

typedef struct tub_custom_shape {
    int frames, height, width;
    tub_dtype dtype;
    int threads;
} tub_custom_shape;

// Loads the library, reads the model, recognises its input and chooses its output.
// `m` is zeroed by it and to be finished in every case. Errors: TUB_ERROR_DEVICE (no library), TUB_ERROR_MODEL,
// TUB_ERROR_ARGUMENT (a layout or an output that there isn't).
tub_status tub_custom_model_read(const tub_custom_files *files, const tub_encoder_params *params, tub_custom_model *m,
                                 tub_error *err);

// Errors: TUB_ERROR_MODEL (a shape or a pool that it can't take), TUB_ERROR_DEVICE (a precision that it can't compute
// in).
tub_status tub_custom_model_compile(tub_custom_model *m, const tub_custom_shape *shape, tub_pool pool, tub_error *err);

void tub_custom_model_finish(tub_custom_model *m);

#endif
