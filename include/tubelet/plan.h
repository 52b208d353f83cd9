// Plans: what a run over a data set would do, how long it would take, and what limits it. `tubelet plan` prints this.
#ifndef TUBELET_PLAN_H
#define TUBELET_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <tubelet/dataset.h>
#include <tubelet/encoder.h>
#include <tubelet/extractor.h>
#include <tubelet/status.h>

#ifdef __cplusplus
extern "C" {
#endif

// Thread-safety: one thread at a time.
typedef struct tub_plan tub_plan;

// All zero (but `dataset` and `info`) = defaults.
typedef struct tub_plan_params {
    size_t size;                        // sizeof(tub_plan_params)
    const tub_dataset *dataset;         // borrowed until the plan is closed
    const tub_encoder_info *info;       // the model's, from an encoder or a description
    tub_encoder *encoder;               // measures with this encoder; NULL: measures nothing
    tub_encoder_params asked;           // the encoder's params, for the reasons in tub_plan_bound
    tub_extractor_params extractor;
    double seconds;                     // time to measure, 0 = 3. The first batch may exceed it
    const volatile int *stop;           // non-zero: end with TUB_ERROR_CANCELLED (may be NULL)
} tub_plan_params;

typedef struct tub_plan_info {
    size_t todo;                        // videos to extract
    size_t by_size;                     // those whose frames are estimated from the file's size
    size_t unreadable;                  // those whose header can't be read: they will fail
    int64_t frames, rows, bytes;        // of the videos to extract: frames after resampling, rows, bytes of the videos
    double rows_per_second;             // measured, 0 = not measured
    double seconds;                     // estimated duration of the run, 0 = no estimate
    const char *bottleneck;             // "forward", "decode" or "convert" while measuring, NULL = not measured. Static
    size_t memory;                      // bytes: weights, workspace of a batch, decoded frames
} tub_plan_info;

// One video, according to its header.
typedef struct tub_plan_item {
    int64_t frames, rows, bytes;        // as in tub_plan_info
    bool by_size;                       // the frames are estimated from the file's size
    const char *error;                  // why the header can't be read, NULL = it can; borrowed from the plan
} tub_plan_item;

// A setting that was decided on, and why.
typedef struct tub_plan_bound {
    const char *name;                   // "decode threads", static
    char value[48];
    char reason[200];
} tub_plan_bound;

// Reads the headers of the videos to extract (for a few seconds; the rest is estimated from the files' sizes), and
// extracts some of them to measure the speed. Nothing is written. Ownership: the caller closes *out.
// Errors: TUB_ERROR_ARGUMENT, TUB_ERROR_MEMORY (the windows of one video don't fit into the slot memory),
// TUB_ERROR_CANCELLED, TUB_ERROR_DEVICE.
TUB_API tub_status tub_plan_make(const tub_plan_params *params, tub_plan **out, tub_error *err);
// Borrowed from the plan.
TUB_API const tub_plan_info *tub_plan_get_info(const tub_plan *p);
// The data set's i-th item; all zero if it isn't TODO.
TUB_API void tub_plan_item_at(const tub_plan *p, size_t i, tub_plan_item *out);
// The i-th; false past the last.
TUB_API bool tub_plan_bound_at(const tub_plan *p, size_t i, tub_plan_bound *out);
// Accepts NULL and a pointer to NULL.
TUB_API void tub_plan_close(tub_plan **p);

#ifdef __cplusplus
}
#endif
#endif
