// Reading feature files, whichever program wrote them: .npy, or an array in a .npz; float32 or float16; [T, C] or [1,
// T, C].
#ifndef TUB_FEATURE_ARRAY_H
#define TUB_FEATURE_ARRAY_H

#include <stdint.h>
#include <tubelet/encoder.h>
#include <tubelet/status.h>

typedef struct tub_feature_array {
    int64_t rows, dim;
    int64_t bytes;              // of the file
    tub_dtype dtype;            // TUB_F32 or TUB_F16
} tub_feature_array;

// Reads the headers. `key`: the array in a .npz, NULL: its only one. Errors: TUB_ERROR_INPUT naming the file and what
// is wrong with it: not such a file, truncated, another type or shape.
tub_status tub_feature_array_stat(const char *path, const char *key, tub_feature_array *out, tub_error *err);

// Reads all of it as float32 [rows, dim]; the caller frees *values with tub_free().
tub_status tub_feature_array_read(const char *path, const char *key, tub_feature_array *out, float **values,
                                  tub_error *err);

#endif
