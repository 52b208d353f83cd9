// Plans: what a run over a data set would do, how long it would take, and what bounds it. What `tubelet plan` prints.
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

// Zero = defaults, but for `dataset` and `info`.
typedef struct tub_plan_params {
    size_t size;                        // sizeof(tub_plan_params)
    const tub_dataset *dataset;         // borrowed until the plan is closed
    const tub_encoder_info *info;       // of the model, as opened or described
    tub_encoder *encoder;               // to measure with; NULL: nothing is measured
    tub_encoder_params asked;           // what of the encoder was asked for, for the reasons
    tub_extractor_params extractor;
    double seconds;                     // of measuring, 0 = 3. A first batch may exceed it
    const volatile int *stop;           // non-zero: end with TUB_ERROR_CANCELLED (may be NULL)
} tub_plan_params;

typedef struct tub_plan_info {
    size_t todo;                        // videos to extract
    size_t by_size;                     // of these, whose frames are guessed from the file's size
    size_t unreadable;                  // of these, whose header can't be read: they will fail
    int64_t frames, rows, bytes;        // of the videos to do: after resampling, rows of features, bytes of their files
    double rows_per_second;             // measured, 0 = not
    double seconds;                     // the estimate, 0 = none
    const char *bottleneck;             // "forward", "decode" or "convert" while measuring, NULL = not measured. Static
    size_t memory;                      // bytes: weights, workspace of a batch, decoded frames
} tub_plan_info;

// Of one video, as its header says.
typedef struct tub_plan_item {
    int64_t frames, rows, bytes;
    bool by_size;
    const char *error;                  // why the header can't be read, NULL = it can; the plan's
} tub_plan_item;

// Something that was decided, and what decided it.
typedef struct tub_plan_bound {
    const char *name;                   // "decode threads", static
    char value[48];
    char reason[200];
} tub_plan_bound;

// Reads the headers of the videos to do (for a few seconds; the rest is guessed from their sizes) and extracts some of
// them for measuring. Nothing is written. Errors: TUB_ERROR_ARGUMENT, TUB_ERROR_MEMORY (the windows of one video don't
// fit into the slot memory), TUB_ERROR_CANCELLED, TUB_ERROR_DEVICE.
TUB_API tub_status tub_plan_make(const tub_plan_params *params, tub_plan **out, tub_error *err);
TUB_API const tub_plan_info *tub_plan_get_info(const tub_plan *p);
// Of the data set's i-th item; all zero where it isn't to be done.
TUB_API void tub_plan_item_at(const tub_plan *p, size_t i, tub_plan_item *out);
// The i-th; false past the last.
TUB_API bool tub_plan_bound_at(const tub_plan *p, size_t i, tub_plan_bound *out);
// Accepts NULL and a pointer to NULL.
TUB_API void tub_plan_close(tub_plan **p);

#ifdef __cplusplus
}
#endif
#endif
