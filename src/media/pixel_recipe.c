#include "pixel_recipe.h"

#include <string.h>

#include "fail.h"
#include "memory.h"

static size_t weight_count(const tub_axis *axis)
{
    return (size_t)axis->kept * (size_t)axis->taps;
}

// Values are four bytes each.
static size_t table_values(const tub_recipe_parts *p)
{
    return (size_t)p->across->kept + weight_count(p->across) + (size_t)p->down->kept + weight_count(p->down) + 256;
}

// Appends `count` values of four bytes; returns where they begin.
static uint32_t append(unsigned char *tables, uint32_t *used, const void *values, size_t count)
{
    const uint32_t at = *used;
    memcpy(tables + at, values, 4 * count);
    *used += (uint32_t)(4 * count);
    return at;
}

// Weights of 16 or 32 bits become 32-bit integers; in the float domain they stay as they are.
static uint32_t append_weights(unsigned char *tables, uint32_t *used, const tub_axis *axis, bool is_float)
{
    const uint32_t at = *used;
    if (is_float)
        return append(tables, used, axis->weights, weight_count(axis));
    for (int k = 0; k < axis->kept; k++)
        for (int j = 0; j < axis->taps; j++) {
            const int32_t weight = axis->weights32 ? axis->weights32[(size_t)k * (size_t)axis->taps + (size_t)j]
                                                   : axis->weights16[(size_t)k * (size_t)axis->quads + (size_t)j];
            append(tables, used, &weight, 1);
        }
    return at;
}

static tub_recipe_axis make_axis(unsigned char *tables, uint32_t *used, const tub_axis *axis, int pad, bool is_float)
{
    tub_recipe_axis out = {.kept = axis->kept, .pad = pad, .taps = axis->taps, .precision = axis->precision};
    out.first = append(tables, used, axis->first, (size_t)axis->kept);
    out.weights = append_weights(tables, used, axis, is_float);
    return out;
}

tub_status tub_recipe_make(const tub_recipe_parts *p, tub_frame_recipe *out, tub_error *err)
{
    const size_t values = table_values(p);
    unsigned char *tables = values < UINT32_MAX / 4 ? tub_calloc(values, 4) : NULL;
    *out = (tub_frame_recipe){.in_height = p->plan->in_height,
                              .in_width = p->plan->in_width,
                              .out_height = p->plan->out_height,
                              .out_width = p->plan->out_width,
                              .is_float = p->is_float,
                              .down_first = p->down_first};
    if (!tables)
        return tub_fail_memory(err, "the tables of the resize");
    out->across = make_axis(tables, &out->table_bytes, p->across, p->pad_left, p->is_float);
    out->down = make_axis(tables, &out->table_bytes, p->down, p->pad_top, p->is_float);
    out->levels = append(tables, &out->table_bytes, p->scaling->table, 256);
    out->high = p->scaling->high;
    out->low = p->scaling->low;
    out->offset = p->scaling->offset;
    for (int c = 0; c < 3; c++) {
        out->mean[c] = p->finish[c].mean;
        out->std[c] = p->finish[c].std;
        out->inverse[c] = p->finish[c].inverse;
    }
    out->tables = tables;
    return TUB_OK;
}

void tub_recipe_finish(tub_frame_recipe *recipe)
{
    union {
        const unsigned char *read;
        void *ours;
    } tables = {.read = recipe->tables}; // const for its readers only
    tub_free(tables.ours);
    *recipe = (tub_frame_recipe){0};
}
