// Tables are computed in double and rounded once.
#include <math.h>
#include <string.h>

#include "fail.h"
#include "vit.h"

tub_tensor tub_new_table(tub_program *p, tub_arena *arena, int64_t rows, int64_t cols, float **data)
{
    size_t count;
    *data = tub_size_mul((size_t)rows, (size_t)cols, &count) ? tub_arena_alloc(arena, count, sizeof **data) : NULL;
    if (!*data) {
        if (p->status == TUB_OK)
            p->status = tub_fail_memory(&p->error, "a table of positions");
        return tub_no_tensor();
    }
    return (tub_tensor){.name = "positions", .dtype = TUB_F32, .rank = 2, .dims = {rows, cols}, .data = *data};
}

tub_tensor tub_table_sincos(tub_program *p, tub_arena *arena, int rows, int cols)
{
    float *data;
    tub_tensor t = tub_new_table(p, arena, rows, cols, &data);
    for (int j = 0; data && j < cols; j++) {
        double wave = pow(10000, 2.0 * (j / 2) / cols);
        for (int i = 0; i < rows; i++)
            data[(size_t)i * (size_t)cols + (size_t)j] = (float)(j % 2 ? cos(i / wave) : sin(i / wave));
    }
    return t;
}

void tub_table_rotation(tub_program *p, tub_arena *arena, int rows, int cols, tub_angles angles, const void *context,
                        tub_tensor *cosine, tub_tensor *sine)
{
    float *c, *s;
    *cosine = tub_new_table(p, arena, rows, cols, &c);
    *sine = tub_new_table(p, arena, rows, cols, &s);
    double *row = tub_calloc((size_t)cols, sizeof *row);
    if (!row && p->status == TUB_OK)
        p->status = tub_fail_memory(&p->error, "a table of angles");
    for (int i = 0; row && c && s && i < rows; i++) {
        angles(context, i, row);
        for (int j = 0; j < cols; j++) {
            *c++ = (float)cos(row[j]);
            *s++ = (float)sin(row[j]);
        }
    }
    tub_free(row);
}

static double cubic(double x, double a)
{
    x = fabs(x);
    if (x < 1)
        return ((a + 2) * x - (a + 3)) * x * x + 1;
    return x < 2 ? (((x - 5) * x + 8) * x - 4) * a : 0;
}

// Weights [out, in] of one axis, as in torch's F.interpolate(bicubic, align_corners=False). Without antialias there are
// four taps, whose indices are clamped to the border. With it, the filter is stretched by the scale, cut at the border
// and normalized.
static void fill_axis(double *weights, int in, int out, bool antialias)
{
    double scale = (double)in / out, stretch = antialias && scale > 1 ? scale : 1;
    for (int i = 0; i < out; i++, weights += in) {
        double centre = (i + 0.5) * scale;
        if (!antialias) {
            double first = floor(centre - 0.5), rest = centre - 0.5 - first;
            for (int k = -1; k <= 2; k++) {
                double at = first + k < 0 ? 0 : first + k > in - 1 ? in - 1 : first + k;
                weights[(int)at] += cubic(rest - k, -0.75);
            }
            continue;
        }
        int low = (int)fmax(centre - 2 * stretch + 0.5, 0), high = (int)fmin(centre + 2 * stretch + 0.5, in);
        double sum = 0;
        for (int j = low; j < high; j++)
            sum += weights[j] = cubic((j - centre + 0.5) / stretch, -0.5);
        for (int j = low; j < high; j++)
            weights[j] /= sum;
    }
}

// out[i] = sum over j of weights[i, j] * in[j], where an element is a row of `cols` numbers.
static void apply_axis(const double *weights, int in, int out, const double *from, size_t cols, double *to)
{
    for (int i = 0; i < out; i++)
        for (int j = 0; j < in; j++) {
            double w = weights[i * in + j];
            for (size_t c = 0; w != 0 && c < cols; c++)
                to[(size_t)i * cols + c] += w * from[(size_t)j * cols + c];
        }
}

static bool resize(const float *positions, int grid, int height, int width, int cols, bool antialias, float *out)
{
    size_t g = (size_t)grid, h = (size_t)height, w = (size_t)width, c = (size_t)cols;
    double *across = tub_calloc(w * g, sizeof *across), *down = tub_calloc(h * g, sizeof *down);
    double *from = tub_calloc(g * c, sizeof *from), *middle = tub_calloc(g * w * c, sizeof *middle);
    double *to = tub_calloc(h * w * c, sizeof *to);
    bool ok = across && down && from && middle && to;
    if (ok) {
        fill_axis(across, grid, width, antialias);
        fill_axis(down, grid, height, antialias);
        for (size_t y = 0; y < g; y++) {
            for (size_t i = 0; i < g * c; i++)
                from[i] = positions[y * g * c + i];
            apply_axis(across, grid, width, from, c, middle + y * w * c);
        }
        apply_axis(down, grid, height, middle, w * c, to);
        for (size_t i = 0; i < h * w * c; i++)
            out[i] = (float)to[i];
    }
    tub_free(across);
    tub_free(down);
    tub_free(from);
    tub_free(middle);
    tub_free(to);
    return ok;
}

tub_tensor tub_table_resize(tub_program *p, tub_arena *arena, const float *positions, int grid, int height, int width,
                            int cols, bool antialias)
{
    float *data;
    tub_tensor t = tub_new_table(p, arena, (int64_t)height * width, cols, &data);
    if (!data)
        return t;
    if (height == grid && width == grid)
        memcpy(data, positions, (size_t)grid * (size_t)grid * (size_t)cols * sizeof *data);
    else if (!resize(positions, grid, height, width, cols, antialias, data) && p->status == TUB_OK)
        p->status = tub_fail_memory(&p->error, "a table of positions");
    return t;
}
