// Runs fake videos through an extractor, and computes directly what must come out.
#ifndef FAKE_RUN_H
#define FAKE_RUN_H

#include "fake_encoder.h"
#include "fake_source.h"

typedef struct fake_outcome {
    bool done;
    float *rows;
    int64_t count;
    int dim;
    tub_result result;          // the DONE
} fake_outcome;

// Submits all paths and receives to the end. Returns the status that ended it: TUB_END if all went well. Fails the test
// if rows come out of order, twice, after DONE, or in chunks that are too large.
tub_status fake_run_all(fake_encoder *encoder, const tub_extractor_params *params, const char *const *paths, int count,
                        fake_outcome *outcomes, tub_progress *progress, tub_error *err);
void fake_outcomes_free(fake_outcome *outcomes, int count);

// A video's rows by definition: windows by tub_sampling_clip(), each computed from its frames alone. `s` is resolved.
// The caller frees them.
float *fake_expected(const fake_encoder *encoder, const tub_sampling *s, const char *path, int64_t *frames,
                     int64_t *rows);

// Runs the videos and compares all of them with fake_expected().
void fake_check(const fake_encoder_params *encoder, const tub_extractor_params *params, const char *const *paths,
                int count);
// Compares one outcome with fake_expected().
void fake_check_outcome(const fake_encoder *encoder, const tub_sampling *s, const char *path, const fake_outcome *o);

#endif
