#include "row_compare.h"

#include <math.h>

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

// Where in `a` row `i` of `b` stands, moved by `lag` frames: in rows.
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

void tub_rows_mean(const tub_row_track *t, float *out)
{
    for (int64_t c = 0; c < t->dim; c++) {
        double sum = 0;
        for (int64_t i = 0; i < t->rows; i++)
            sum += (double)t->values[i * t->dim + c];
        out[c] = t->rows ? (float)(sum / (double)t->rows) : 0;
    }
}

// Row `at` of `a`, clamped to what there is.
static const float *row_at(const tub_row_track *a, int64_t at)
{
    return a->values + (at < 0 ? 0 : at < a->rows ? at : a->rows - 1) * a->dim;
}

// Between rows by Catmull and Rom's cubic: a straight line would make every place between two rows look worse than it
// is, and pull the best lag towards whole rows.
static double alike(const tub_row_track *a, const float *row, const float *means, double at)
{
    int64_t low = (int64_t)at;
    const float t = (float)(at - (double)low);
    const float weights[4] = {((2 - t) * t - 1) * t / 2, ((3 * t - 5) * t * t + 2) / 2, ((4 - 3 * t) * t + 1) * t / 2,
                              (t - 1) * t * t / 2};
    const float *p = row_at(a, low - 1), *q = row_at(a, low), *r = row_at(a, low + 1), *s = row_at(a, low + 2);
    const float *mean_a = means, *mean_b = means + a->dim;
    double ab = 0, aa = 0, bb = 0;
    for (int64_t c = 0; c < a->dim; c++) {
        float x = weights[0] * p[c] + weights[1] * q[c] + weights[2] * r[c] + weights[3] * s[c] - mean_a[c];
        float y = row[c] - mean_b[c];
        ab += (double)(x * y);
        aa += (double)(x * x);
        bb += (double)(y * y);
    }
    return cosine(ab, aa, bb);
}

double tub_rows_alike(const tub_row_track *a, const tub_row_track *b, const float *means, double lag, int64_t most,
                      int64_t *rows)
{
    int64_t looked = b->rows < most ? b->rows : most;
    double sum = 0;
    *rows = 0;
    for (int64_t k = 0; k < looked; k++) {
        int64_t i = k * b->rows / looked;
        double at = place(a, b, i, lag);
        if (at < 0 || at > (double)(a->rows - 1))
            continue;
        sum += alike(a, b->values + i * b->dim, means, at);
        ++*rows;
    }
    if (4 * *rows < looked)
        *rows = 0;
    return *rows ? sum / (double)*rows : 0;
}
