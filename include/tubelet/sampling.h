// Windows: which frames of a video make which row of its features.
//
// A video of n frames (after fps resampling) is covered by clips of `clip_length` L frames, `interval` I frames apart,
// whose starts are `stride` S frames apart. The span of a clip is W = (L-1)*I + 1 frames.
//
//   valid     starts i*S while the clip fits.              T = floor((n-W)/S) + 1
//   center    centres S/2 + i*S; frames centre - (L/2)*I + j*I, clamped to [0, n-1] (edges repeat).
//                                                          T = max(ceil((n - S/2)/S), 1)
//   backpad   as valid, and one last window [n-W, n) when the end isn't covered.  T = valid (+1 if (n-W) mod S)
//
// n < W (valid, backpad): one row whose clip repeats the last frame; the video is flagged as short.
// Source of the three modes: the extractors of VideoMAEv2 (valid), mmaction2's UntrimmedSampleFrames (center),
// Ego4D's features (backpad).
#ifndef TUBELET_SAMPLING_H
#define TUBELET_SAMPLING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <tubelet/layout.h>
#include <tubelet/status.h>
#include <tubelet/transform.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum tub_align { TUB_ALIGN_VALID = 0, TUB_ALIGN_CENTER = 1, TUB_ALIGN_BACKPAD = 2 } tub_align;

// All zero = defaults.
typedef struct tub_sampling {
    size_t size;        // sizeof(tub_sampling)
    int clip_length;    // frames a clip, 1..4096 (0 = the checkpoint's own, or 16 where any length works)
    int stride;         // frames between the starts of two windows, 1..65536 (0 = 4)
    int interval;       // frames between two frames of a clip, 1..1024 (0 = 1)
    tub_align align;    // (0 = valid)
    double fps;         // frames a second to resample to, by timestamps, at most 1000 (0 = native)
} tub_sampling;

// Fills in the defaults and checks the ranges. `model_clip_length`: what the checkpoint wants (0: any length works).
// Errors: TUB_ERROR_ARGUMENT naming the option. Thread-safety: safe.
TUB_API tub_status tub_sampling_resolve(const tub_sampling *asked, int model_clip_length, tub_sampling *out,
                                        tub_error *err);

// T for a video of `frames` frames (after resampling), by the formulas above; 0 frames give 0. `s` is resolved.
TUB_API int64_t tub_sampling_rows(const tub_sampling *s, int64_t frames);

// The source frame indices of row `row` of a video of `frames` frames: clip_length values into `out`.
TUB_API void tub_sampling_clip(const tub_sampling *s, int64_t frames, int64_t row, int64_t *out);

// Where rows stand in time, in the words of those who read them: row i stands at frame i * stride + offset of the
// (resampled) video. OpenTAD calls the two feature_stride and offset_frames; ActionFormer feat_stride and num_frames,
// whose half is the offset.
//   valid, backpad   offset W/2 (the last row of backpad may stand before its place)
//   center           offset S/2, rounded down
typedef struct tub_grid {
    double stride, offset, num_frames;
} tub_grid;
// `s` is resolved. Thread-safety: safe.
TUB_API void tub_sampling_grid(const tub_sampling *s, tub_grid *out);

// "valid", "center", "backpad"; and back (TUB_ERROR_ARGUMENT for another name, listing these).
TUB_API const char *tub_align_name(tub_align align);
TUB_API tub_status tub_align_parse(const char *name, tub_align *out, tub_error *err);

// A data set's settings. The four bare names (thumos, fineaction, hacs, charades) are the original script's; a
// `data-set/feature-set` is a published one, with what its consumers' configurations say of it.
typedef struct tub_preset {
    const char *name;
    const char *summary;        // one line for lists
    tub_sampling sampling;
    tub_transform_options transform;
    tub_layout layout;          // names and containers as its consumers read them
    int dim;                    // C of the published features, 0 = any; what yours have is the model's
    int max_length;             // rows that the consumers' models take at most, or resize to; 0 = not said
    const char *reference;      // where the numbers stand
} tub_preset;

// The i-th preset, NULL past the last. Static memory. Thread-safety: safe.
TUB_API const tub_preset *tub_preset_at(size_t i);
// By name; NULL if there is none.
TUB_API const tub_preset *tub_preset_find(const char *name);

#ifdef __cplusplus
}
#endif
#endif
