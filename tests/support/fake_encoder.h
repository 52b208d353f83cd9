// An encoder without a model: a row is a checksum of its frames, in their order, spread over `dim` values.
#ifndef FAKE_ENCODER_H
#define FAKE_ENCODER_H

#include "encoder_impl.h"

enum { FAKE_LANES = 4 };

// All zero = defaults.
typedef struct fake_encoder_params {
    bool per_frame;
    int frames;             // per clip (0 = 4)
    int batch;              // (0 = 4)
    bool eager;
    int dim;                // (0 = 5)
    int height, width;      // (0 = 4, 6)
    int delay;              // microseconds per run
    int fail;               // 1 + the number of the run that fails, from 0 (0 = none)
    bool no_pinning;
    int lanes;              // devices (0 = 1)
    int gpus[FAKE_LANES];   // their numbers
    int lane_waits[FAKE_LANES];     // the device's first run ends when the others have ended this many (0 = at once)
    int lane_fail[FAKE_LANES];      // 1 + the device's run from which on it fails, from 0 (0 = never)
    bool overlaps;          // runs are begun and ended, and computed at their end (FAKE_ENCODER_OVERLAPS: for all)
    bool makes_frames;      // its devices make frames, in memory of their own
    int no_frames;          // 1 + the device that has no memory for them (0 = none)
    int frame_fail[FAKE_LANES];     // 1 + the frame from which on the device makes none, from 0 (0 = never)
    int poison;             // 1 + a video's seed: a run with one of its frames fails on every device (0 = none)
} fake_encoder_params;

typedef struct fake_encoder {
    tub_encoder base;
    fake_encoder_params params;
    atomic_int runs, items, full;   // counted by run(): full batches
    tub_lane_run begun[FAKE_LANES][TUB_LANE_RUNS];
    int begun_count[FAKE_LANES];
    atomic_int ahead;       // runs that were begun while another was running
    atomic_int lane_runs[FAKE_LANES];
    atomic_int met;         // devices that are waiting in their first run
    atomic_int in_vain;     // waits that were given up
    int pins, unpins;
    const char *pinned;     // memory that frames must lie in
    size_t pinned_bytes;
    char *held[FAKE_LANES]; // frames on a device
    size_t held_bytes;
    atomic_int made[FAKE_LANES], copied, own;   // frames; those with a host copy; frames of runs in device memory
} fake_encoder;

// Never NULL. Close it with tub_encoder_close().
fake_encoder *fake_encoder_create(const fake_encoder_params *params);

void fake_encoder_row(const void *const *frames, int count, size_t bytes, int dim, float *row);

#endif
