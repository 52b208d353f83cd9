// A source of frames without files. The path says what a video does; what a frame shows follows from the video's seed
// and the frame's index.
//
//   "fake:seed=3,frames=100"           100 frames at 30 frames a second, 4x6 pixels, uint8
//   fps=F         frame rate                        jitter=1      uneven timestamps, in order
//   height=, width=, float=1           pixels that come out
//   refuse=1      opening fails                     fail=K        next() fails instead of giving frame K
//   blind=K       convert() of frame K fails        partial=1     damage is noted
//   delay=US      microseconds a frame              begun=N       opening takes until N videos are being opened or were
//   jump=K        frame K and later come 100 hours late
//   threads=N     opening fails unless the decoder shall use N threads
//   why=N         a GPU that is asked to decode it doesn't, for reason N; else its frames are on the GPU
//   name=ANY      nothing: tells equal videos apart
#ifndef FAKE_SOURCE_H
#define FAKE_SOURCE_H

#include <stdatomic.h>

#include "source.h"

typedef struct fake_video {
    int64_t seed, frames, fail, blind, jump;
    int height, width, delay, begun, why, threads;
    double fps;
    bool is_float, refuse, partial, jitter;
} fake_video;

extern const tub_source_ops fake_source;

enum { FAKE_GPUS = 8 };

typedef struct fake_source_counts {
    atomic_int open;            // open now
    atomic_int begun;           // opened so far, or being opened
    atomic_int most_open;
    atomic_int decoded, converted;
    atomic_int left_out;        // decoded frames that weren't really decoded, as nobody wanted them
    atomic_int repeated;        // conversions of a frame that had been converted before
    atomic_int decoders[FAKE_GPUS]; // number of videos by tub_video_params.gpu
} fake_source_counts;
extern fake_source_counts fake_counts;
void fake_counts_reset(void);

fake_video fake_video_parse(const char *path);
size_t fake_video_bytes(const fake_video *video);
double fake_video_pts(const fake_video *video, int64_t frame);
void fake_video_pixels(const fake_video *video, int64_t frame, void *out);

#endif
