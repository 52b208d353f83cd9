// An encoder without a model: a row is a checksum of its frames, in their order, spread over `dim` values.
#ifndef FAKE_ENCODER_H
#define FAKE_ENCODER_H

#include "encoder_impl.h"

enum { FAKE_LANES = 4 };

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
    bool no_pinning;
    int lanes;              // devices (0 = 1)
    int gpus[FAKE_LANES];   // their numbers
    int lane_waits[FAKE_LANES];     // the device's first run ends when the others have ended so many (0 = at once)
    int lane_fail[FAKE_LANES];      // 1 + the device's run from which on it fails, from 0 (0 = never)
    bool overlaps;          // runs are begun and ended, and computed at their ends (FAKE_ENCODER_OVERLAPS: of every one)
    bool makes_frames;      // its devices do, in memory of their own
    int no_frames;          // 1 + the device that has no memory for them (0 = none)
    int frame_fail[FAKE_LANES];     // 1 + the frame from which on the device makes none, from 0 (0 = never)
    int poison;             // 1 + a video's seed: a run with a frame of it fails on every device (0 = none)
} fake_encoder_params;

typedef struct fake_encoder {
    tub_encoder base;
    fake_encoder_params params;
    atomic_int runs, items, full;   // counted by run(): full batches
    tub_lane_run begun[FAKE_LANES][TUB_LANE_RUNS];
    int begun_count[FAKE_LANES];
    atomic_int ahead;       // runs that were begun while another was
    atomic_int lane_runs[FAKE_LANES];
    atomic_int met;         // devices that wait, in their first run
    atomic_int in_vain;     // waits
    int pins, unpins;
    const char *pinned;     // memory that frames must lie in
    size_t pinned_bytes;
    char *held[FAKE_LANES]; // frames on a device
    size_t held_bytes;
    atomic_int made[FAKE_LANES], copied, own;   // frames; those with a copy for the host; frames of runs that weren't the host's
} fake_encoder;

// Never NULL. To be closed with tub_encoder_close().
fake_encoder *fake_encoder_create(const fake_encoder_params *params);

void fake_encoder_row(const void *const *frames, int count, size_t bytes, int dim, float *row);

#endif
