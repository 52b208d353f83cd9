#include "pixel_ops.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "fail.h"
#include "memory.h"
#include "pixel_axis.h"
#include "pixel_kernels.h"
#include "pixel_recipe.h"

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
    uint8_t *tail;     // a row of RGB: converted, or copied because a kernel would read past its end
    uint8_t *line;     // an output row in 8 bits, if the vertical pass comes first
    tub_scaling scaling;
    tub_finish finish[3];
    tub_pairs pairs;         // if both axes have two taps, in the float domain; else empty
    tub_frame_recipe recipe; // without tables until it is asked for
};

static tub_scaling make_scaling(const tub_transform *t)
{
    tub_scaling s = {.high = 1};
    // The plain resize follows a script that divides by 255, the antialiased one a processor that multiplies by 1/255.
    bool divides = t->rescale && !t->antialias && t->offset == 0 && t->scale == 1.0f / 255.0f;
    if (divides) {
        s.high = 1.0f / 255.0f;
        s.low = (float)(1.0 / 255.0 - (double)s.high);
    } else if (t->rescale) {
        s.high = t->scale;
        s.offset = t->offset;
    }
    for (int x = 0; x < 256; x++)
        s.table[x] = divides ? (float)x / 255 : (float)x * s.high + s.offset;
    return s;
}

static tub_finish make_finish(const tub_transform *t, const tub_scaling *s, int c)
{
    const float least = 1e-6f, most = 1e6f;
    tub_finish f = {.std = 1, .none = true};
    if (t->normalize)
        f = (tub_finish){.mean = t->mean[c], .std = t->std[c]};
    f.none = f.mean == 0 && f.std == 1;
    // The inverse is used only far from where a float overflows or loses bits.
    bool tame = fabsf(s->high) < most / 256 && fabsf(s->offset) < most && fabsf(f.mean) < most;
    if (tame && fabsf(f.std) > least && fabsf(f.std) < most)
        f.inverse = 1 / f.std;
    return f;
}

// Since Pillow 13, the vertical pass comes first if it removes more than twice as many rows as the horizontal pass
// removes columns.
static bool passes_swapped(const tub_transform *t, const tub_pixel_plan *plan)
{
    const int rows = plan->in_height - plan->resized_height, columns = plan->in_width - plan->resized_width;
    return t->pillow && t->domain == TUB_DOMAIN_U8 && t->interpolation != TUB_NEAREST && columns != 0 && rows > 0 &&
           rows > 2 * columns;
}

// Opens the axis for the part of `resized` that a crop of `size` pixels from `begin` on keeps.
static tub_status open_axis(tub_axis *axis, const tub_transform *t, int in, int resized, int begin, int size, int *pad,
                            tub_error *err)
{
    int from = begin > 0 ? begin : 0, to = begin + size < resized ? begin + size : resized;
    *pad = from - begin;
    return tub_axis_init(axis, t, in, resized, from, to - from, err);
}

// With pairs, each output pixel costs the same, whatever the picture's size. With rows, each of the picture's pixels
// costs something, but once for all outputs that blend it. Both give the same bytes.
static bool reads_pairs(const tub_pixels *p)
{
    enum { WORTH = 2 }; // measured from 160x120 to 854x480
    const double in = (double)p->plan.in_width * p->plan.in_height, out = (double)p->across.kept * p->down.kept;
    return p->transform.domain == TUB_DOMAIN_FLOAT && p->across.taps == 2 && p->down.taps == 2 &&
           p->plan.in_width >= TUB_PAIRS_COLUMNS && in > WORTH * out;
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
    size_t columns = p->down_first ? (size_t)plan->in_width : (size_t)p->across.padded;
    p->slot_bytes = (columns * 3 * pixel + TUB_AXIS_SLACK + 63) / 64 * 64;
    p->ring = tub_alloc_aligned((size_t)p->down.taps, p->slot_bytes);
    p->rows = tub_calloc((size_t)p->down.taps, sizeof *p->rows);
    p->tail = tub_calloc((size_t)plan->in_width * 3 + TUB_AXIS_SLACK, 1);
    p->line = tub_calloc((size_t)p->across.padded * 3 + TUB_AXIS_SLACK, 1);
    if (!p->ring || !p->rows || !p->tail || !p->line)
        return tub_fail_memory(err, "the rows of the resize");
    return reads_pairs(p) ? tub_pairs_init(&p->pairs, &p->across, err) : TUB_OK;
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
    for (int c = 0; c < 3; c++)
        p->finish[c] = make_finish(t, &p->scaling, c);
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

static void convert_row(const tub_pixels *p, const tub_picture *picture, int y, uint8_t *rgb)
{
    const uint8_t *planes[3];
    tub_picture_row(picture, y, planes);
    if (picture->kind == TUB_PICTURE_HALF)
        p->kernels->rgb_half(&picture->matrix, planes, p->plan.in_width, rgb);
    else
        p->kernels->rgb_full(&picture->matrix, planes, p->plan.in_width, rgb);
}

// Row `y` as packed RGB, readable for TUB_AXIS_SLACK bytes past its end.
static const uint8_t *rgb_row(const tub_pixels *p, const tub_picture *picture, int y)
{
    if (picture->kind != TUB_PICTURE_RGB) {
        convert_row(p, picture, y, p->tail);
        return p->tail;
    }
    ptrdiff_t width = (ptrdiff_t)p->plan.in_width * 3, pitch = picture->pitches[0], below = p->plan.in_height - 1 - y;
    const uint8_t *row = picture->planes[0] + y * pitch;
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

// Puts a row into the ring, through the horizontal pass unless there is none or it comes later.
static void put_row(const tub_pixels *p, const uint8_t *row, void *slot)
{
    const tub_axis *across = &p->across;
    if (p->transform.domain == TUB_DOMAIN_FLOAT)
        p->kernels->across_float(across, &p->scaling, row, slot);
    else if (p->down_first)
        memcpy(slot, row, (size_t)p->plan.in_width * 3);
    else if (across->same)
        memcpy(slot, row + (ptrdiff_t)across->begin * 3, (size_t)across->kept * 3);
    else
        across_u8(p, row, slot);
}

// Points p->rows to the rows in the ring that output `k` is made of.
static void fetch_rows(tub_pixels *p, const tub_picture *picture, int k)
{
    const tub_axis *down = &p->down;
    int first = down->first[k];
    for (int y = p->ready > first ? p->ready : first; y < first + down->taps; y++) {
        put_row(p, rgb_row(p, picture, y), p->ring + (size_t)(y % down->taps) * p->slot_bytes);
        p->ready = y + 1;
    }
    for (int j = 0; j < down->taps; j++)
        p->rows[j] = p->ring + (size_t)((first + j) % down->taps) * p->slot_bytes;
}

static void run_u8(tub_pixels *p, const tub_picture *picture, uint8_t *out)
{
    const tub_axis *across = &p->across, *down = &p->down;
    int bytes = across->kept * 3;
    for (int k = 0; k < down->kept; k++) {
        uint8_t *to = out + ((size_t)(p->pad_top + k) * (size_t)p->plan.out_width + (size_t)p->pad_left) * 3;
        if (across->same && down->same && !p->down_first) {
            const uint8_t *row = rgb_row(p, picture, down->first[k]);
            memcpy(to, row + (ptrdiff_t)across->begin * 3, (size_t)bytes);
            continue;
        }
        fetch_rows(p, picture, k);
        if (p->down_first) {
            down_u8(p, k, p->plan.in_width * 3, p->tail);
            across_u8(p, p->tail, p->line);
            memcpy(to, p->line, (size_t)bytes);
        } else if (down->same) {
            memcpy(to, p->rows[0], (size_t)bytes);
        } else {
            down_u8(p, k, bytes, to);
        }
    }
}

// Where in `out` the kept pixels of output row `k` begin, in the first channel's plane.
static float *float_row(const tub_pixels *p, int k, float *out)
{
    return out + (size_t)(p->pad_top + k) * (size_t)p->plan.out_width + (size_t)p->pad_left;
}

static void run_float(tub_pixels *p, const tub_picture *picture, float *out)
{
    const tub_axis *across = &p->across, *down = &p->down;
    size_t plane = (size_t)p->plan.out_width * (size_t)p->plan.out_height;
    for (int k = 0; k < down->kept; k++) {
        float *to = float_row(p, k, out);
        fetch_rows(p, picture, k);
        for (int c = 0; c < 3; c++) {
            p->kernels->down_float((const float *const *)p->rows, down->weights + (size_t)k * (size_t)down->taps,
                                   down->taps, p->finish[c], across->kept, to + (size_t)c * plane);
            for (int j = 0; j < down->taps; j++)
                p->rows[j] = (const float *)p->rows[j] + across->padded;
        }
    }
}

static void run_pairs(tub_pixels *p, const tub_picture *picture, float *out)
{
    const tub_axis *down = &p->down;
    size_t plane = (size_t)p->plan.out_width * (size_t)p->plan.out_height;
    tub_blend blend = {.matrix = &picture->matrix, .scaling = &p->scaling, .finish = p->finish};
    for (int k = 0; k < down->kept; k++) {
        for (int j = 0; j < 2; j++) {
            tub_picture_row(picture, down->first[k] + j, blend.rows[j]);
            blend.weights[j] = down->weights[2 * k + j];
        }
        for (int c = 0; c < 3; c++)
            blend.out[c] = float_row(p, k, out) + (size_t)c * plane;
        p->kernels->blend_half(&p->pairs, &blend);
    }
}

// Padding is what a zero becomes: 0 in the 8-bit domain, the affine map of 0 in the float domain.
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

void tub_pixels_run_picture(tub_pixels *p, const tub_picture *picture, void *out)
{
    p->ready = 0;
    fill_padding(p, out);
    if (p->transform.domain == TUB_DOMAIN_U8)
        run_u8(p, picture, out);
    else if (p->pairs.kept && picture->kind == TUB_PICTURE_HALF)
        run_pairs(p, picture, out);
    else
        run_float(p, picture, out);
}

void tub_pixels_run(tub_pixels *p, const uint8_t *rgb, ptrdiff_t pitch, void *out)
{
    tub_picture picture = {.kind = TUB_PICTURE_RGB, .planes = {rgb}, .pitches = {pitch}};
    tub_pixels_run_picture(p, &picture, out);
}

tub_status tub_pixels_recipe(tub_pixels *p, const tub_frame_recipe **out, tub_error *err)
{
    const tub_recipe_parts parts = {.plan = &p->plan,
                                    .is_float = p->transform.domain == TUB_DOMAIN_FLOAT,
                                    .down_first = p->down_first,
                                    .across = &p->across,
                                    .down = &p->down,
                                    .pad_left = p->pad_left,
                                    .pad_top = p->pad_top,
                                    .scaling = &p->scaling,
                                    .finish = p->finish};
    if (!p->recipe.tables) {
        TUB_TRY(tub_recipe_make(&parts, &p->recipe, err));
        for (int c = 0; c < 3; c++)
            p->recipe.zero[c] = tub_transform_finish(&p->transform, c, 0);
    }
    *out = &p->recipe;
    return TUB_OK;
}

void tub_pixels_close(tub_pixels **p)
{
    if (!p || !*p)
        return;
    tub_recipe_finish(&(*p)->recipe);
    tub_axis_finish(&(*p)->across);
    tub_axis_finish(&(*p)->down);
    tub_free((*p)->ring);
    tub_free((void *)(*p)->rows);
    tub_free((*p)->tail);
    tub_free((*p)->line);
    tub_pairs_finish(&(*p)->pairs);
    tub_free(*p);
    *p = NULL;
}
