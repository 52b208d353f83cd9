// The native engine: products and attention by our own kernels (product.h, kernels.h).
#ifndef TUB_NATIVE_PLAN_H
#define TUB_NATIVE_PLAN_H

#include "executable.h"

// The most bytes that a unit should keep in the second-level cache.
size_t tub_native_cache_bytes(void);

// For the backend's table (backend.h).
size_t tub_native_weight_bytes(const tub_program *program, const tub_op *op, tub_dtype dtype);

// A linear layer's weight in the form that its product reads.
typedef struct tub_packed_weight {
    const char *panels;     // of the product's columns
    size_t panel_bytes;
    const float *scales;    // int8: of the output channels; NULL: not integers
    const int32_t *offsets; // likewise: what the rows' shift adds to the sums; NULL: nothing
} tub_packed_weight;

typedef struct tub_weight_order {
    const tub_product *product;
    const tub_tensor *tensor; // [n, k]
    int k, n;
    bool int8;
    tub_packed_weight *out; // gets the result; stays where it is
} tub_weight_order;

// Once all steps are made, all weights are packed together, or taken from the store. native_pack.c
tub_status tub_native_pack_later(tub_executable *e, const tub_weight_order *order, tub_error *err);
tub_status tub_native_open(tub_executable *e, tub_error *err); // these three are the engine's
tub_status tub_native_pack(tub_executable *e, tub_error *err);
void tub_native_close(tub_executable *e);

tub_status tub_native_linear_make(tub_executable *e, tub_step *step, tub_error *err);
tub_status tub_native_attention_make(tub_executable *e, tub_step *step, tub_error *err);

static inline size_t tub_round_line(size_t bytes)
{
    return (bytes + 63) & ~(size_t)63;
}

#endif
