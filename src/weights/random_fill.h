// Random weights with the same bytes on any machine: only integer arithmetic and exactly rounded operations are used.
#ifndef TUB_RANDOM_FILL_H
#define TUB_RANDOM_FILL_H

#include <stddef.h>
#include <stdint.h>

#include "binder.h"

// Fills `out`. The values depend only on seed, name, fill and fan-in, not on what was filled before.
void tub_random_fill(float *out, size_t count, tub_fill fill, int64_t fan_in, uint64_t seed, const char *name);

#endif
