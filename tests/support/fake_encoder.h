// An encoder without a model: a row is a checksum of its frames, in their order, spread over `dim` values.
#ifndef FAKE_ENCODER_H
#define FAKE_ENCODER_H

#include "encoder_impl.h"

// All zero = defaults.
typedef struct fake_encoder_params {
    bool per_frame;
    int frames;             // of a clip (0 = 4)
    int batch;              // (0 = 4)
    bool eager;
    int dim;                // (0 = 5)
    int height, width;      // (0 = 4, 6)
    int delay;              // microseconds a run
    int fail;               // 1 + the run that fails, from 0 (0 = none)
} fake_encoder_params;

typedef struct fake_encoder {
    tub_encoder base;
    fake_encoder_params params;
    int runs, items, full;  // counted by run(): full batches
} fake_encoder;

// Never NULL. To be closed with tub_encoder_close().
fake_encoder *fake_encoder_create(const fake_encoder_params *params);

void fake_encoder_row(const void *const *frames, int count, size_t bytes, int dim, float *row);

#endif
