// The native engine: products and attention by our own kernels (product.h, kernels.h).
#ifndef TUB_NATIVE_PLAN_H
#define TUB_NATIVE_PLAN_H

#include "executable.h"

// What is kept in the second-level cache while a unit runs should not be more than this.
size_t tub_native_cache_bytes(void);

// Of the table (backend.h).
size_t tub_native_weight_bytes(const tub_program *program, const tub_op *op, tub_dtype dtype);

tub_status tub_native_linear_make(tub_executable *e, tub_step *step, tub_error *err);
tub_status tub_native_attention_make(tub_executable *e, tub_step *step, tub_error *err);

static inline size_t tub_round_line(size_t bytes)
{
    return (bytes + 63) & ~(size_t)63;
}

#endif
