#include "window_mean.h"

void tub_window_mean(const float *const *rows, int count, int dim, double *sum, float *out)
{
    for (int i = 0; i < dim; i++)
        sum[i] = 0;
    for (int row = 0; row < count; row++)
        for (int i = 0; i < dim; i++)
            sum[i] += (double)rows[row][i];
    for (int i = 0; i < dim; i++)
        out[i] = (float)(sum[i] / count);
}
