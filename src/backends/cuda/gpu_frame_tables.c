#include "gpu_frame_tables.h"

#include <string.h>

#include "fail.h"
#include "gpu_frame_bodies.h"
#include "memory.h"

enum {
    FEW_TAPS = 9,            // with this many inputs per pixel or fewer, sharing them isn't worth it
    SHARED_BYTES = 48 << 10, // what a block has on any card without asking
    GOOD_BYTES = 54 << 10,   // with this much, several blocks fit on a multiprocessor
    MOST_BYTES = 64 << 10,   // what a block may ask for
    MOST_WARPS = 8,          // of a block: a multiprocessor has four parts, which should get equal shares
    MOST_BANDS = 2,
    MOST_STEPS = 4, // across: their weights stay in registers
    MOST_PLANES = 3,
    ALIGNMENT = 16,
    FRAGMENT = 32, // inputs of a step; also the number of lanes
};

static int up(int value, int to)
{
    return (value + to - 1) / to * to;
}

static const int32_t *firsts_of(const tub_frame_recipe *r, const tub_recipe_axis *axis)
{
    return (const int32_t *)(const void *)(r->tables + axis->first);
}

static const int32_t *weights_of(const tub_frame_recipe *r, const tub_recipe_axis *axis)
{
    return (const int32_t *)(const void *)(r->tables + axis->weights);
}

// ---- tiles without tensor cores ----

// The most inputs that `size` neighbors of the result need.
static int most_inputs(const tub_frame_recipe *r, const tub_recipe_axis *axis, int out, int size)
{
    int most = 0;
    for (int at = 0; at < out; at += size) {
        int first, begin;
        const int count = tub_gpu_kept_of(axis, at, size, &first);
        const int inputs = tub_gpu_inputs_of(firsts_of(r, axis), axis->taps, first, count, &begin);
        most = inputs > most ? inputs : most;
    }
    return most;
}

static bool shares_inputs(const tub_frame_recipe *r)
{
    return !r->down_first && (int64_t)r->across.taps * r->down.taps > FEW_TAPS;
}

// Chosen if neighbors share many inputs and these fit in a block's memory.
static void choose_tiles(const tub_frame_recipe *r, tub_gpu_frame_tables *out)
{
    tub_gpu_pixels t = {.recipe = *r};
    if (!shares_inputs(r))
        return;
    t.tile_rows = most_inputs(r, &r->down, r->out_height, TUB_GPU_TILE_ROWS);
    t.tile_columns = most_inputs(r, &r->across, r->out_width, TUB_GPU_TILE_COLUMNS);
    if (tub_gpu_shared_values(&t) * 4 > SHARED_BYTES)
        return;
    out->tile_rows = t.tile_rows;
    out->tile_columns = t.tile_columns;
}

// ---- tensor cores ----

// An axis of the result in parts of `size`. Parts with numbers from `parts` on only fill up a block.
typedef struct cut {
    const tub_frame_recipe *recipe;
    const tub_recipe_axis *axis;
    int size, parts, alignment;
    int steps; // the most that any part needs
} cut;

// A part's inputs are *first .. *end - 1. A part without inputs gets those of the part before it, or begins where the
// first part does.
static void part_inputs(const cut *c, int part, int *first, int *end)
{
    const int32_t *firsts = firsts_of(c->recipe, c->axis);
    int kept, begin;
    int count = tub_gpu_kept_of(c->axis, part * c->size, c->size, &kept);
    if (count) {
        const int inputs = tub_gpu_inputs_of(firsts, c->axis->taps, kept, count, &begin);
        *first = begin / c->alignment * c->alignment;
        *end = begin + inputs;
        return;
    }
    const bool before = part * c->size < c->axis->pad;
    const int nearest = (c->axis->pad + (before ? 0 : c->axis->kept - 1)) / c->size;
    part_inputs(c, nearest, first, end);
    *end = before ? *first : *end;
}

static cut make_cut(const tub_frame_recipe *r, const tub_recipe_axis *axis, int out, int size, int alignment)
{
    cut c = {.recipe = r, .axis = axis, .size = size, .parts = (out + size - 1) / size, .alignment = alignment};
    for (int i = 0; i < c.parts; i++) {
        int first, end;
        part_inputs(&c, i, &first, &end);
        const int steps = (end - first + FRAGMENT - 1) / FRAGMENT;
        c.steps = steps > c.steps ? steps : c.steps;
    }
    return c;
}

// The most inputs that blocks of `many` parts read, in whole steps.
static int most_behind(const cut *c, int many)
{
    int most = 0;
    for (int i = 0; i < c->parts; i += many) {
        int first, last, end;
        part_inputs(c, i, &first, &end);
        part_inputs(c, i + many - 1, &last, &end);
        const int inputs = last + c->steps * FRAGMENT - first;
        most = inputs > most ? inputs : most;
    }
    return up(most, ALIGNMENT);
}

// The number of bytes that a weight needs, including its sign.
static int planes_of(const tub_frame_recipe *r, const tub_recipe_axis *axis)
{
    const int32_t *weights = weights_of(r, axis);
    int planes = 2;
    for (int64_t i = 0; i < (int64_t)axis->kept * axis->taps; i++)
        while (planes <= MOST_PLANES && (weights[i] >= 1 << (8 * planes - 1) || weights[i] < -(1 << (8 * planes - 1))))
            planes++;
    return planes;
}

static bool fits(tub_gpu_cores *c, const cut *across, const cut *down, int most)
{
    c->columns = most_behind(across, c->warps);
    c->rows = most_behind(down, c->bands);
    return tub_gpu_cores_shared(c).bytes <= most;
}

static tub_gpu_cores choose_cores(const tub_frame_recipe *r, const cut *across, const cut *down)
{
    static const tub_gpu_cores none = {0};
    const int planes_across = planes_of(r, &r->across), planes_down = planes_of(r, &r->down);
    tub_gpu_cores c = {.planes = planes_across > planes_down ? planes_across : planes_down,
                       .warps = across->parts < MOST_WARPS ? across->parts : MOST_WARPS,
                       .bands = down->parts < MOST_BANDS ? down->parts : MOST_BANDS,
                       .steps_across = across->steps,
                       .steps_down = down->steps};
    if (across->steps > MOST_STEPS || c.planes > MOST_PLANES)
        return none;
    while (c.bands > 1 && !fits(&c, across, down, GOOD_BYTES))
        c.bands--;
    while (c.warps > 1 && !fits(&c, across, down, MOST_BYTES))
        c.warps /= 2;
    return fits(&c, across, down, MOST_BYTES) ? c : none;
}

// The weight of input `input` for output `output` of the result.
static int32_t weight_of(const cut *c, int output, int input)
{
    const int kept = output - c->axis->pad;
    if (kept < 0 || kept >= c->axis->kept)
        return 0;
    const int tap = input - firsts_of(c->recipe, c->axis)[kept];
    return tap < 0 || tap >= c->axis->taps ? 0 : weights_of(c->recipe, c->axis)[(int64_t)kept * c->axis->taps + tap];
}

// Word `i` of a lane, which has `size` / 8 times two. Its output is number lane / 4 of the part; if there are four
// words, it is eight further in odd ones.
static uint32_t fragment_word(const cut *c, int part, int first, int plane, int lane, int i)
{
    const bool two = c->size == 8;
    const int output = part * c->size + lane / 4 + (two ? 0 : 8 * (i % 2));
    const int input = first + lane % 4 * 4 + 16 * (two ? i : i / 2);
    uint32_t word = 0;
    for (int j = 0; j < 4; j++)
        word |= ((uint32_t)weight_of(c, output, input + j) >> 8 * plane & 255) << 8 * j;
    return word;
}

static void put_fragments(const cut *c, int parts, int steps, int planes, uint32_t *out)
{
    for (int part = 0; part < parts; part++) {
        int first, end;
        part_inputs(c, part, &first, &end);
        for (int i = 0; i < steps * planes; i++)
            for (int lane = 0; lane < FRAGMENT; lane++)
                for (int word = 0; word < c->size / 4; word++)
                    *out++ = fragment_word(c, part, first + i / planes * FRAGMENT, i % planes, lane, word);
    }
}

// The left bounds; or the top bounds, with their ends.
static void put_bounds(const cut *c, int parts, bool ends, int32_t *out)
{
    for (int part = 0; part < parts; part++) {
        int first, end;
        part_inputs(c, part, &first, &end);
        *out++ = first;
        if (ends)
            *out++ = end;
    }
}

static size_t next_place(size_t *used, size_t bytes)
{
    const size_t at = (*used + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    *used = at + bytes;
    return at;
}

static tub_status make_weights(const cut *across, const cut *down, tub_gpu_frame_tables *out, tub_error *err)
{
    tub_gpu_cores *c = &out->cores;
    const int strips = up(across->parts, c->warps), bands = up(down->parts, c->bands);
    size_t bytes = out->bytes;
    c->lefts = (uint32_t)next_place(&bytes, (size_t)strips * 4);
    c->tops = (uint32_t)next_place(&bytes, (size_t)bands * 2 * 4);
    c->across = (uint32_t)next_place(&bytes, (size_t)strips * c->steps_across * c->planes * FRAGMENT * 2 * 4);
    c->down = (uint32_t)next_place(&bytes, (size_t)bands * c->steps_down * c->planes * FRAGMENT * 4 * 4);
    unsigned char *data = bytes < UINT32_MAX ? tub_calloc(bytes, 1) : NULL;
    if (!data)
        return tub_fail_memory(err, "the tables of the resize");
    memcpy(data, out->data, out->bytes);
    tub_free(out->data);
    out->data = data;
    out->bytes = bytes;
    put_bounds(across, strips, false, (int32_t *)(void *)(data + c->lefts));
    put_bounds(down, bands, true, (int32_t *)(void *)(data + c->tops));
    put_fragments(across, strips, c->steps_across, c->planes, (uint32_t *)(void *)(data + c->across));
    put_fragments(down, bands, c->steps_down, c->planes, (uint32_t *)(void *)(data + c->down));
    return TUB_OK;
}

static tub_status add_cores(const tub_frame_recipe *r, tub_gpu_frame_tables *out, tub_error *err)
{
    const cut down = make_cut(r, &r->down, r->out_height, 16, 4);
    cut across = make_cut(r, &r->across, r->out_width, 8, 16);
    if (across.steps == MOST_STEPS - 1) // there is no kernel for this number
        across.steps = MOST_STEPS;
    out->cores = choose_cores(r, &across, &down);
    return out->cores.planes ? make_weights(&across, &down, out, err) : TUB_OK;
}

tub_status tub_gpu_frame_tables_make(const tub_frame_recipe *r, bool cores, tub_gpu_frame_tables *out, tub_error *err)
{
    *out = (tub_gpu_frame_tables){.data = tub_calloc(r->table_bytes, 1), .bytes = r->table_bytes};
    if (!out->data)
        return tub_fail_memory(err, "the tables of the resize");
    memcpy(out->data, r->tables, r->table_bytes);
    choose_tiles(r, out);
    tub_status status = TUB_OK;
    if (cores && !r->is_float && shares_inputs(r) && r->across.kept > 0 && r->down.kept > 0)
        status = add_cores(r, out, err);
    if (status != TUB_OK)
        tub_gpu_frame_tables_finish(out);
    return status;
}

void tub_gpu_frame_tables_finish(tub_gpu_frame_tables *t)
{
    tub_free(t->data);
    *t = (tub_gpu_frame_tables){0};
}

void tub_gpu_frame_tables_use(const tub_gpu_frame_tables *t, tub_gpu_pixels *task)
{
    task->tile_rows = t->tile_rows;
    task->tile_columns = t->tile_columns;
    task->cores = t->cores;
}
