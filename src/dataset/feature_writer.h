// Writes a feature file: takes float32 rows, and makes a .npy or .npz of float32 or float16, whole or not at all. The
// folder is made if needed.
#ifndef TUB_FEATURE_WRITER_H
#define TUB_FEATURE_WRITER_H

#include <stdint.h>
#include <tubelet/layout.h>

#include "atomic_file.h"

typedef struct tub_feature_writer tub_feature_writer;

// `layout` is complete (feature_layout.h). Errors of all calls: TUB_ERROR_OUTPUT, TUB_ERROR_MEMORY.
tub_status tub_feature_begin(const char *path, const tub_layout *layout, int64_t dim, tub_feature_writer **out,
                             tub_error *err);
tub_status tub_feature_append(tub_feature_writer *w, const float *rows, int64_t count, tub_error *err);
// Whether a value came that the file's type can't hold (which one): the file must not be committed then.
bool tub_feature_overflowed(const tub_feature_writer *w, int64_t *row, float *value);
// Ends the file; the caller then commits *out. Frees the writer in every case.
tub_status tub_feature_seal(tub_feature_writer **w, char checksum[TUB_HASH_TEXT], int64_t *bytes, tub_atomic_file **out,
                            tub_error *err);
// Removes the temporary file. Accepts NULL and a pointer to NULL.
void tub_feature_abandon(tub_feature_writer **w);

#endif
