// Rows from tokens: the pools that mean the same in every family.
#ifndef TUB_POOLS_H
#define TUB_POOLS_H

#include "model.h"

// CLS: the first row; PATCH_MEAN: the mean of the rows behind the first `prefix`; else the mean of all. `x`: wide.
tub_value tub_append_pool(tub_program *p, tub_value x, int prefix, tub_pool pool);

// Behind the blocks: where build->layer is set, `x` is what was asked for. Fills in both outputs and returns true; else
// false. No norm, no head.
bool tub_append_hidden(tub_program *p, const tub_build *build, tub_value x, int prefix, tub_value *feature,
                       tub_value *tokens);

#endif
