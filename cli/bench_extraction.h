// Measures one extraction in this process: the ablation consists of these.
#ifndef TUB_CLI_BENCH_EXTRACTION_H
#define TUB_CLI_BENCH_EXTRACTION_H

#include <tubelet/tubelet.h>

// The videos of a file, a folder or a list.
typedef struct bench_videos {
    tub_dataset *dataset;
    size_t count;
} bench_videos;

// Returns CLI_OK, or an exit code after a message; likewise below.
int bench_videos_open(const char *input, bench_videos *out);
void bench_videos_close(bench_videos *videos);

typedef struct bench_outcome {
    double seconds; // from the first submitted video to the last row, without opening the model
    int64_t clips, frames, frames_left_out;
    uint64_t rows; // a checksum of all rows that doesn't depend on the order of the videos
    // of the encoder
    bool per_frame;
    int batch;
    tub_dtype dtype;
    char backend[24];
} bench_outcome;

int bench_extraction(const bench_videos *videos, const tub_encoder_params *encoder,
                     const tub_extractor_params *extractor, bench_outcome *out);

#endif
