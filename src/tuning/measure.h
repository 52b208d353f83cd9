// The speed of one setting.
#ifndef TUB_MEASURE_H
#define TUB_MEASURE_H

#include <tubelet/extractor.h>

typedef struct tub_measurement {
    double rate; // rows a second; of forwards alone, items a second
    int decode_threads;
    const char *bottleneck; // "forward", "decode" or "convert", static
    bool none_by_gpu;       // no GPU decoded a video or began to
} tub_measurement;

// Extracts the videos, one after the other and again from the first, for about `seconds` after the first rows came.
// At least one batch counts. Errors: TUB_ERROR_VIDEO (none decodes), TUB_ERROR_CANCELLED (`stop`), the extractor's.
tub_status tub_measure_extraction(tub_encoder *encoder, const tub_extractor_params *params, const char *const *videos,
                                  size_t count, double seconds, const volatile int *stop, tub_measurement *out,
                                  tub_error *err);
// Forwards of full batches on pixels of no meaning, after one that doesn't count; the median.
tub_status tub_measure_forward(tub_encoder *encoder, double seconds, const volatile int *stop, tub_measurement *out,
                               tub_error *err);

#endif
