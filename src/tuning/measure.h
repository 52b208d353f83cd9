// Measures the speed of one setting.
#ifndef TUB_MEASURE_H
#define TUB_MEASURE_H

#include <tubelet/extractor.h>

typedef struct tub_measurement {
    double rate; // rows per second; with forward passes only, items per second
    int decode_threads;
    const char *bottleneck; // "forward", "decode" or "convert", static
    bool none_by_gpu;       // no GPU decoded a video, or began to
} tub_measurement;

// Extracts the videos, one after another and again from the first, for about `seconds` after the first rows. At least
// one batch is counted. Errors: TUB_ERROR_VIDEO (none decodes), TUB_ERROR_CANCELLED (`stop`), the extractor's.
tub_status tub_measure_extraction(tub_encoder *encoder, const tub_extractor_params *params, const char *const *videos,
                                  size_t count, double seconds, const volatile int *stop, tub_measurement *out,
                                  tub_error *err);
// Forward passes of full batches on dummy pixels, after one that isn't counted; takes the median.
tub_status tub_measure_forward(tub_encoder *encoder, double seconds, const volatile int *stop, tub_measurement *out,
                               tub_error *err);

#endif
