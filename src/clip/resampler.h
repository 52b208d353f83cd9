// Resampling in time by true timestamps: which source frame stands for which output frame.
//
// Output frame k at N frames per second is the last source frame with pts < first pts + (k + 1/2)/N. The number of
// outputs is the number of k whose threshold lies before the end, first pts + duration: round(duration * N), at least
// 1.
//
// Thread-safety: one thread at a time per object. Plain memory: no clean-up.
#ifndef TUB_RESAMPLER_H
#define TUB_RESAMPLER_H

#include <stdbool.h>
#include <stdint.h>

typedef struct tub_resampler {
    double fps;             // 0: every source frame is an output frame
    double first;           // pts of the first source frame
    double previous;        // pts of the frame that waits to be decided
    double distance;        // its distance from the frame before it, 0 = none
    int64_t outputs;        // output frames decided so far
    bool started;
} tub_resampler;

void tub_resampler_init(tub_resampler *r, double fps);

// A source frame arrives. Returns how many output frames the *previous* source frame stands for (0 the first time; with
// fps == 0, which means native, always 1 after the first). Timestamps that go backwards count as the previous one.
int64_t tub_resampler_push(tub_resampler *r, double pts);

// The end: how many outputs the last source frame stands for. `duration`: the last frame's, seconds (0 = unknown: the
// distance to the frame before is taken, else 1/fps).
int64_t tub_resampler_finish(tub_resampler *r, double duration);

// Whether a frame at time `pts` may stand for an output, if the first frame's time is `first` and the next one's is at
// most `next_most`. False is certain.
bool tub_resampler_may_show(double fps, double first, double pts, double next_most);

#endif
