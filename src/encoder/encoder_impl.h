// An encoder from inside: a table of functions and its info. Tests use it for fakes.
#ifndef TUB_ENCODER_IMPL_H
#define TUB_ENCODER_IMPL_H

#include <stdatomic.h>
#include <tubelet/encoder.h>

#include "frame_recipe.h"

// What a lane runs.
typedef struct tub_lane_run {
    const void *const *frames;  // [items, info.frames]
    const bool *made;           // likewise: which of them come from make_frame(); NULL: none
    const int *positions;       // likewise, or NULL
    int items;
    float *rows;                // [items, dim]
} tub_lane_run;

typedef struct tub_encoder_ops {
    tub_status (*run)(tub_encoder *encoder, const void *const *frames, int items, float *rows, float *tokens,
                      tub_error *err);
    void (*close)(tub_encoder *encoder);        // frees the object
    // run() with the frames' positions; NULL: positions aren't supported.
    tub_status (*run_at)(tub_encoder *encoder, const void *const *frames, const int *positions, int items, float *rows,
                         float *tokens, tub_error *err);
    // The same on one of the info.lanes devices, each from its own thread. NULL: there is only one device.
    tub_status (*run_lane)(tub_encoder *encoder, int lane, const tub_lane_run *run, float *tokens, tub_error *err);
    // Overlapping runs of a lane, as in a backend's table. NULL, or false: each run waits for the one before.
    bool (*overlaps)(const tub_encoder *encoder);
    tub_status (*begin_lane)(tub_encoder *encoder, int lane, const tub_lane_run *run, tub_error *err);
    tub_status (*end_lane)(tub_encoder *encoder, int lane, tub_error *err);
    // Pins memory that will hold the frames of many runs, until unpin(). NULL: it makes no difference.
    tub_status (*pin)(tub_encoder *encoder, void *memory, size_t bytes, tub_error *err);
    void (*unpin)(tub_encoder *encoder, void *memory);
    // Frames that are made on a lane's device, as in a backend's table. That lane's runs can take them in place of the
    // host's frames, and any lane's runs their copies on the host. NULL, or TUB_END: there are none.
    size_t (*frame_bytes)(const tub_encoder *encoder);
    tub_status (*hold_frames)(tub_encoder *encoder, int lane, size_t bytes, void **out, tub_error *err);
    void (*drop_frames)(tub_encoder *encoder, int lane);
    tub_status (*make_frame)(tub_encoder *encoder, int lane, const tub_frame_recipe *recipe,
                             const tub_frame_planes *planes, void *at, void *host, tub_error *err);
    // Processor time of the encoder's own threads so far, in seconds; from any thread. NULL: it has no threads, or
    // can't tell.
    double (*cpu)(const tub_encoder *encoder);
} tub_encoder_ops;

// First member of every encoder.
struct tub_encoder {
    const tub_encoder_ops *ops;
    tub_encoder_info info;
    tub_pool pool;                              // as asked for
    atomic_int interrupted;                     // see tub_encoder_interrupt()
    atomic_bool hurried;                        // a run with it was cancelled: closing it waits for nothing
};

// tub_encoder_run(), or with positions tub_encoder_run_at(), on one of the encoder's devices.
tub_status tub_encoder_run_lane(tub_encoder *encoder, int lane, const tub_lane_run *run, tub_error *err);

// The same in two steps, if the encoder's runs overlap: up to two runs may be in progress, and end in the order in
// which they began. A run's arrays must stay until its end. If begin() fails, there is nothing to end.
enum { TUB_LANE_RUNS = 2 };
bool tub_encoder_overlaps(const tub_encoder *encoder);
tub_status tub_encoder_begin_lane(tub_encoder *encoder, int lane, const tub_lane_run *run, tub_error *err);
tub_status tub_encoder_end_lane(tub_encoder *encoder, int lane, const tub_lane_run *run, tub_error *err);

// Errors: TUB_ERROR_ARGUMENT naming what is out of range.
tub_status tub_encoder_check_params(const tub_encoder_params *params, tub_error *err);

#endif
