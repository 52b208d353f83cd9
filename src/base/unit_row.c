#include "unit_row.h"

#include <math.h>

void tub_make_unit(float *row, size_t count)
{
    double sum = 0;
    for (size_t i = 0; i < count; i++)
        sum += (double)row[i] * row[i];
    const double length = fmax(sqrt(sum), 1e-12);
    for (size_t i = 0; i < count; i++)
        row[i] = (float)(row[i] / length);
}
