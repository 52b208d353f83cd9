// What happens to pixels between a decoded frame and a model's input.
//
//   frame (uint8 RGB, upright) -> resize -> center crop -> (x * scale + offset - mean[c]) / std[c]
//
// There are two domains. In `TUB_DOMAIN_U8` the resize works on 8-bit values with the reference's integer arithmetic,
// and the affine map follows. The reference is torchvision's uint8 kernel (int16 weights, horizontal pass first, each
// pass rounded) or Pillow's (weights of 22 bits). In `TUB_DOMAIN_FLOAT` values are scaled first and then resized in
// float32. A crop larger than the resized image is padded with zeros before the affine map. The padding on the left and
// at the top is floor(difference / 2), and with Pillow's processors ceil.
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
    TUB_RESIZE_EXACT = 1,       // to height x width, whatever the aspect ratio
    TUB_RESIZE_SHORTEST = 2,    // shorter side to `height`, longer side to int(edge * long / short), truncated
} tub_resize;

typedef enum tub_interpolation {
    TUB_NEAREST = 0,
    TUB_BILINEAR = 2,           // triangle filter
    TUB_BICUBIC = 3,            // cubic, a = -0.5 with antialias, a = -0.75 without
} tub_interpolation;            // the numbers are Pillow's, as in preprocessor_config.json

typedef enum tub_domain { TUB_DOMAIN_U8 = 0, TUB_DOMAIN_FLOAT = 1 } tub_domain;

// A complete transform. Plain data, owns nothing.
typedef struct tub_transform {
    tub_resize resize;
    int height, width;                  // pixels: target size of EXACT; `height` is the edge of SHORTEST
    tub_interpolation interpolation;
    bool antialias;
    tub_domain domain;
    bool pillow;                        // 8-bit domain: Pillow's arithmetic instead of torchvision's
    bool centred;                       // NEAREST: take the pixel under an output pixel's center (Pillow, torch's
                                        // nearest-exact), not the one under its corner (torch's nearest)
    int crop_height, crop_width;        // 0: no crop
    bool rescale;                       // apply scale and offset
    float scale, offset;                // usually 1/255 and 0
    bool normalize;                     // apply mean and std
    float mean[3], std[3];
} tub_transform;

typedef enum tub_transform_base {
    TUB_TRANSFORM_MODEL = 0,    // what the checkpoint's preprocessor_config.json says
    TUB_TRANSFORM_OPENTAD = 1,  // bilinear resize without antialias or regard to aspect ratio, /255, no mean/std
    TUB_TRANSFORM_NONE = 2,     // unchanged frames (the `frames` command); scaled to 0..1 if mean or std are given
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

// The transform that `options` mean for a checkpoint. `model`: its own transform (NULL if it has none: base MODEL is
// then an error). `model_height`, `model_width`: its input size (0: unknown), which is the default size of `opentad`
// (224x224 if unknown). Overriding the size of a base that crops also drops the crop, unless a crop is given too.
// Errors: TUB_ERROR_ARGUMENT. Thread-safety: safe.
TUB_API tub_status tub_transform_resolve(const tub_transform_options *options, const tub_transform *model,
                                         int model_height, int model_width, tub_transform *out, tub_error *err);

// "opentad", "model", "none" and back; for interpolations "nearest", "bilinear", "bicubic". Errors: TUB_ERROR_ARGUMENT
// for another name. Thread-safety: safe.
TUB_API tub_status tub_transform_base_parse(const char *name, tub_transform_base *out, tub_error *err);
TUB_API const char *tub_transform_base_name(tub_transform_base base);
TUB_API tub_status tub_interpolation_parse(const char *name, tub_interpolation *out, tub_error *err);
TUB_API const char *tub_interpolation_name(tub_interpolation interpolation);

#ifdef __cplusplus
}
#endif
#endif
