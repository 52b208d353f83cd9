// Rows from tokens: the pools that mean the same in every family.
#ifndef TUB_POOLS_H
#define TUB_POOLS_H

#include "model.h"

// CLS: the first row; PATCH_MEAN: the mean of all rows except the first `prefix`; else the mean of all. `x` is wide.
tub_value tub_append_pool(tub_program *p, tub_value x, int prefix, tub_pool pool);

// Called after the blocks. If build->layer is set, `x` is the requested hidden state: fills in both outputs, without
// norm and head, and returns true. Else returns false.
bool tub_append_hidden(tub_program *p, const tub_build *build, tub_value x, int prefix, tub_value *feature,
                       tub_value *tokens);

#endif
