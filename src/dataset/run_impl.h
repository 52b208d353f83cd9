// A run over a data set, from inside.
//
//   run.c       the workers: the extractor, its relay, the loop in the caller's thread
//   publish.c   what happens to one video: rows go to a temporary file, the file gets its name, the manifest a line
#ifndef TUB_RUN_IMPL_H
#define TUB_RUN_IMPL_H

#include "dataset_impl.h"
#include "feature_writer.h"
#include "group_writer.h"
#include "out_folder.h"
#include "relay.h"

// A video in progress: the tag of its job.
typedef struct tub_work {
    tub_entry *entry;
    tub_feature_writer *writer; // NULL until its first rows
    int64_t rows;
    int64_t bad_row;            // the first row with a value that isn't finite
    float bad;                  // that value; 0: none
    double save_seconds;
    tub_result *result;         // its DONE result, while its file is being published
} tub_work;

typedef struct tub_run {
    tub_dataset *d;
    const tub_run_params *params;
    const tub_encoder_info *info;
    tub_settings asked;
    tub_out_folder folder;
    tub_work *work;
    size_t count;
    size_t next;                // the relay's thread
    tub_extractor *x;
    tub_relay *relay;
    tub_group_writer *publisher;
    tub_run_totals *totals;
    tub_lane *lane;             // of the calling thread, or NULL
    double started, last_tick;
} tub_run;

// Handles one result. Errors end the run: TUB_ERROR_OUTPUT, TUB_ERROR_DEVICE, TUB_ERROR_MEMORY.
tub_status tub_run_take(tub_run *run, tub_work *work, const tub_result *result, tub_error *err);

// Records that a video failed (result->status and text), for later runs and for `on_event`.
tub_status tub_run_fail(tub_run *run, tub_work *work, const tub_result *result, tub_error *err);

// Reports the videos that were published meanwhile to `on_event`.
void tub_run_tell_published(tub_run *run);

void tub_run_tick(tub_run *run);

#endif
