// Rows and weights as int8, for products of integers.
//
// x ~ q * scale, q = round(x / scale), scale = greatest |x| / 127: of each row of activations by itself, when it is
// there (so that a row doesn't depend on others), and of each output channel of a weight, once. The sums are exact;
// what is lost is lost by rounding the factors. A row with something that isn't finite has a scale that isn't.
#ifndef TUB_INT8_ROWS_H
#define TUB_INT8_ROWS_H

#include <stdint.h>

#include "kernels.h"
#include "product.h"

// scales[r] of `rows` rows of k narrow elements.
void tub_int8_row_scales(const tub_kernels *kernels, const void *from, size_t row_bytes, int rows, int k,
                         float *scales);

// A block of rows as the product reads it: `rows` of them, `count` elements, with their scales.
typedef struct tub_int8_block {
    const void *from; // narrow
    size_t row_bytes;
    int rows, count;
    const float *scales;
    tub_product_packing packing;
    void *out; // packing.bytes
} tub_int8_block;
void tub_int8_pack(const tub_kernels *kernels, const tub_product *product, const tub_int8_block *block);

// A channel's weights; returns their scale. `sum`: of the integers.
float tub_int8_channel(const float *weights, int k, int8_t *out, int32_t *sum);

#endif
