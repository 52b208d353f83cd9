// The arithmetic of a transform on one frame size: which size, which crop, which affine map.
#ifndef TUB_PIXEL_PLAN_H
#define TUB_PIXEL_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <tubelet/transform.h>

typedef struct tub_pixel_plan {
    int in_height, in_width;
    int resized_height, resized_width;
    int top, left;                      // of the crop in the resized image; negative: zero padding
    int out_height, out_width;
    size_t bytes;                       // of the output: uint8 [h, w, 3], or float32 [3, h, w] in the float domain
} tub_pixel_plan;

// Errors: TUB_ERROR_ARGUMENT if a side would become 0 or above 65536.
tub_status tub_pixel_plan_make(const tub_transform *t, int in_height, int in_width, tub_pixel_plan *out, tub_error *err);

// The size after the transform; false if it depends on the frame's size.
bool tub_transform_fixed_size(const tub_transform *t, int *height, int *width);

// The affine map of channel c as a table over the 256 levels: the model's input for a uint8 pixel.
// float32 arithmetic as in the fused map of transformers: (x - mean*k) / (std*k) with k = 1/scale.
void tub_transform_table(const tub_transform *t, int channel, float table[256]);
// The same map for a value of the float domain that is already scaled (x*scale+offset): (v - mean) / std.
float tub_transform_finish(const tub_transform *t, int channel, float value);

// Writes a description for settings and logs: "bilinear 224x224 /255 …". At most `bytes` bytes with the NUL.
void tub_transform_describe(const tub_transform *t, char *out, size_t bytes);

#endif
