// A plan from inside.
#ifndef TUB_PLAN_IMPL_H
#define TUB_PLAN_IMPL_H

#include <tubelet/plan.h>

#include "memory.h"

enum { TUB_BOUNDS_MOST = 12 };

struct tub_plan {
    tub_plan_info info;
    tub_sampling sampling; // resolved
    tub_plan_item *items;
    size_t count;
    tub_plan_bound bounds[TUB_BOUNDS_MOST];
    size_t bound_count;
    tub_arena arena;
};

// Fills in the bounds: threads, batch, prefetch, slots and memory, and why. Errors: TUB_ERROR_MEMORY.
tub_status tub_plan_bounds(tub_plan *p, const tub_plan_params *params, tub_error *err);

#endif
