// Rows and weights as int8, for products of integers.
//
// x ~ q * scale, q = round(x / scale), scale = greatest |x| / 127. Each row of activations gets its own scale when it
// is computed (so that a row doesn't depend on others), and each output channel of a weight gets one, once. The sums
// are exact: precision is lost only by rounding the factors. A row with a value that isn't finite has a scale that
// isn't.
#ifndef TUB_INT8_ROWS_H
#define TUB_INT8_ROWS_H

#include <stdint.h>

#include "kernels.h"
#include "product.h"

// Computes scales[r] of `rows` rows of k narrow elements.
void tub_int8_row_scales(const tub_kernels *kernels, const void *from, size_t row_bytes, int rows, int k,
                         float *scales);

// A block of rows to be packed for the product: `rows` rows of `count` elements, with their scales.
typedef struct tub_int8_block {
    const void *from; // narrow
    size_t row_bytes;
    int rows, count;
    const float *scales;
    tub_product_packing packing;
    void *out; // packing.bytes
} tub_int8_block;
void tub_int8_pack(const tub_kernels *kernels, const tub_product *product, const tub_int8_block *block);

// Converts a channel's weights; returns their scale. *sum: the sum of the integers.
float tub_int8_channel(const float *weights, int k, int8_t *out, int32_t *sum);

#endif
