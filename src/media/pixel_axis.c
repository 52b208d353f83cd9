#include "pixel_axis.h"

#include <math.h>
#include <string.h>

#include "fail.h"
#include "memory.h"

// The window of one output, before it is moved inside the axis and rounded.
typedef struct window {
    int first, count;
    double *weights; // room for the longest window
} window;

typedef struct filter {
    tub_interpolation kind;
    bool antialias, single; // single: the reference computes in float32
    bool pillow, centred;
    double scale, stretch, support;
    int longest;
} filter;

// In the float domain, the reference computes in float32. A double that is rounded after each step gives the same.
static double rounded(const filter *f, double x)
{
    return f->single ? (double)(float)x : x;
}

static double cubic(double x, double a)
{
    x = fabs(x);
    if (x < 1)
        return ((a + 2) * x - (a + 3)) * x * x + 1;
    return x < 2 ? (((x - 5) * x + 8) * x - 4) * a : 0;
}

static double kernel(const filter *f, double x)
{
    if (f->kind == TUB_BICUBIC)
        return cubic(x, f->antialias ? -0.5 : -0.75);
    return fmax(1 - fabs(x), 0);
}

static filter make_filter(const tub_transform *t, int in, int resized)
{
    filter f = {.kind = t->interpolation,
                .single = t->domain == TUB_DOMAIN_FLOAT,
                .pillow = t->pillow && t->domain == TUB_DOMAIN_U8,
                .centred = t->centred};
    if (in == resized)
        f.kind = TUB_NEAREST;
    f.antialias = t->antialias && f.kind != TUB_NEAREST;
    f.scale =
        f.kind == TUB_NEAREST && !f.pillow ? (double)((float)in / (float)resized) : rounded(&f, (double)in / resized);
    f.stretch = f.antialias ? fmax(f.scale, 1) : 1;
    f.support = (f.kind == TUB_BICUBIC ? 2 : 1) * f.stretch;
    f.longest = f.kind == TUB_NEAREST ? 1 : (int)ceil(f.support) * 2 + 1;
    return f;
}

// Pillow adds the scale to get from one output to the next, and rounds each time.
static int pillow_nearest(const filter *f, int i)
{
    double at = f->scale * 0.5;
    for (int k = 0; k < i; k++)
        at += f->scale;
    return (int)at;
}

static void nearest_window(const filter *f, int i, int in, window *w)
{
    int source = f->pillow ? pillow_nearest(f, i) : (int)(float)((i + (f->centred ? 0.5 : 0)) * f->scale);
    *w = (window){.first = source < in ? source : in - 1, .count = 1, .weights = w->weights};
    w->weights[0] = 1;
}

// Truncated at the border and normalized to sum 1.
static void antialias_window(const filter *f, int i, int in, window *w)
{
    double center = rounded(f, f->scale * (i + 0.5)), sum = 0, inverse = rounded(f, 1 / f->stretch);
    int first = (int)fmax(trunc(rounded(f, center - f->support + 0.5)), 0);
    int end = (int)fmin(trunc(rounded(f, center + f->support + 0.5)), in);
    w->first = first;
    w->count = end - first < 1 ? 1 : end - first;
    for (int j = 0; j < w->count; j++) {
        w->weights[j] = rounded(f, kernel(f, rounded(f, (first + j - center + 0.5) * inverse)));
        sum = rounded(f, sum + w->weights[j]);
    }
    for (int j = 0; j < w->count && sum != 0; j++)
        w->weights[j] = rounded(f, w->weights[j] / sum);
}

// Clamped at the border: what falls outside counts for the outermost input. The position is rounded twice, as in torch
// 2.15; torch 2.11 fused the product and the difference.
static void plain_window(const filter *f, int i, int in, window *w)
{
    double source = rounded(f, rounded(f, f->scale * (i + 0.5)) - 0.5);
    if (f->kind == TUB_BILINEAR && source < 0)
        source = 0;
    int half = f->kind == TUB_BICUBIC ? 2 : 1, base = (int)fmin(floor(source), in - 1);
    double lambda = fmin(fmax(rounded(f, source - base), 0), 1);
    int low = base - half + 1, high = base + half;
    w->first = low < 0 ? 0 : low;
    w->count = (high < in - 1 ? high : in - 1) - w->first + 1;
    memset(w->weights, 0, (size_t)w->count * sizeof *w->weights);
    for (int j = low; j <= high; j++) {
        int at = j < w->first ? 0 : j - w->first;
        double weight = rounded(f, kernel(f, rounded(f, j - base - lambda)));
        w->weights[at < w->count ? at : w->count - 1] += weight;
    }
}

static void make_window(const filter *f, int i, int in, window *w)
{
    if (f->kind == TUB_NEAREST)
        nearest_window(f, i, in, w);
    else if (f->antialias)
        antialias_window(f, i, in, w);
    else
        plain_window(f, i, in, w);
}

// Finds the length of the longest window and the largest weight, over the whole axis whatever the crop keeps.
static void survey(const filter *f, tub_axis *axis, window *w)
{
    double largest = 0;
    for (int i = 0; i < axis->resized; i++) {
        make_window(f, i, axis->in, w);
        axis->taps = w->count > axis->taps ? w->count : axis->taps;
        for (int j = 0; j < w->count; j++)
            largest = fmax(largest, w->weights[j]);
    }
    axis->quads = (axis->taps + TUB_AXIS_QUAD - 1) / TUB_AXIS_QUAD * TUB_AXIS_QUAD;
    if (f->pillow) {
        axis->precision = 22;
        return;
    }
    // As in torch: the most bits with which the largest weight fits into int16.
    for (axis->precision = 0; axis->precision < 22; axis->precision++)
        if ((int)(0.5 + largest * (1 << (axis->precision + 1))) >= 1 << 15)
            break;
}

static void store_window(tub_axis *axis, int k, const window *w)
{
    int first = w->first + axis->taps <= axis->in ? w->first : axis->in - axis->taps;
    axis->first[k] = first;
    axis->first_byte[k] = 3 * first;
    for (int j = 0; j < w->count; j++) {
        int tap = j + w->first - first;
        double fixed = w->weights[j] * (1 << axis->precision);
        int32_t whole = (int32_t)(fixed < 0 ? fixed - 0.5 : fixed + 0.5);
        if (axis->weights32)
            axis->weights32[(size_t)k * (size_t)axis->taps + (size_t)tap] = whole;
        else
            axis->weights16[(size_t)k * (size_t)axis->quads + (size_t)tap] = (int16_t)whole;
        axis->weights[(size_t)k * (size_t)axis->taps + (size_t)tap] = (float)w->weights[j];
        axis->weights_by_tap[(size_t)tap * (size_t)axis->padded + (size_t)k] = (float)w->weights[j];
    }
}

static bool allocate(tub_axis *axis, bool pillow)
{
    size_t padded = (size_t)axis->padded, taps = (size_t)axis->taps;
    axis->first = tub_calloc(padded, sizeof *axis->first);
    axis->first_byte = tub_calloc(padded, sizeof *axis->first_byte);
    if (pillow)
        axis->weights32 = tub_calloc(padded * taps, sizeof *axis->weights32);
    else
        axis->weights16 = tub_calloc(padded * (size_t)axis->quads, sizeof *axis->weights16);
    axis->weights = tub_calloc(padded * taps, sizeof *axis->weights);
    axis->weights_by_tap = tub_calloc(padded * taps, sizeof *axis->weights_by_tap);
    return axis->first && axis->first_byte && (axis->weights16 || axis->weights32) && axis->weights &&
           axis->weights_by_tap;
}

tub_status tub_axis_init(tub_axis *axis, const tub_transform *t, int in, int resized, int begin, int kept,
                         tub_error *err)
{
    *axis = (tub_axis){.in = in, .resized = resized, .begin = begin, .kept = kept, .same = in == resized};
    axis->padded = (kept + TUB_AXIS_LANES - 1) / TUB_AXIS_LANES * TUB_AXIS_LANES;
    filter f = make_filter(t, in, resized);
    window w = {.weights = tub_calloc((size_t)f.longest + 4, sizeof(double))};
    if (!w.weights)
        return tub_fail_memory(err, "the tables of the resize");
    survey(&f, axis, &w);
    bool ok = allocate(axis, f.pillow);
    for (int k = 0; ok && k < kept; k++) {
        make_window(&f, begin + k, in, &w);
        store_window(axis, k, &w);
    }
    tub_free(w.weights);
    if (ok)
        return TUB_OK;
    tub_axis_finish(axis);
    return tub_fail_memory(err, "the tables of the resize");
}

void tub_axis_finish(tub_axis *axis)
{
    tub_free(axis->first);
    tub_free(axis->first_byte);
    tub_free(axis->weights16);
    tub_free(axis->weights32);
    tub_free(axis->weights);
    tub_free(axis->weights_by_tap);
    *axis = (tub_axis){0};
}
