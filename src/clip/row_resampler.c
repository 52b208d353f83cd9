#include "row_resampler.h"

#include <math.h>

int64_t tub_rows_every(int64_t rows, int64_t step, bool keep_last)
{
    if (rows <= 0)
        return 0;
    return (rows - 1) / step + 1 + (keep_last && (rows - 1) % step != 0);
}

int64_t tub_rows_every_at(int64_t rows, int64_t step, int64_t i)
{
    return i * step < rows ? i * step : rows - 1;
}

void tub_rows_linear(const float *values, int64_t rows, int64_t dim, int64_t length, int64_t i, float *out)
{
    float scale = (float)rows / (float)length;
    float position = scale * ((float)i + 0.5f) - 0.5f;
    position = position < 0 ? 0 : position;
    int64_t low = (int64_t)position < rows - 1 ? (int64_t)position : rows - 1;
    float high_weight = position - (float)low;
    high_weight = high_weight < 0 ? 0 : high_weight > 1 ? 1 : high_weight;
    float low_weight = 1 - high_weight;
    const float *a = values + low * dim, *b = low < rows - 1 ? a + dim : a;
    for (int64_t c = 0; c < dim; c++)
        out[c] = fmaf(low_weight, a[c], high_weight * b[c]); // as torch does on processors with FMA
}
