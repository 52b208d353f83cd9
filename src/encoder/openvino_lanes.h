// Runs inferences of a compiled custom model, several at a time: takes items, gives rows and tokens in order.
#ifndef TUB_OPENVINO_LANES_H
#define TUB_OPENVINO_LANES_H

#include <stdatomic.h>

#include "openvino_model.h"

typedef struct tub_request_lane {
    tub_ov_request *request;
    tub_ov_tensor *input;
    void *pixels;               // the input's memory
    int first, items;           // the items that it computes
    bool busy;
} tub_request_lane;

typedef struct tub_lanes {
    const tub_custom_model *model;
    tub_request_lane *lane;
    int count;
    int take;                   // items of one inference that are used: the group, or 1
    int frames;                 // of an item
    size_t plane, item_values;  // values of one channel of one frame, and of an item's input
    bool pixels_are_float;
    tub_pool pool;
    float table[3][256];        // the value of an 8-bit level
    float *scratch;             // an input or output in float32, if the model's type is another
} tub_lanes;

// A batch as in tub_encoder_run(): `frames` has items * lanes.frames pointers.
typedef struct tub_lanes_batch {
    const void *const *frames;
    int items;
    float *rows, *tokens;       // tokens may be NULL
    const atomic_int *stop;     // if it isn't 0, the inferences end as soon as they can; NULL: they can't be stopped
} tub_lanes_batch;

// `info`: frames, size, pixel type and transform are used. If the model has a fixed batch of several items, three
// inferences on two items tell whether an item's place in the batch or its neighbors matter; if so, each inference
// takes one item. Finish `out` in every case, before its model. Errors: TUB_ERROR_MODEL, TUB_ERROR_MEMORY.
tub_status tub_lanes_open(const tub_custom_model *model, const tub_encoder_info *info, tub_pool pool, tub_lanes *out,
                          tub_error *err);
tub_status tub_lanes_run(tub_lanes *lanes, const tub_lanes_batch *batch, tub_error *err);
void tub_lanes_finish(tub_lanes *lanes);

#endif
