// Factors of a product that is tried out, made on the host: values by which two ways of adding it up can be told apart.
//
// Random values of like size don't do: rounded to 8 or 11 bits, sums in another order differ in one of some hundred
// thousand, and not at all where few bits were lost on the way. So in every second row of x the second half of the columns is
// the first one again, and there are rows of the weight whose second half is the first one's negative. Their products cancel
// each other out exactly, and are of very different sizes, so that what is left is the sum of all that was rounded off,
// which no two orders have alike.
#ifndef TUB_GPU_FACTORS_H
#define TUB_GPU_FACTORS_H

#include <stddef.h>
#include <stdint.h>

#include "gpu.h"

// Of one value.
size_t tub_gpu_factor_bytes(tub_gpu_type type);
// From -1 to 1.
void tub_gpu_fill_random(float *out, size_t count);
// [rows, cols] of x, from the first row on every second one as above; the others' values are random, of `sizes` sizes in
// turn, each twice the one before. Results stay below 65504, float16's largest number, where weights are as in networks.
void tub_gpu_fill_rows(void *out, tub_gpu_type type, size_t rows, size_t cols, size_t sizes);
// [rows, cols] of the weight, as above.
void tub_gpu_fill_opposed(void *out, tub_gpu_type type, size_t rows, size_t cols);
// Of e4m3, [rows, cols]: finite codes of any size.
void tub_gpu_fill_codes(uint8_t *out, size_t rows, size_t cols);

#endif
