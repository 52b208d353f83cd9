// Finds sizes from the tensors of a file without a config.
#ifndef TUB_SHAPE_SIZES_H
#define TUB_SHAPE_SIZES_H

#include "model.h"

// If *value is 0 and the tensor exists with `rank` dimensions: sets it to dimension `at`, if that is a possible size.
void tub_size_from_shape(tub_binder *b, const char *name, int rank, int at, int *value);
// If *layers is 0: sets it to how many numbers, counted from 0, occur between `before` and `after` ("blocks.",
// ".norm1.weight"); 1 if there are none.
void tub_layers_from_names(tub_binder *b, const char *before, const char *after, int *layers);

#endif
