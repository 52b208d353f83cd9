// Data sets: a folder of videos into a folder of features, resumably, without losing a file.
//
//   OUT/<stem>.npy          [T, C] float32, C order; appears whole or not at all (layout.h: other names and kinds)
//   OUT/features.json       the settings and the model that this folder holds: another run must agree with it
//   OUT/manifest.jsonl      one line a finished video (manifest.<rank>.jsonl in a run of several shards)
//   OUT/failures.jsonl      one line a video that failed (failures.<rank>.jsonl likewise)
//   OUT/missing_files.txt   with annotations: ids of the annotation file without features, one a line
//
// A video is done when its .npy has the size that its header says, a manifest line agrees with both and with the
// settings, and the video has the bytes that the line tells. Everything else is done again. Killed at any moment, the
// same command finishes the work, and the files equal those of an uninterrupted run.
#ifndef TUBELET_DATASET_H
#define TUBELET_DATASET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <tubelet/encoder.h>
#include <tubelet/extractor.h>
#include <tubelet/layout.h>
#include <tubelet/status.h>

#ifdef __cplusplus
extern "C" {
#endif

// Thread-safety: one thread at a time per object.
typedef struct tub_dataset tub_dataset;

// Zero = defaults, but for `inputs` and `out`. Strings are copied.
typedef struct tub_dataset_params {
    size_t size;                    // sizeof(tub_dataset_params)
    const char *const *inputs;      // files, folders, or "@list.txt" (one path a line, relative to the list's folder;
                                    // of "@/dev/stdin" and its like to the current one)
    size_t input_count;
    bool recursive;                 // descend into sub-folders
    const char *out;                // folder of the features; made if needed
    int shard_rank, shard_world;    // this run takes the videos of shard `rank` of `world` (world 0 = 1)
    const char *annotations;        // OpenTAD's or ActionFormer's JSON (key "database"): take only its videos, report
                                    // those missing
    tub_layout layout;              // names and containers of the features' files
    bool retry_failed;              // try recorded failures again
    bool dry_run;                   // plan only: nothing is written
    tub_log log;
} tub_dataset_params;

typedef enum tub_item_state {
    TUB_ITEM_TODO = 0,
    TUB_ITEM_DONE = 1,              // valid features are there
    TUB_ITEM_DONE_PARTIAL = 2,      // likewise, of a damaged video
    TUB_ITEM_FAILED = 3,            // recorded as failed, not to be tried again
} tub_item_state;

typedef struct tub_item {
    const char *path, *stem;        // borrowed from the data set
    const char *name;               // of its features' file, relative to the folder, without the extension
    tub_item_state state;
    const char *reason;             // of FAILED and DONE_PARTIAL, else NULL
    int64_t bytes;                  // of the video's file as it was listed; -1: not there, 0 also: written to since
} tub_item;

// Lists the inputs, checks the names and reads what is already in the output folder.
// Errors: TUB_ERROR_ARGUMENT (no such input, a folder without videos, colliding stems naming both, also where one's
// features are there already, a shard out of range, an annotation file that isn't one), TUB_ERROR_OUTPUT (the folder is
// a file, or can't be made, listed or written).
TUB_API tub_status tub_dataset_open(const tub_dataset_params *params, tub_dataset **out, tub_error *err);

// The videos of this shard, in the order of their paths.
TUB_API size_t tub_dataset_count(const tub_dataset *d);
TUB_API void tub_dataset_item(const tub_dataset *d, size_t i, tub_item *out);

// The layout of the output folder, complete. Borrowed from the data set.
TUB_API const tub_layout *tub_dataset_layout(const tub_dataset *d);

// What the output folder already holds pins the precision and the backend: fills in `dtype` and `backend` (a string
// of the data set) where a features.json is there; false where the folder is new.
TUB_API bool tub_dataset_pinned(const tub_dataset *d, tub_dtype *dtype, const char **backend);

// The model that made what the folder holds: for known_stamp and known_hash of an encoder's params, so that the same
// checkpoint isn't read for its hash again. Strings of the data set; false where they aren't known.
TUB_API bool tub_dataset_known_model(const tub_dataset *d, const char **stamp, const char **hash);

typedef enum tub_event_kind {
    TUB_EVENT_VIDEO = 0,            // a video ended: `result`, `item`, `save_seconds`, `done`
    TUB_EVENT_TICK = 1,             // about four times a second: `progress`, `done`
} tub_event_kind;

typedef struct tub_run_totals {
    size_t videos, skipped, ok, partial, failed, pending;   // of this shard; skipped: were done before
    size_t recorded_failures;                               // of `failed`: not tried again
    int64_t rows, frames;
    double seconds;                                         // wall
    double init_seconds, decode_seconds, convert_seconds, forward_seconds, save_seconds;    // summed over threads
    double decode_wait_seconds, device_wait_seconds;
    tub_progress pipeline;                                  // the extractor's last; zero where nothing was to do
} tub_run_totals;

typedef struct tub_event {
    tub_event_kind kind;
    const tub_item *item;
    const tub_result *result;       // of VIDEO
    const char *output;             // path of the .npy, NULL of a failure
    double save_seconds;
    const tub_progress *progress;   // of TICK
    const tub_run_totals *totals;   // so far
} tub_event;

typedef struct tub_run_params {
    size_t size;                            // sizeof(tub_run_params)
    tub_extractor_params extractor;
    const char *preset;                     // recorded, NULL = none
    tub_pool pool;                          // as in the encoder's params (TUB_ERROR_ARGUMENT otherwise); recorded
    void (*on_event)(void *user, const tub_event *event);   // from the calling thread; may be NULL
    void *user;
    const volatile int *stop;               // when it becomes non-zero: drop what is in flight and return (may be NULL)
} tub_run_params;

// Of runs that start together in a new folder, on unlike machines say, the first to call this decides: its settings are
// written into the folder, and tub_dataset_pinned() then answers with the precision and backend that the folder holds,
// for an encoder that the caller left open. Nothing happens where the folder wasn't new, or is only looked at.
// Errors: as of tub_dataset_run(), to which it is left to refuse other settings than the folder's.
TUB_API tub_status tub_dataset_pin(tub_dataset *d, const tub_encoder_info *info, const tub_run_params *params,
                                   tub_error *err);

// Extracts what is to do, in the calling thread (which writes the files) and others that end with the call.
// Single videos that fail are recorded and are no error. Errors: TUB_ERROR_ARGUMENT (the folder holds features of
// another model or other settings, naming them), TUB_ERROR_OUTPUT (also where the folder was deleted, moved, emptied or
// replaced meanwhile), TUB_ERROR_DEVICE, TUB_ERROR_CANCELLED (resumable).
// *totals is filled in also when it fails.
TUB_API tub_status tub_dataset_run(tub_dataset *d, tub_encoder *encoder, const tub_run_params *params,
                                   tub_run_totals *totals, tub_error *err);

// tub_dataset_run() where no video is TODO: settings and model are compared and the folder's files put in order, for
// which a description's info is enough (tub_describe()). Errors: also TUB_ERROR_ARGUMENT where a video is to do.
TUB_API tub_status tub_dataset_settle(tub_dataset *d, const tub_encoder_info *info, const tub_run_params *params,
                                      tub_run_totals *totals, tub_error *err);

// Accepts NULL and a pointer to NULL.
TUB_API void tub_dataset_close(tub_dataset **d);

// Rank and world from the environment: SLURM_PROCID/SLURM_STEP_NUM_TASKS (in an srun step), SLURM_ARRAY_TASK_ID/_COUNT
// (with _MIN, _MAX and _STEP; both: a part of a part), RANK/WORLD_SIZE, OMPI_COMM_WORLD_RANK/_SIZE, PMI_RANK/_SIZE.
// `source`: which, static; "none" leaves 0 of 1. Errors: TUB_ERROR_ARGUMENT (values that make no sense, one of a pair
// alone, launchers within each other that say different things).
TUB_API tub_status tub_shard_from_environment(int *rank, int *world, const char **source, tub_error *err);
// "RANK/WORLD", ranks from 0.
TUB_API tub_status tub_shard_parse(const char *text, int *rank, int *world, tub_error *err);

#ifdef __cplusplus
}
#endif
#endif
