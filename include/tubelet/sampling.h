// Windows: which frames of a video make which row of its features.
//
// A video of n frames (after fps resampling) is covered by windows. A window's clip has L frames (`clip_length`), which
// are I frames apart (`interval`), and so spans W = (L-1)*I + 1 frames. The windows' starts are S frames apart
// (`stride`).
//
//   valid     starts at i*S, as long as the clip fits.     T = floor((n-W)/S) + 1
//   center    centers at S/2 + i*S; frames center - (L/2)*I + j*I, clamped to [0, n-1] (edges repeat).
//                                                          T = max(ceil((n - S/2)/S), 1)
//   backpad   as valid, plus one last window [n-W, n) if the end isn't covered.  T = valid (+1 if (n-W) mod S)
//
// If n < W (valid, backpad), there is one row whose clip repeats the last frame, and the video is flagged as short.
// Sources of the three modes: VideoMAEv2's extractor (valid), mmaction2's UntrimmedSampleFrames (center), Ego4D's
// features (backpad).
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
    int clip_length;    // frames per clip, 1..4096 (0 = the checkpoint's own, or 16 if any length works)
    int stride;         // frames from the start of one window to the next, 1..65536 (0 = 4)
    int interval;       // frames from one frame of a clip to the next, 1..1024 (0 = 1)
    tub_align align;    // (0 = valid)
    double fps;         // frame rate to resample to, by timestamps, at most 1000 (0 = native)
} tub_sampling;

// Fills in the defaults and checks the ranges. `model_clip_length`: what the checkpoint wants (0: any length works).
// Errors: TUB_ERROR_ARGUMENT naming the option. Thread-safety: safe.
TUB_API tub_status tub_sampling_resolve(const tub_sampling *asked, int model_clip_length, tub_sampling *out,
                                        tub_error *err);

// T for a video of `frames` frames (after resampling), by the formulas above; 0 frames give 0. `s` must be resolved.
// Thread-safety: safe.
TUB_API int64_t tub_sampling_rows(const tub_sampling *s, int64_t frames);

// The frame indices (after resampling) of row `row` of a video of `frames` frames: clip_length values into `out`. `s`
// must be resolved. Thread-safety: safe.
TUB_API void tub_sampling_clip(const tub_sampling *s, int64_t frames, int64_t row, int64_t *out);

// Where rows lie in time, in the trainers' terms: row i is at frame i * stride + offset of the (resampled) video.
// OpenTAD calls the two feature_stride and offset_frames. ActionFormer calls them feat_stride and num_frames, half of
// which is the offset.
//   valid, backpad   offset W/2 (backpad's last row may lie before this place)
//   center           offset S/2, rounded down
typedef struct tub_grid {
    double stride, offset, num_frames;
} tub_grid;
// `s` must be resolved. Thread-safety: safe.
TUB_API void tub_sampling_grid(const tub_sampling *s, tub_grid *out);

// "valid", "center", "backpad" and back. Errors: TUB_ERROR_ARGUMENT for another name, listing these.
TUB_API const char *tub_align_name(tub_align align);
TUB_API tub_status tub_align_parse(const char *name, tub_align *out, tub_error *err);

// A data set's settings. The four bare names (thumos, fineaction, hacs, charades) are the original script's. A name
// `data-set/feature-set` is a published feature set, with the settings in the configurations of those who use it.
typedef struct tub_preset {
    const char *name;
    const char *summary;        // one line for lists
    tub_sampling sampling;
    tub_transform_options transform;
    tub_layout layout;          // names and containers as its consumers read them
    int dim;                    // C of the published features, 0 = any; the C of your features is your model's
    int max_length;             // most rows that the consumers' models take, or the number they resize to; 0 = unknown
    const char *reference;      // where these numbers come from
} tub_preset;

// The i-th preset, NULL past the last. Static memory. Thread-safety: safe.
TUB_API const tub_preset *tub_preset_at(size_t i);
// By name; NULL if there is none.
TUB_API const tub_preset *tub_preset_find(const char *name);

#ifdef __cplusplus
}
#endif
#endif
