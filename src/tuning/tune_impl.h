// A tuning from inside: settings, their measurements, and the search over them.
#ifndef TUB_TUNE_IMPL_H
#define TUB_TUNE_IMPL_H

#include <tubelet/tune.h>

enum { TUB_TUNE_RUNS_MOST = 16, TUB_TUNE_ROWS_MOST = 64 };

typedef struct tub_tune_entry {
    tub_tune_row row;
    // As asked for; zero: left to the run.
    tub_dtype dtype;
    const char *backend; // static, or the caller's; NULL: left to the run
    int batch, decode_threads, prefetch;
    tub_decoder decoder;
    double rates[TUB_TUNE_RUNS_MOST];
} tub_tune_entry;

struct tub_tuning {
    const tub_tune_params *params; // during the search only
    tub_tune_entry entries[TUB_TUNE_ROWS_MOST];
    size_t count, best;
    tub_encoder *encoder; // the one of entry `encoder_of`; NULL: none is open
    size_t encoder_of;
    double began, slice, spent; // `spent`: on `measured` measurements
    int measured;
    bool per_frame, on_cpu, on_gpu;
    double forward_rate; // in the defaults' precision, 0 = not measured yet
    int untried;         // settings for which the budget left no time
    tub_profile profile;
};

// Keeps a measurement of an entry: the row's rate becomes the median of all.
void tub_tune_note(tub_tune_entry *entry, double rate);
// The entry to keep: the fastest, or the first (the defaults) if that is as fast within noise.
size_t tub_tune_choose(const tub_tune_entry *entries, size_t count);

// The hash that identifies a model and its input's shape in profiles.
void tub_profile_model(const tub_encoder_info *info, char out[40]);

#endif
