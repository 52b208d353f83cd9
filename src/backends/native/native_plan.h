// The native engine: products and attention by our own kernels (product.h, kernels.h).
#ifndef TUB_NATIVE_PLAN_H
#define TUB_NATIVE_PLAN_H

#include "executable.h"

// What is kept in the second-level cache while a unit runs should not be more than this.
size_t tub_native_cache_bytes(void);

// Of the table (backend.h).
size_t tub_native_weight_bytes(const tub_program *program, const tub_op *op, tub_dtype dtype);

// A linear layer's weight as its product reads it.
typedef struct tub_packed_weight {
    const char *panels;     // of the product's columns
    size_t panel_bytes;
    const float *scales;    // of int8's output channels; NULL: these are no integers
    const int32_t *offsets; // of the same: what the rows' shift adds to the sums; NULL: nothing
} tub_packed_weight;

typedef struct tub_weight_order {
    const tub_product *product;
    const tub_tensor *tensor; // [n, k]
    int k, n;
    bool int8;
    tub_packed_weight *out; // where it is told of; stays where it is
} tub_weight_order;

// All weights are packed together, when all steps are made, or taken from where they were kept. native_pack.c
tub_status tub_native_pack_later(tub_executable *e, const tub_weight_order *order, tub_error *err);
tub_status tub_native_open(tub_executable *e, tub_error *err); // these three: the engine's
tub_status tub_native_pack(tub_executable *e, tub_error *err);
void tub_native_close(tub_executable *e);

tub_status tub_native_linear_make(tub_executable *e, tub_step *step, tub_error *err);
tub_status tub_native_attention_make(tub_executable *e, tub_step *step, tub_error *err);

static inline size_t tub_round_line(size_t bytes)
{
    return (bytes + 63) & ~(size_t)63;
}

#endif
