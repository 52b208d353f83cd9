// The mean over a window's frame embeddings: how frame models make a row, each frame encoded once.
//
// Sums in double in the order of the frames, divides by their number, rounds once: a row depends on its frames alone.
#ifndef TUB_WINDOW_MEAN_H
#define TUB_WINDOW_MEAN_H

#include <stdint.h>

// `rows`: `count` pointers to float32 [dim] -> out [dim]. `sum`: scratch, double [dim].
void tub_window_mean(const float *const *rows, int count, int dim, double *sum, float *out);

#endif
