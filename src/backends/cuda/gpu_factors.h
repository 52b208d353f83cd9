// Factors for trying out a product, made on the host: values that tell two orders of summation apart.
//
// Random values of similar size aren't enough. Rounded to 8 or 11 bits, sums in another order differ in one of some
// hundred thousand, and not at all if few bits were lost on the way. So in every second row of x, the second half of
// the columns repeats the first, and there are rows of the weight whose second half is the negative of the first. Their
// products have very different sizes and cancel out exactly. What remains is the sum of all rounding errors, which
// differs between any two orders.
#ifndef TUB_GPU_FACTORS_H
#define TUB_GPU_FACTORS_H

#include <stddef.h>
#include <stdint.h>

#include "gpu.h"

// Bytes of one value.
size_t tub_gpu_factor_bytes(tub_gpu_type type);
// Values from -1 to 1.
void tub_gpu_fill_random(float *out, size_t count);
// [rows, cols] of x. Every second row, from the first on, is as above. The values of the others are random, in turn of
// `sizes` sizes, each twice the one before. With weights as in networks, results stay below 65504, float16's largest
// number.
void tub_gpu_fill_rows(void *out, tub_gpu_type type, size_t rows, size_t cols, size_t sizes);
// [rows, cols] of the weight, as above.
void tub_gpu_fill_opposed(void *out, tub_gpu_type type, size_t rows, size_t cols);
// e4m3 [rows, cols]: finite codes of any size.
void tub_gpu_fill_codes(uint8_t *out, size_t rows, size_t cols);

#endif
