// What happens to pixels between a decoded frame and a model's input.
//
//   frame (uint8 RGB, upright) -> resize -> centre crop -> (x * scale + offset - mean[c]) / std[c]
//
// Two domains. In `TUB_DOMAIN_U8` the resize works on 8-bit values with the reference's integer arithmetic
// (torchvision's uint8 kernel: int16 weights, horizontal pass first, each pass rounded; or Pillow's, with weights of 22
// bits) and the affine map follows.
// In `TUB_DOMAIN_FLOAT` values are scaled first and resized in float32.
// A crop larger than the resized image pads with zeros before the affine map, left/top = floor(difference / 2), with
// Pillow's processors ceil.
// Sources: torchvision.transforms.v2.functional.resize and transformers' image processors; torch's F.interpolate for
// `opentad` (bilinear, align_corners=False, no antialias), which is the original extraction script's transform.
#ifndef TUBELET_TRANSFORM_H
#define TUBELET_TRANSFORM_H

#include <stdbool.h>
#include <stddef.h>
#include <tubelet/status.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum tub_resize {
    TUB_RESIZE_NONE = 0,        // keep the size
    TUB_RESIZE_EXACT = 1,       // to height x width, aspect not kept
    TUB_RESIZE_SHORTEST = 2,    // shorter side to `height`, longer one truncated: int(edge * long / short)
} tub_resize;

typedef enum tub_interpolation {
    TUB_NEAREST = 0,
    TUB_BILINEAR = 2,           // triangle filter
    TUB_BICUBIC = 3,            // cubic, a = -0.5 with antialias, a = -0.75 without
} tub_interpolation;            // the numbers are Pillow's, as in preprocessor_config.json

typedef enum tub_domain { TUB_DOMAIN_U8 = 0, TUB_DOMAIN_FLOAT = 1 } tub_domain;

// A transform, complete. Plain data; no ownership.
typedef struct tub_transform {
    tub_resize resize;
    int height, width;                  // target of EXACT; `height` is the edge of SHORTEST
    tub_interpolation interpolation;
    bool antialias;
    tub_domain domain;
    bool pillow;                        // 8-bit domain: Pillow's arithmetic instead of torchvision's
    bool centred;                       // NEAREST: what lies under an output's middle (Pillow, torch's nearest-exact),
                                        // and not under its corner (torch's nearest)
    int crop_height, crop_width;        // 0: no crop
    bool rescale;                       // apply scale and offset
    float scale, offset;                // usually 1/255 and 0
    bool normalize;                     // apply mean and std
    float mean[3], std[3];
} tub_transform;

typedef enum tub_transform_base {
    TUB_TRANSFORM_MODEL = 0,    // what the checkpoint's preprocessor_config.json says
    TUB_TRANSFORM_OPENTAD = 1,  // bilinear squash without antialias, /255, no mean/std
    TUB_TRANSFORM_NONE = 2,     // untouched frames (the `frames` command); 0 to 1 where mean or std are given
} tub_transform_base;

// A base and the parts of it that the user overrides. All zero = the model's own.
typedef struct tub_transform_options {
    tub_transform_base base;
    bool has_size, has_crop, has_interpolation, has_mean, has_std;
    int height, width;                  // has_size: resize exactly to this
    int crop_height, crop_width;        // has_crop
    tub_interpolation interpolation;    // has_interpolation
    float mean[3], std[3];              // has_mean, has_std
} tub_transform_options;

// The transform that `options` mean for a checkpoint. `model`: its own transform (NULL where there is none: then base
// MODEL is an error). `model_height`, `model_width`: its input size (0: unknown), the default size of `opentad`, which
// falls back to 224x224. Overriding the size of a base that crops also drops the crop, unless a crop is given too.
// Errors: TUB_ERROR_ARGUMENT. Thread-safety: safe.
TUB_API tub_status tub_transform_resolve(const tub_transform_options *options, const tub_transform *model,
                                         int model_height, int model_width, tub_transform *out, tub_error *err);

// "opentad", "model", "none", and back; likewise for interpolations ("nearest", "bilinear", "bicubic").
TUB_API tub_status tub_transform_base_parse(const char *name, tub_transform_base *out, tub_error *err);
TUB_API const char *tub_transform_base_name(tub_transform_base base);
TUB_API tub_status tub_interpolation_parse(const char *name, tub_interpolation *out, tub_error *err);
TUB_API const char *tub_interpolation_name(tub_interpolation interpolation);

#ifdef __cplusplus
}
#endif
#endif
