// The layout of a folder, in features.json under `files`:
//   {"name": "{stem}", "container": "npy" | "npz", "key": "feats", "dtype": "float32" | "float16"}
// Folders from before layouts existed have "{stem}", .npy and float32.
#ifndef TUB_FEATURE_LAYOUT_H
#define TUB_FEATURE_LAYOUT_H

#include <jansson.h>
#include <tubelet/layout.h>

// Fills in what is left open, from `root` (features.json, NULL: there is none) or the defaults, and checks everything.
// Strings are borrowed from `root` or static. Errors: TUB_ERROR_ARGUMENT; `path` names features.json.
tub_status tub_layout_complete(tub_layout *layout, const json_t *root, const char *path, tub_error *err);
json_t *tub_layout_json(const tub_layout *layout);  // of a complete one

// Whether the array has a leading axis of one crop.
bool tub_layout_has_crops(const tub_layout *layout);
// ".npy", ".npz"
const char *tub_layout_extension(const tub_layout *layout);

#endif
