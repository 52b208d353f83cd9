// The mean over a window's frame embeddings: with frame models this is a row. Each frame is encoded once.
//
// Sums in double in the order of the frames, divides by their number and rounds once: a row depends only on its frames.
#ifndef TUB_WINDOW_MEAN_H
#define TUB_WINDOW_MEAN_H

#include <stdint.h>

// `rows`: `count` pointers to float32 [dim] -> out [dim]. `sum`: scratch, double [dim].
void tub_window_mean(const float *const *rows, int count, int dim, double *sum, float *out);

#endif
