// Rows of features, resampled in time.
#ifndef TUB_ROW_RESAMPLER_H
#define TUB_ROW_RESAMPLER_H

#include <stdbool.h>
#include <stdint.h>

// How many of `rows` rows are left when every step-th is taken, the first included. `keep_last`: the last one too, as it
// stands at the end of its video (backpad). These are the rows that step times the stride would have given.
int64_t tub_rows_every(int64_t rows, int64_t step, bool keep_last);
// Which row the i-th of them is.
int64_t tub_rows_every_at(int64_t rows, int64_t step, int64_t i);

// Row `i` of `length` as torch.nn.functional.interpolate(mode="linear", align_corners=False) makes it out of `rows`
// rows, with torch 2.15 to the bit (2.11 rounds positions once less): what ActionFormer resizes features with.
void tub_rows_linear(const float *values, int64_t rows, int64_t dim, int64_t length, int64_t i, float *out);

#endif
