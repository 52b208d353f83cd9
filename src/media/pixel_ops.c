#include "pixel_ops.h"

#include <stdbool.h>
#include <string.h>

#include "fail.h"
#include "memory.h"
#include "pixel_axis.h"
#include "pixel_kernels.h"

struct tub_pixels {
    tub_transform transform;
    tub_pixel_plan plan;
    const tub_pixel_kernels *kernels;
    tub_axis across, down;
    bool down_first;       // see passes_swapped()
    int pad_left, pad_top; // zeros before the kept pixels
    // Rows after the horizontal pass: row y is in slot y % down.taps, as long as an output may need it.
    uint8_t *ring;
    size_t slot_bytes;
    const void **rows; // [down.taps], the rows of one output
    int ready;         // rows below this one have been through the horizontal pass
    uint8_t *tail;     // copy of a row that a kernel would read past the end of
    tub_scaling scaling;
};

static tub_scaling make_scaling(const tub_transform *t)
{
    if (!t->rescale)
        return (tub_scaling){1, 1, 0};
    // The plain resize follows a script that divides by 255, the antialiased one a processor that multiplies by 1/255.
    if (!t->antialias && t->offset == 0 && t->scale == 1.0f / 255.0f)
        return (tub_scaling){1, 255, 0};
    return (tub_scaling){t->scale, 1, t->offset};
}

// Pillow since version 13: the vertical pass comes first where it takes away more than twice as many rows as the
// horizontal one columns.
static bool passes_swapped(const tub_transform *t, const tub_pixel_plan *plan)
{
    const int rows = plan->in_height - plan->resized_height, columns = plan->in_width - plan->resized_width;
    return t->pillow && t->domain == TUB_DOMAIN_U8 && t->interpolation != TUB_NEAREST && columns != 0 && rows > 0 &&
           rows > 2 * columns;
}

// The part of `resized` that a crop of `size` pixels from `begin` on keeps.
static tub_status open_axis(tub_axis *axis, const tub_transform *t, int in, int resized, int begin, int size, int *pad,
                            tub_error *err)
{
    int from = begin > 0 ? begin : 0, to = begin + size < resized ? begin + size : resized;
    *pad = from - begin;
    return tub_axis_init(axis, t, in, resized, from, to - from, err);
}

static tub_status open_tables(tub_pixels *p, tub_error *err)
{
    const tub_transform *t = &p->transform;
    const tub_pixel_plan *plan = &p->plan;
    TUB_TRY(
        open_axis(&p->across, t, plan->in_width, plan->resized_width, plan->left, plan->out_width, &p->pad_left, err));
    TUB_TRY(
        open_axis(&p->down, t, plan->in_height, plan->resized_height, plan->top, plan->out_height, &p->pad_top, err));
    p->down_first = passes_swapped(t, plan);
    size_t pixel = t->domain == TUB_DOMAIN_FLOAT ? sizeof(float) : 1;
    p->slot_bytes = ((size_t)p->across.padded * 3 * pixel + TUB_AXIS_SLACK + 63) / 64 * 64;
    p->ring = tub_alloc_aligned((size_t)p->down.taps, p->slot_bytes);
    p->rows = tub_calloc((size_t)p->down.taps, sizeof *p->rows);
    p->tail = tub_calloc((size_t)plan->in_width * 3 + TUB_AXIS_SLACK, 1);
    if (!p->ring || !p->rows || !p->tail)
        return tub_fail_memory(err, "the rows of the resize");
    return TUB_OK;
}

tub_status tub_pixels_open_isa(const tub_transform *t, int in_height, int in_width, tub_isa isa, tub_pixels **out,
                               tub_error *err)
{
    tub_pixels *p = tub_calloc(1, sizeof *p);
    if (!p)
        return tub_fail_memory(err, "a transform");
    p->transform = *t;
    p->kernels = tub_pixel_kernels_for(isa);
    p->scaling = make_scaling(t);
    tub_status status = tub_pixel_plan_make(t, in_height, in_width, &p->plan, err);
    if (status == TUB_OK)
        status = open_tables(p, err);
    if (status != TUB_OK)
        tub_pixels_close(&p);
    *out = p;
    return status;
}

tub_status tub_pixels_open(const tub_transform *t, int in_height, int in_width, tub_pixels **out, tub_error *err)
{
    return tub_pixels_open_isa(t, in_height, in_width, tub_cpu_isa(), out, err);
}

const tub_pixel_plan *tub_pixels_plan(const tub_pixels *p)
{
    return &p->plan;
}

// Row `y` of the frame, readable for TUB_AXIS_SLACK bytes past its end.
static const uint8_t *slack_row(tub_pixels *p, const uint8_t *rgb, ptrdiff_t pitch, int y)
{
    ptrdiff_t width = (ptrdiff_t)p->plan.in_width * 3, below = p->plan.in_height - 1 - y;
    const uint8_t *row = rgb + y * pitch;
    if (pitch >= width && below * pitch >= TUB_AXIS_SLACK)
        return row;
    return memcpy(p->tail, row, (size_t)width);
}

static void across_u8(const tub_pixels *p, const uint8_t *row, void *out)
{
    if (p->transform.pillow)
        p->kernels->across_pillow(&p->across, row, out);
    else
        p->kernels->across_u8(&p->across, row, out);
}

// Blends p->rows into `bytes` bytes of output row `k`.
static void down_u8(const tub_pixels *p, int k, int bytes, uint8_t *out)
{
    const tub_axis *d = &p->down;
    const uint8_t *const *rows = (const uint8_t *const *)p->rows;
    if (p->transform.pillow)
        p->kernels->down_pillow(rows, d->weights32 + (size_t)k * (size_t)d->taps, d->taps, d->precision, bytes, out);
    else
        p->kernels->down_u8(rows, d->weights16 + (size_t)k * (size_t)d->quads, d->taps, d->precision, bytes, out);
}

// The rows that output `k` is made of, passed through `across` (rows[] then lie in the ring).
static void fetch_rows(tub_pixels *p, const uint8_t *rgb, ptrdiff_t pitch, int k)
{
    const tub_axis *down = &p->down;
    bool is_float = p->transform.domain == TUB_DOMAIN_FLOAT;
    int first = down->first[k];
    for (int y = p->ready > first ? p->ready : first; y < first + down->taps; y++) {
        void *slot = p->ring + (size_t)(y % down->taps) * p->slot_bytes;
        const uint8_t *row = slack_row(p, rgb, pitch, y);
        if (is_float)
            p->kernels->across_float(&p->across, &p->scaling, row, slot);
        else
            across_u8(p, row, slot);
        p->ready = y + 1;
    }
    for (int j = 0; j < down->taps; j++)
        p->rows[j] = p->ring + (size_t)((first + j) % down->taps) * p->slot_bytes;
}

static void run_u8(tub_pixels *p, const uint8_t *rgb, ptrdiff_t pitch, uint8_t *out)
{
    const tub_axis *across = &p->across, *down = &p->down;
    int bytes = across->kept * 3;
    for (int k = 0; k < down->kept; k++) {
        uint8_t *to = out + ((size_t)(p->pad_top + k) * (size_t)p->plan.out_width + (size_t)p->pad_left) * 3;
        if (p->down_first) {
            for (int j = 0; j < down->taps; j++)
                p->rows[j] = rgb + (down->first[k] + j) * pitch;
            down_u8(p, k, p->plan.in_width * 3, p->tail);
            across_u8(p, p->tail, p->ring);
            memcpy(to, p->ring, (size_t)bytes);
            continue;
        }
        if (across->same)
            for (int j = 0; j < down->taps; j++)
                p->rows[j] = rgb + (down->first[k] + j) * pitch + (ptrdiff_t)across->begin * 3;
        else
            fetch_rows(p, rgb, pitch, k);
        if (down->same)
            memcpy(to, p->rows[0], (size_t)bytes);
        else
            down_u8(p, k, bytes, to);
    }
}

static tub_finish finish_of(const tub_transform *t, int c)
{
    return t->normalize ? (tub_finish){t->mean[c], t->std[c]} : (tub_finish){0, 1};
}

static void run_float(tub_pixels *p, const uint8_t *rgb, ptrdiff_t pitch, float *out)
{
    const tub_axis *across = &p->across, *down = &p->down;
    size_t width = (size_t)p->plan.out_width, plane = width * (size_t)p->plan.out_height;
    for (int k = 0; k < down->kept; k++) {
        fetch_rows(p, rgb, pitch, k);
        float *to = out + (size_t)(p->pad_top + k) * width + (size_t)p->pad_left;
        for (int c = 0; c < 3; c++) {
            p->kernels->down_float((const float *const *)p->rows, down->weights + (size_t)k * (size_t)down->taps,
                                   down->taps, finish_of(&p->transform, c), across->kept, to + (size_t)c * plane);
            for (int j = 0; j < down->taps; j++)
                p->rows[j] = (const float *)p->rows[j] + across->padded;
        }
    }
}

// What a zero becomes: 0 in the 8-bit domain, the affine map of 0 in the float domain.
static void fill_padding(const tub_pixels *p, void *out)
{
    const tub_pixel_plan *plan = &p->plan;
    if (p->across.kept == plan->out_width && p->down.kept == plan->out_height)
        return;
    memset(out, 0, plan->bytes);
    size_t plane = (size_t)plan->out_height * (size_t)plan->out_width;
    for (int c = 0; c < 3 && p->transform.domain == TUB_DOMAIN_FLOAT; c++) {
        float zero = tub_transform_finish(&p->transform, c, 0);
        for (size_t i = 0; i < plane; i++)
            ((float *)out)[(size_t)c * plane + i] = zero;
    }
}

void tub_pixels_run(tub_pixels *p, const uint8_t *rgb, ptrdiff_t pitch, void *out)
{
    p->ready = 0;
    fill_padding(p, out);
    if (p->transform.domain == TUB_DOMAIN_FLOAT)
        run_float(p, rgb, pitch, out);
    else
        run_u8(p, rgb, pitch, out);
}

void tub_pixels_close(tub_pixels **p)
{
    if (!p || !*p)
        return;
    tub_axis_finish(&(*p)->across);
    tub_axis_finish(&(*p)->down);
    tub_free((*p)->ring);
    tub_free((void *)(*p)->rows);
    tub_free((*p)->tail);
    tub_free(*p);
    *p = NULL;
}
