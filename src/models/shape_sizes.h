// Sizes that a file without a config tells by its tensors.
#ifndef TUB_SHAPE_SIZES_H
#define TUB_SHAPE_SIZES_H

#include "model.h"

// Where *value is 0 and the tensor is there with `rank` dimensions: its dimension `at`, if that is a possible size.
void tub_size_from_shape(tub_binder *b, const char *name, int rank, int at, int *value);
// Where *layers is 0: how many numbers from 0 on there are between `before` and `after` ("blocks.", ".norm1.weight"); 1 if
// there are none.
void tub_layers_from_names(tub_binder *b, const char *before, const char *after, int *layers);

#endif
