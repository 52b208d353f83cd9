// What a custom model's input means, judged only by its rank and sizes.
//
//   [N, C, T, H, W]   clips, channels first      "NCTHW"
//   [N, T, C, H, W]   clips, frames first        "NTCHW"
//   [N, C, H, W]      frames (a frame model)     "NCHW"
//
// C is 3. Any other dimension may be dynamic. If both middle dimensions could be the channels, the user must say.
#ifndef TUB_OPENVINO_LAYOUT_H
#define TUB_OPENVINO_LAYOUT_H

#include <stddef.h>

#include "openvino_table.h"

typedef enum tub_input_layout { TUB_NCTHW = 1, TUB_NTCHW = 2, TUB_NCHW = 3 } tub_input_layout;

typedef struct tub_input_shape {
    tub_input_layout layout;
    tub_ov_dimension items, frames, height, width;  // NCHW: frames is 1
} tub_input_shape;

// `told`: the user's layout, by name, or NULL. `where` begins the message.
// Errors: TUB_ERROR_ARGUMENT (no such layout), TUB_ERROR_MODEL (an input that isn't pixels, is ambiguous, or doesn't
// fit `told`).
tub_status tub_input_recognise(const tub_ov_dimension *dims, int64_t rank, const char *told, const char *where,
                               tub_input_shape *out, tub_error *err);

const char *tub_input_layout_name(tub_input_layout layout);

// Whether a dimension can be `value`; and its only value, or 0 if it is dynamic.
bool tub_dimension_takes(tub_ov_dimension dim, int64_t value);
int64_t tub_dimension_fixed(tub_ov_dimension dim);

// "[?, 16, 3, 224, 224]"
void tub_dimensions_text(const tub_ov_dimension *dims, int64_t rank, char *out, size_t bytes);

// The sizes of one inference on `group` items, in the input's order. Returns the rank.
int tub_input_dims(const tub_input_shape *shape, int group, int frames, int height, int width, int64_t dims[5]);

// Where the plane of a frame's channel begins in an item, in values.
size_t tub_input_plane(tub_input_layout layout, int frames, size_t plane, int frame, int channel);

#endif
