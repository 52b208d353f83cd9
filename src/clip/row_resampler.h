// Resamples rows of features in time.
#ifndef TUB_ROW_RESAMPLER_H
#define TUB_ROW_RESAMPLER_H

#include <stdbool.h>
#include <stdint.h>

// How many of `rows` rows remain if every step-th is taken, beginning with the first. `keep_last`: the last row is
// taken, too, as it lies at its video's end (backpad). These are the rows that step times the stride would have given.
int64_t tub_rows_every(int64_t rows, int64_t step, bool keep_last);
// Which row the i-th of them is.
int64_t tub_rows_every_at(int64_t rows, int64_t step, int64_t i);

// Row `i` of the `length` rows that torch.nn.functional.interpolate(mode="linear", align_corners=False) makes from
// `rows` rows, bit-equal to torch 2.15 (2.11 rounds positions once less). ActionFormer resizes features with it.
void tub_rows_linear(const float *values, int64_t rows, int64_t dim, int64_t length, int64_t i, float *out);

#endif
