// A custom model in OpenVINO: read, then compiled for one input shape.
//
// An inference always takes `group` items: one if the model's batch is dynamic, else the number it was exported for.
// Every stream has one thread, so an item's arithmetic depends on neither the number of threads nor the batch. With
// more threads, more items are computed at a time.
#ifndef TUB_OPENVINO_MODEL_H
#define TUB_OPENVINO_MODEL_H

#include "onnx_files.h"
#include "openvino_layout.h"
#include "openvino_output.h"

enum { TUB_PORT_NAME = 96 };

typedef struct tub_custom_output {
    size_t index;                   // among the model's outputs
    char name[TUB_PORT_NAME];       // "" if it has none
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

// Loads the library, reads the model, recognizes its input and chooses its output. Zeroes `m` first; finish it in every
// case. Errors: TUB_ERROR_DEVICE (no library), TUB_ERROR_MODEL, TUB_ERROR_ARGUMENT (no such layout or output).
tub_status tub_custom_model_read(const tub_custom_files *files, const tub_encoder_params *params, tub_custom_model *m,
                                 tub_error *err);

// Errors: TUB_ERROR_MODEL (a shape or a pool that the model can't take), TUB_ERROR_DEVICE (a precision that can't be
// computed in).
tub_status tub_custom_model_compile(tub_custom_model *m, const tub_custom_shape *shape, tub_pool pool, tub_error *err);

void tub_custom_model_finish(tub_custom_model *m);

#endif
