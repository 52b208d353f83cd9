// Tuning: measures batch, decoding threads, prefetch, precision and backend for one model on one machine, and keeps the
// winner in a profile.
//
// Batch, threads and prefetch don't change the features: they only matter for speed. Precision and backend change the
// features' last bits. If a profile sets them, `extract` names it, and features.json records the two; they never
// override what an output folder already has (tub_dataset_pinned()). What GPUs' decoders would gain is measured and
// reported, but no profile sets it, since they don't report damage inside frames.
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
    int batch;                      // items per forward pass
    int decode_threads, prefetch;   // 0 if nothing was decoded
    tub_decoder decoder;            // AUTO: the processor, or nothing was decoded. A row with another decoder than the
                                    // one asked for never wins
    bool is_default;                // the settings of a run without a profile
    bool is_winner;
    double rate;                    // rows per second (without videos: items per second); median of `runs`; 0: it
                                    // failed
    int runs;
    char reason[200];               // why it failed
} tub_tune_row;

// All zero (but encoder.model) = defaults. Strings and arrays are borrowed during the call.
typedef struct tub_tune_params {
    size_t size;                    // sizeof(tub_tune_params)
    tub_encoder_params encoder;     // dtype, backend and batch are varied only if they are left open here
    tub_extractor_params extractor; // sampling; likewise decoder, decode_threads and prefetch
    const char *const *videos;      // the videos to extract for measuring, again and again
    size_t video_count;             // 0: only forward passes on dummy pixels are timed, and decoding isn't tuned
    double budget;                  // seconds, 0 = 60. Opening the model and the last round may exceed it
    bool whole_ranges;              // also try what this machine most likely gains nothing from: batches up to 128 on a
                                    // processor, up to 128 decode threads on any machine
    void (*on_row)(void *user, const tub_tune_row *row);    // after each measurement, from the calling thread; may be
    void (*on_note)(void *user, const char *text);          // NULL. A note: what range is tried and why, in one line
    void *user;
    const volatile int *stop;       // when it becomes non-zero: return TUB_ERROR_CANCELLED (may be NULL)
} tub_tune_params;

// What a run takes from a profile. Zero: left to the run.
typedef struct tub_profile {
    char machine[40], model[40];    // hashes: of tub_machine_info, and of the model with its input's shape
    char name[256];                 // the model as it was given
    char build[160];                // backends and libraries that it was measured with, "" = unknown (an older profile)
    bool other_build;               // these aren't this program's: something else may be the fastest now
    tub_dtype dtype;
    char backend[24];
    int batch, prefetch;
    int decode_threads;             // for decoding on the processor
    double rate, default_rate;      // rows per second when it was made
    char path[1024];                // its file
} tub_profile;

// A table of measurements. Thread-safety: one thread at a time.
typedef struct tub_tuning tub_tuning;

// Measures one setting after another. A setting is kept only if it is faster by more than noise. At the end, the winner
// and the defaults are measured in turns. Nothing is written. Ownership: the caller closes *out.
// Errors: as tub_encoder_open(); TUB_ERROR_VIDEO (none of the videos decodes); TUB_ERROR_CANCELLED.
TUB_API tub_status tub_tune(const tub_tune_params *params, tub_tuning **out, tub_error *err);
// The i-th setting, in the order of measuring; false past the last.
TUB_API bool tub_tuning_row_at(const tub_tuning *t, size_t i, tub_tune_row *out);
// The winner as a profile; borrowed from the tuning.
TUB_API const tub_profile *tub_tuning_profile(const tub_tuning *t);
// Writes the profile, and a readable table, to the folder where tub_profile_find() looks. The profile's `path` is set.
// Errors: TUB_ERROR_OUTPUT.
TUB_API tub_status tub_tuning_save(tub_tuning *t, tub_error *err);
// Accepts NULL and a pointer to NULL.
TUB_API void tub_tuning_close(tub_tuning **t);

// The profile for this machine and for the model that `params` mean, from $XDG_CACHE_HOME/tubelet/profiles (or
// ~/.cache/tubelet/profiles), of any build (see `other_build`). TUB_END: there is none; if this machine has no profile
// at all, the model isn't read.
// Errors: as tub_encoder_open(); TUB_ERROR_INPUT (a profile that can't be read, naming it).
TUB_API tub_status tub_profile_find(const tub_encoder_params *params, tub_profile *out, tub_error *err);
// Reads one file. Errors: TUB_ERROR_INPUT.
TUB_API tub_status tub_profile_read(const char *path, tub_profile *out, tub_error *err);
// The i-th profile of this machine, by file name. TUB_END past the last.
TUB_API tub_status tub_profile_at(size_t i, tub_profile *out, tub_error *err);

#ifdef __cplusplus
}
#endif
#endif
