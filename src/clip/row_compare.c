#include "row_compare.h"

#include <math.h>
#include <string.h>

static double cosine(double ab, double aa, double bb)
{
    if (aa == 0 || bb == 0)
        return aa == bb ? 1 : 0;
    return ab / sqrt(aa * bb);
}

static void add_row(const float *a, const float *b, int64_t dim, tub_row_sums *s)
{
    double ab = 0, aa = 0, bb = 0, difference = 0, largest = 0;
    for (int64_t c = 0; c < dim; c++) {
        double x = (double)a[c], y = (double)b[c], d = fabs(y - x);
        ab += x * y;
        aa += x * x;
        bb += y * y;
        difference += d * d;
        largest = d > largest ? d : largest;
    }
    double alike = largest == 0 ? 1 : cosine(ab, aa, bb);
    s->rows++;
    s->equal += largest == 0;
    s->cosine += alike;
    s->least = alike < s->least ? alike : s->least;
    s->largest = largest > s->largest ? largest : s->largest;
    s->difference += difference;
    s->size += aa;
}

// The position in `a`, in rows, of row `i` of `b` moved by `lag` frames.
static double place(const tub_row_track *a, const tub_row_track *b, int64_t i, double lag)
{
    return ((double)i * b->stride + b->offset + lag - a->offset) / a->stride;
}

void tub_rows_compare(const tub_row_track *a, const tub_row_track *b, tub_row_sums *out)
{
    const double same = 1e-6;
    *out = (tub_row_sums){.least = 1};
    for (int64_t i = 0; i < b->rows; i++) {
        double at = place(a, b, i, 0), row = round(at);
        if (fabs(at - row) <= same && row >= 0 && row < (double)a->rows)
            add_row(a->values + (int64_t)row * a->dim, b->values + i * b->dim, a->dim, out);
    }
}

// Row `at` of `a`, clamped to the rows that exist.
static const float *row_at(const tub_row_track *a, int64_t at)
{
    return a->values + (at < 0 ? 0 : at < a->rows ? at : a->rows - 1) * a->dim;
}

// Interpolates between rows with the Catmull-Rom cubic. A straight line would make every place between two rows look
// worse than it is, and pull the best lag toward whole rows.
static void between(const tub_row_track *a, double at, float *out)
{
    int64_t low = (int64_t)at;
    const float t = (float)(at - (double)low);
    const float weights[4] = {((2 - t) * t - 1) * t / 2, ((3 * t - 5) * t * t + 2) / 2, ((4 - 3 * t) * t + 1) * t / 2,
                              (t - 1) * t * t / 2};
    const float *p = row_at(a, low - 1), *q = row_at(a, low), *r = row_at(a, low + 1), *s = row_at(a, low + 2);
    for (int64_t c = 0; c < a->dim; c++)
        out[c] = weights[0] * p[c] + weights[1] * q[c] + weights[2] * r[c] + weights[3] * s[c];
}

// The `k`-th of `looked` rows of `b`, spread over all, and its position in `a`. NULL: `a` has nothing there.
static const float *look(const tub_row_track *a, const tub_row_track *b, double lag, int64_t k, int64_t looked,
                         double *at)
{
    int64_t i = k * b->rows / looked;
    *at = place(a, b, i, lag);
    return *at < 0 || *at > (double)(a->rows - 1) ? NULL : b->values + i * b->dim;
}

static double alike(const float *a, const float *b, const float *mean_a, const float *mean_b, int64_t dim)
{
    double ab = 0, aa = 0, bb = 0;
    for (int64_t c = 0; c < dim; c++) {
        float x = a[c] - mean_a[c], y = b[c] - mean_b[c];
        ab += (double)(x * y);
        aa += (double)(x * x);
        bb += (double)(y * y);
    }
    return cosine(ab, aa, bb);
}

static void add_to(float *sum, const float *row, int64_t dim)
{
    for (int64_t c = 0; c < dim; c++)
        sum[c] += row[c];
}

// Collects the rows of `a` that are compared, one after the other, and the means of the compared rows. The means of all
// rows would differ if one of the two has few rows.
static int64_t take_rows(const tub_row_track *a, const tub_row_track *b, double lag, int64_t looked, float *mean_a,
                         float *mean_b, float *rows_a)
{
    int64_t rows = 0;
    double at;
    memset(mean_a, 0, (size_t)a->dim * sizeof *mean_a);
    memset(mean_b, 0, (size_t)a->dim * sizeof *mean_b);
    for (int64_t k = 0; k < looked; k++) {
        const float *row_b = look(a, b, lag, k, looked, &at);
        if (!row_b)
            continue;
        float *row_a = rows_a + rows++ * a->dim;
        between(a, at, row_a);
        add_to(mean_a, row_a, a->dim);
        add_to(mean_b, row_b, a->dim);
    }
    for (int64_t c = 0; rows && c < a->dim; c++) {
        mean_a[c] /= (float)rows;
        mean_b[c] /= (float)rows;
    }
    return rows;
}

double tub_rows_alike(const tub_row_track *a, const tub_row_track *b, float *scratch, double lag, int64_t most,
                      int64_t *rows)
{
    int64_t looked = b->rows < most ? b->rows : most;
    float *mean_a = scratch, *mean_b = mean_a + a->dim, *row_a = mean_b + a->dim;
    double sum = 0, at;
    *rows = take_rows(a, b, lag, looked, mean_a, mean_b, row_a);
    if (4 * *rows < looked || *rows < 2)
        *rows = 0;
    for (int64_t k = 0; *rows && k < looked; k++) {
        const float *row_b = look(a, b, lag, k, looked, &at);
        if (!row_b)
            continue;
        sum += alike(row_a, row_b, mean_a, mean_b, a->dim);
        row_a += a->dim;
    }
    return *rows ? sum / (double)*rows : 0;
}
