// Tuning: batch, decoding threads, prefetch, precision and backend, measured for one model on one machine, and the
// profile that keeps the winner.
//
// What can be changed without changing features (batch, threads, prefetch) is only a matter of speed. Precision and
// backend change their last bits: a profile that sets them is named by `extract`, is written into features.json, and
// never overrides what an output folder already holds (tub_dataset_pinned()). What GPUs' decoders would gain is measured
// and told, and no profile sets it: of damaged videos they don't tell.
#ifndef TUBELET_TUNE_H
#define TUBELET_TUNE_H

#include <stdbool.h>
#include <stddef.h>
#include <tubelet/encoder.h>
#include <tubelet/extractor.h>
#include <tubelet/status.h>

#ifdef __cplusplus
extern "C" {
#endif

// One setting and its speed.
typedef struct tub_tune_row {
    tub_dtype dtype;                // resolved
    char backend[24];
    int batch;                      // of one forward
    int decode_threads, prefetch;   // 0 where nothing was decoded
    tub_decoder decoder;            // AUTO: the processor, or nothing was decoded; with another than was asked for, a row
                                    // never wins
    bool is_default;                // what a run takes by itself
    bool is_winner;
    double rate;                    // rows a second (without videos: items a second); median of `runs`; 0: it failed
    int runs;
    char reason[200];               // why it failed
} tub_tune_row;

// Zero = defaults, but for encoder.model. Strings and arrays are borrowed during the call.
typedef struct tub_tune_params {
    size_t size;                    // sizeof(tub_tune_params)
    tub_encoder_params encoder;     // what isn't left open here (dtype, backend, batch) is kept and not varied
    tub_extractor_params extractor; // sampling; likewise decoder, decode_threads and prefetch
    const char *const *videos;      // what is extracted for measuring, again and again
    size_t video_count;             // 0: only forwards on pixels of no meaning are timed, and decoding isn't tuned
    double budget;                  // seconds, 0 = 60. Opening the model and the last turn may exceed it
    bool whole_ranges;              // also what this machine most likely gains nothing from: batches up to 128 on a
                                    // processor, up to 128 decode threads on any
    void (*on_row)(void *user, const tub_tune_row *row);    // after each measurement, from the calling thread; may be
    void (*on_note)(void *user, const char *text);          // NULL. A note: what range is tried and why, in one line
    void *user;
    const volatile int *stop;       // non-zero: end with TUB_ERROR_CANCELLED (may be NULL)
} tub_tune_params;

// What a run takes from a profile. Zero: left to the run.
typedef struct tub_profile {
    char machine[40], model[40];    // hashes: of tub_machine_info, and of the model with its input's shape
    char name[256];                 // the model as it was given
    char build[160];                // of the backends and libraries that it was measured with, "" = before that was kept
    bool other_build;               // these aren't those of this program: what is fastest may have changed
    tub_dtype dtype;
    char backend[24];
    int batch, prefetch;
    int decode_threads;             // where the processor decodes
    double rate, default_rate;      // rows a second when it was made
    char path[1024];                // of its file
} tub_profile;

// A table of measurements. Thread-safety: one thread at a time.
typedef struct tub_tuning tub_tuning;

// Measures one setting after the other, each kept only where it is faster by more than noise, and at last the winner
// against the defaults in turns. Nothing is written.
// Errors: as tub_encoder_open(); TUB_ERROR_VIDEO where none of the videos decodes; TUB_ERROR_CANCELLED.
TUB_API tub_status tub_tune(const tub_tune_params *params, tub_tuning **out, tub_error *err);
// The i-th setting in the order in which they were tried; false past the last.
TUB_API bool tub_tuning_row_at(const tub_tuning *t, size_t i, tub_tune_row *out);
// The winner as a profile.
TUB_API const tub_profile *tub_tuning_profile(const tub_tuning *t);
// Writes the profile, and the table for people, to where tub_profile_find() looks; the path into the profile.
// Errors: TUB_ERROR_OUTPUT.
TUB_API tub_status tub_tuning_save(tub_tuning *t, tub_error *err);
// Accepts NULL and a pointer to NULL.
TUB_API void tub_tuning_close(tub_tuning **t);

// The profile of this machine and of the model that `params` mean, from $XDG_CACHE_HOME/tubelet/profiles (or
// ~/.cache/tubelet/profiles), of whichever build (`other_build`). TUB_END: there is none; nothing but the folder is
// read then.
// Errors: as tub_encoder_open(); TUB_ERROR_INPUT: a profile that can't be read, naming it.
TUB_API tub_status tub_profile_find(const tub_encoder_params *params, tub_profile *out, tub_error *err);
// One file. Errors: TUB_ERROR_INPUT.
TUB_API tub_status tub_profile_read(const char *path, tub_profile *out, tub_error *err);
// The i-th profile of this machine, by file name. TUB_END past the last.
TUB_API tub_status tub_profile_at(size_t i, tub_profile *out, tub_error *err);

#ifdef __cplusplus
}
#endif
#endif
