// Data sets: make a folder of features from a folder of videos, resumably, without losing a file.
//
//   OUT/<stem>.npy          [T, C] float32, C order; appears whole or not at all (layout.h: other names and types)
//   OUT/features.json       the settings and the model of this folder: another run must agree with it
//   OUT/manifest.jsonl      one line per finished video (manifest.<rank>.jsonl in a run of several shards)
//   OUT/failures.jsonl      one line per failed video (failures.<rank>.jsonl likewise)
//   OUT/missing_files.txt   with annotations: ids of the annotation file that have no features, one per line
//
// A video is done if its .npy has the size that the array's header says, a manifest line agrees with both and with the
// settings, and the video's size is the one in that line. Everything else is done again. After a run was killed at any
// moment, the same command finishes the work, and the files equal those of an uninterrupted run.
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

// All zero (but `inputs` and `out`) = defaults. Strings are copied.
typedef struct tub_dataset_params {
    size_t size;                    // sizeof(tub_dataset_params)
    const char *const *inputs;      // files, folders, or "@list.txt" (one path per line, relative to the list's folder;
                                    // for "@/dev/stdin" and similar, to the current folder)
    size_t input_count;
    bool recursive;                 // descend into sub-folders
    const char *out;                // folder of features; made if needed
    int shard_rank, shard_world;    // this run takes the videos of shard `rank` of `world` (world 0 = 1)
    const char *annotations;        // OpenTAD's or ActionFormer's JSON (key "database"): take only its videos, report
                                    // missing ones
    tub_layout layout;              // names and containers of the feature files
    bool retry_failed;              // try recorded failures again
    bool dry_run;                   // plan only: nothing is written
    tub_log log;
} tub_dataset_params;

typedef enum tub_item_state {
    TUB_ITEM_TODO = 0,
    TUB_ITEM_DONE = 1,              // has valid features
    TUB_ITEM_DONE_PARTIAL = 2,      // likewise, from a damaged video
    TUB_ITEM_FAILED = 3,            // recorded as failed; isn't tried again
} tub_item_state;

typedef struct tub_item {
    const char *path, *stem;        // borrowed from the data set
    const char *name;               // of its feature file, relative to the folder, without the extension
    tub_item_state state;
    const char *reason;             // why it is FAILED or DONE_PARTIAL, else NULL
    int64_t bytes;                  // size of the video's file when it was listed; -1: no such file; 0: empty, or
                                    // written to since
} tub_item;

// Lists the inputs, checks the names and reads what is already in the output folder.
// Ownership: the caller closes *out. Errors: TUB_ERROR_ARGUMENT (no such input; a folder without videos; colliding
// stems, naming both, also if one of them already has features; a shard out of range; an annotation file that isn't
// one), TUB_ERROR_OUTPUT (the folder is a file, or can't be made, listed or written).
TUB_API tub_status tub_dataset_open(const tub_dataset_params *params, tub_dataset **out, tub_error *err);

// The videos of this shard, in the order of their paths.
TUB_API size_t tub_dataset_count(const tub_dataset *d);
TUB_API void tub_dataset_item(const tub_dataset *d, size_t i, tub_item *out);

// The layout of the output folder, nothing left open. Borrowed from the data set.
TUB_API const tub_layout *tub_dataset_layout(const tub_dataset *d);

// The precision and the backend that the output folder's features.json requires. `*backend` is borrowed from the data
// set. False if the folder is new.
TUB_API bool tub_dataset_pinned(const tub_dataset *d, tub_dtype *dtype, const char **backend);

// Stamp and hash of the model that made the folder's features. With them as known_stamp and known_hash in an encoder's
// params, the same checkpoint isn't read again to compute its hash. Borrowed from the data set; false if they aren't
// known.
TUB_API bool tub_dataset_known_model(const tub_dataset *d, const char **stamp, const char **hash);

typedef enum tub_event_kind {
    TUB_EVENT_VIDEO = 0,            // a video ended: `item`, `result`, `output`, `save_seconds`, `totals`
    TUB_EVENT_TICK = 1,             // about four times a second: `progress`, `totals`
} tub_event_kind;

typedef struct tub_run_totals {
    size_t videos, skipped, ok, partial, failed, pending;   // of this shard; skipped: done before this run
    size_t recorded_failures;                               // those of `failed` that weren't tried again
    int64_t rows, frames;
    double seconds;                                         // wall
    double init_seconds, decode_seconds, convert_seconds, forward_seconds, save_seconds;    // summed over threads
    double decode_wait_seconds, device_wait_seconds;
    tub_progress pipeline;                                  // the extractor's last; zero if there was nothing to do
} tub_run_totals;

typedef struct tub_event {
    tub_event_kind kind;
    const tub_item *item;
    const tub_result *result;       // with VIDEO
    const char *output;             // path of the feature file; NULL for a failure
    double save_seconds;
    const tub_progress *progress;   // with TICK
    const tub_run_totals *totals;   // so far
} tub_event;

typedef struct tub_run_params {
    size_t size;                            // sizeof(tub_run_params)
    tub_extractor_params extractor;
    const char *preset;                     // name to record, NULL = none
    tub_pool pool;                          // must be that of the encoder's params (else TUB_ERROR_ARGUMENT); recorded
    void (*on_event)(void *user, const tub_event *event);   // from the calling thread; may be NULL
    void *user;
    const volatile int *stop;               // when it becomes non-zero: drop what is in flight and return (may be NULL)
} tub_run_params;

// Settles which run decides when several start at once in a new folder, on different machines for example: the first to
// call this writes its settings into the folder. tub_dataset_pinned() then returns the folder's precision and backend,
// so that a caller who left them open can open its encoder accordingly. Nothing happens if the folder wasn't new, or in
// a dry run. Errors: as tub_dataset_run(); settings that differ from the folder's are refused only there.
TUB_API tub_status tub_dataset_pin(tub_dataset *d, const tub_encoder_info *info, const tub_run_params *params,
                                   tub_error *err);

// Extracts the videos that are TODO. The calling thread writes the files; all other threads end with the call.
// Videos that fail are recorded and are no error. Errors: TUB_ERROR_ARGUMENT (the folder has features of another model
// or of other settings, which are named), TUB_ERROR_OUTPUT (also if the folder was deleted, moved, emptied or replaced
// meanwhile), TUB_ERROR_DEVICE, TUB_ERROR_CANCELLED (resumable).
// *totals is filled in even if the call fails.
TUB_API tub_status tub_dataset_run(tub_dataset *d, tub_encoder *encoder, const tub_run_params *params,
                                   tub_run_totals *totals, tub_error *err);

// What tub_dataset_run() does when no video is TODO: compares settings and model, and puts the folder's files in order.
// A description's info is enough for this (tub_describe()). Errors: also TUB_ERROR_ARGUMENT if a video is TODO.
TUB_API tub_status tub_dataset_settle(tub_dataset *d, const tub_encoder_info *info, const tub_run_params *params,
                                      tub_run_totals *totals, tub_error *err);

// Accepts NULL and a pointer to NULL.
TUB_API void tub_dataset_close(tub_dataset **d);

// Rank and world from the environment: SLURM_PROCID/SLURM_STEP_NUM_TASKS (in an srun step), SLURM_ARRAY_TASK_ID/_COUNT
// (with _MIN, _MAX and _STEP; with both pairs, the step divides the array task's part further), RANK/WORLD_SIZE,
// OMPI_COMM_WORLD_RANK/_SIZE, PMI_RANK/_SIZE. `source`: which of them, static; "none" gives 0 of 1.
// Errors: TUB_ERROR_ARGUMENT (invalid values, only one of a pair, nested launchers that contradict each other).
TUB_API tub_status tub_shard_from_environment(int *rank, int *world, const char **source, tub_error *err);
// Parses "RANK/WORLD", ranks from 0. Errors: TUB_ERROR_ARGUMENT.
TUB_API tub_status tub_shard_parse(const char *text, int *rank, int *world, tub_error *err);

#ifdef __cplusplus
}
#endif
#endif
