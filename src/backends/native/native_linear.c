// LINEAR: a unit is a block of rows times some panels of columns. The unit packs its rows once, then goes over the
// panels in groups. k is split into parts, so that a part of a panel stays in the first-level cache for all the rows;
// the group's sums are kept meanwhile. If k is long and the columns are few, the parts of k are the outer loop instead,
// and rows are packed a part at a time. Finished sums go through the epilogue while they are in the cache. Some
// products read rows where they are, unpacked.
// In int8, a unit's rows become integers when they are packed, see int8_rows.h. Weights are packed by native_pack.c.
#include "fail.h"
#include "half.h"
#include "int8_rows.h"
#include "native_plan.h"

typedef struct linear_step {
    const tub_product *product;
    int rows, k, n;
    int unit_rows, row_units; // most rows of a unit, whole blocks of the product; number of units that share the rows
    int panels, panel_units;  // panels of `product->cols` columns; units of an item that is alone in its wave
    int group_panels;         // panels that are computed together
    int k_part, parts;
    bool k_outer;
    bool in_place;               // rows aren't packed
    tub_product_packing packing; // of a packed block of rows: all of k, or a part with k_outer
    size_t rows_bytes;           // packed rows of a unit
    tub_packed_weight weight;
    tub_epilogue epilogue; // the residual is filled in at run time
} linear_step;

// The unit that is being computed.
typedef struct work {
    const tub_run *run;
    const tub_step *step;
    const linear_step *l;
    int item, row, rows; // its rows
    int panel, panels;   // its panels
    char *packed_rows;
    const char *operand; // packed_rows, or the rows themselves
    float *row_scales;   // of int8 rows
    float *sums;         // of a group: [panel][block of rows][rows of a block][cols]
} work;

static int divide_up(int a, int b)
{
    return (a + b - 1) / b;
}

static int blocks_of(const linear_step *l, int rows)
{
    return divide_up(rows, l->product->rows);
}

static int part_length(const linear_step *l, int part)
{
    const int whole = tub_product_depth(l->product, l->k), left = whole - part * l->k_part;
    return left < l->k_part ? left : l->k_part;
}

static const char *rows_of(const work *w)
{
    return tub_row(w->run, w->step->op.in[0], w->item, w->row);
}

// Packs elements [first, first + count) of k of the unit's rows.
static void pack_rows(const work *w, int first, int count)
{
    const linear_step *l = w->l;
    const size_t element = l->product->element, row_bytes = (size_t)l->k * element;
    const int most = l->product->rows;
    const char *from = rows_of(w) + (size_t)first * element;
    for (int r = 0; r < w->rows; r += most)
        tub_product_pack_a(l->product, &l->packing, from + (size_t)r * row_bytes, row_bytes,
                           w->rows - r < most ? w->rows - r : most, count,
                           w->packed_rows + (size_t)(r / most) * l->packing.bytes);
}

static void pack_int8_rows(const work *w, int first, int count)
{
    const linear_step *l = w->l;
    const tub_kernels *kernels = w->run->executable->kernels;
    const size_t row_bytes = (size_t)l->k * kernels->narrow_bytes;
    const int most = l->product->rows;
    tub_int8_block b = {.row_bytes = row_bytes, .count = count, .packing = l->packing};
    if (first == 0)
        tub_int8_row_scales(kernels, rows_of(w), row_bytes, w->rows, l->k, w->row_scales);
    for (int r = 0; r < w->rows; r += most) {
        b.from = rows_of(w) + (size_t)r * row_bytes + (size_t)first * kernels->narrow_bytes;
        b.rows = w->rows - r < most ? w->rows - r : most;
        b.scales = w->row_scales + r;
        b.out = w->packed_rows + (size_t)(r / most) * l->packing.bytes;
        tub_int8_pack(kernels, l->product, &b);
    }
}

static void finish(const work *w, int panel, int block, const float *sums)
{
    const linear_step *l = w->l;
    const tub_executable *e = w->run->executable;
    const tub_op *op = &w->step->op;
    const int most = l->product->rows, cols = l->product->cols, col = panel * cols, row = w->row + block * most;
    const int left = w->rows - block * most;
    tub_finish_block f = {.x = sums,
                          .x_stride = (size_t)cols,
                          .out_stride = (size_t)l->n,
                          .rows = left < most ? left : most,
                          .cols = l->n - col < cols ? l->n - col : cols,
                          .epilogue = l->epilogue,
                          .wide = e->values[op->out].width == TUB_WIDE};
    f.epilogue.bias = f.epilogue.bias ? f.epilogue.bias + col : NULL;
    f.epilogue.scale = f.epilogue.scale ? f.epilogue.scale + col : NULL;
    f.out = (char *)tub_row(w->run, op->out, w->item, row) + (size_t)col * tub_element_bytes(e, op->out);
    if (op->in[1] != TUB_NONE) {
        f.epilogue.residual = (const float *)tub_row(w->run, op->in[1], w->item, row) + col;
        f.residual_stride = (size_t)l->n;
    }
    if (l->weight.scales)
        f.integers = (tub_integer_sums){.rows = w->row_scales + block * most,
                                        .columns = l->weight.scales + col,
                                        .offsets = l->weight.offsets ? l->weight.offsets + col : NULL};
    e->kernels->finish_block(&f);
}

// Prefetches what a block's results are added to and where they are written, while its sums are computed.
static void fetch_results(const work *w, int panel, int block)
{
    const linear_step *l = w->l;
    const tub_executable *e = w->run->executable;
    const tub_op *op = &w->step->op;
    const size_t element = tub_element_bytes(e, op->out), bytes = (size_t)l->product->cols * element;
    const int first = block * l->product->rows, last = first + l->product->rows;
    for (int r = first; r < last && r < w->rows; r++) {
        const char *out = tub_row(w->run, op->out, w->item, w->row + r);
        for (size_t at = 0; at < bytes; at += 64)
            __builtin_prefetch(out + (size_t)panel * bytes + at, 1, 2);
    }
}

// Multiplies one part of k of one panel, for all the unit's rows. `next`: what will be read afterwards.
static void multiply_panel(const work *w, int panel, int place, int part, const char *next)
{
    const linear_step *l = w->l;
    const tub_product *p = l->product;
    const int blocks = blocks_of(l, w->rows);
    const size_t element = p->element, sums = (size_t)(p->rows * p->cols);
    const int k = part_length(l, part), turns = blocks * ((k + p->span - 1) / p->span);
    const size_t lines = (size_t)k * (size_t)p->cols * element / 64;
    tub_product_block b = {.b = l->weight.panels + (size_t)panel * l->weight.panel_bytes +
                                (size_t)(part * l->k_part) * (size_t)p->cols * element,
                           .a_row = l->packing.row,
                           .a_group = l->packing.group,
                           .k = k,
                           .c_row = (size_t)p->cols,
                           .panels = 1,
                           .add = part > 0,
                           .next = next,
                           .next_lines = (int)((lines + (size_t)turns - 1) / (size_t)turns)};
    const size_t into = l->k_outer && !l->in_place ? 0 : (size_t)(part * l->k_part / p->span) * l->packing.group;
    for (int i = 0; i < blocks; i++) {
        b.a = w->operand + (size_t)i * l->packing.bytes + into;
        b.rows = w->rows - i * p->rows < p->rows ? w->rows - i * p->rows : p->rows;
        b.c = w->sums + (l->parts > 1 ? (size_t)(place * blocks + i) * sums : 0);
        if (part == l->parts - 1)
            fetch_results(w, panel, i);
        p->multiply(&b);
        b.next = b.next ? b.next + (size_t)(b.next_lines * 64) * (size_t)(turns / blocks) : NULL;
        if (part == l->parts - 1)
            finish(w, panel, i, b.c);
    }
}

static const char *panel_part(const linear_step *l, int panel, int part)
{
    return l->weight.panels + (size_t)panel * l->weight.panel_bytes +
           (size_t)(part * l->k_part) * (size_t)l->product->cols * l->product->element;
}

// Multiplies one part of k of the unit's panels [first, first + count).
static void multiply_part(const work *w, int first, int count, int part)
{
    const linear_step *l = w->l;
    for (int i = 0; i < count; i++) {
        const char *next = i + 1 < count                          ? panel_part(l, first + i + 1, part)
                           : part + 1 < l->parts                  ? panel_part(l, first, part + 1)
                           : first + count < w->panel + w->panels ? panel_part(l, first + count, 0)
                                                                  : NULL;
        multiply_panel(w, first + i, i, part, next);
    }
}

static void pack(const work *w, int first, int count)
{
    if (w->l->in_place)
        return;
    if (w->l->weight.scales)
        pack_int8_rows(w, first, count);
    else
        pack_rows(w, first, count);
}

static void run_k_outer(const work *w)
{
    const linear_step *l = w->l;
    for (int part = 0; part < l->parts; part++) {
        const int left = l->k - part * l->k_part;
        pack(w, part * l->k_part, left < l->k_part ? left : l->k_part);
        multiply_part(w, w->panel, w->panels, part);
    }
}

static void run_k_inner(const work *w)
{
    const linear_step *l = w->l;
    pack(w, 0, l->k);
    for (int at = 0; at < w->panels; at += l->group_panels) {
        const int count = w->panels - at < l->group_panels ? w->panels - at : l->group_panels;
        for (int part = 0; part < l->parts; part++)
            multiply_part(w, w->panel + at, count, part);
    }
}

static size_t scales_room(const linear_step *l)
{
    return tub_round_line((size_t)l->unit_rows * sizeof(float)) / sizeof(float);
}

// Blocks are distributed so that units differ by one block at most.
static int first_row(const linear_step *l, int unit)
{
    const int row = (int)((int64_t)blocks_of(l, l->rows) * unit / l->row_units) * l->product->rows;
    return row < l->rows ? row : l->rows;
}

static tub_status linear_unit(const tub_run *run, const tub_step *step, int item, int unit, int member, tub_error *err)
{
    (void)err;
    const linear_step *l = step->made;
    const int across = tub_step_units(run, step) / l->row_units, most = divide_up(l->panels, across);
    work w = {.run = run, .step = step, .l = l, .item = item, .packed_rows = tub_scratch(run->executable, member)};
    w.row_scales = (float *)(void *)(w.packed_rows + l->rows_bytes);
    w.sums = w.row_scales + (l->weight.scales ? scales_room(l) : 0);
    w.row = first_row(l, unit / across);
    w.rows = first_row(l, unit / across + 1) - w.row;
    w.panel = unit % across * most;
    w.panels = l->panels - w.panel < most ? l->panels - w.panel : most;
    w.operand = l->in_place ? rows_of(&w) : w.packed_rows;
    l->product->enter();
    if (l->k_outer)
        run_k_outer(&w);
    else
        run_k_inner(&w);
    l->product->leave();
    return TUB_OK;
}

// The number of units that share the rows; each has at most `most`. It is a multiple of the threads if that costs
// little.
static int units_of_rows(const linear_step *l, int most, int threads)
{
    const int blocks = blocks_of(l, l->rows), at_once = most / l->product->rows;
    int units = divide_up(blocks, at_once > 1 ? at_once : 1);
    if (units > 1 && units < 8 * threads && units % threads)
        units += threads - units % threads;
    return units < blocks ? units : blocks;
}

enum { GROUP_COLS = 256 };

// How many rows of a unit fit in the cache, beside the sums.
static int most_rows(const linear_step *l)
{
    const size_t sums = l->parts == 1 ? 0 : sizeof(float) * (size_t)(l->k_outer ? l->n : GROUP_COLS);
    const size_t row = (l->k_outer ? (size_t)l->k_part : (size_t)l->k) * l->product->element + sums;
    const size_t rows = tub_native_cache_bytes() / row;
    return rows > 100000 ? 100000 : (int)rows;
}

static tub_product_packing rows_as_they_lie(const linear_step *l)
{
    const size_t row = (size_t)l->k * l->product->element;
    return (tub_product_packing){
        .row = row, .group = (size_t)l->product->span * l->product->element, .bytes = row * (size_t)l->product->rows};
}

static void choose_sizes(const tub_executable *e, linear_step *l)
{
    const tub_product *p = l->product;
    const int depth = tub_product_depth(p, l->k);
    const int threads = tub_team_size(e->team);
    l->parts = divide_up(depth, p->k_block);
    l->k_part = divide_up(divide_up(depth, l->parts), p->span) * p->span;
    l->parts = divide_up(depth, l->k_part);
    l->k_outer = l->parts > 1 && (size_t)l->k * p->element > (size_t)l->n * sizeof(float);
    l->row_units = units_of_rows(l, most_rows(l), threads);
    l->unit_rows = divide_up(blocks_of(l, l->rows), l->row_units) * p->rows;
    // If rows are few, threads share the columns, and each packs the rows for itself.
    l->panels = divide_up(l->n, p->cols);
    l->panel_units = l->row_units >= threads ? 1 : divide_up(2 * threads, l->row_units);
    l->panel_units = divide_up(l->panels, divide_up(l->panels, l->panel_units));
    l->group_panels = GROUP_COLS / p->cols;
    l->packing = tub_product_packing_of(p, l->k_outer ? l->k_part : l->k);
    if (l->in_place)
        l->packing = rows_as_they_lie(l);
}

static void need_scratch(tub_executable *e, linear_step *l)
{
    const tub_product *p = l->product;
    const size_t blocks = (size_t)blocks_of(l, l->unit_rows), block = (size_t)(p->rows * p->cols) * sizeof(float);
    const size_t panels = (size_t)(l->k_outer ? l->panels : l->group_panels);
    l->rows_bytes = l->in_place ? 0 : tub_round_line(blocks * l->packing.bytes);
    tub_need_scratch(e, l->rows_bytes + scales_room(l) * sizeof(float) + block * (l->parts == 1 ? 1 : blocks * panels));
}

// These aren't computed in int8: the first layer, on pixels, and layers with few rows. Both cost little, and affect the
// results much.
static bool as_integers(const tub_program *p, const tub_op *op)
{
    enum { FEW_ROWS = 16 };
    bool pixels = false;
    for (int i = 0; i < p->op_count; i++)
        pixels = pixels || (p->ops[i].kind == TUB_OP_PATCHES && p->ops[i].out == op->in[0]);
    return !pixels && p->values[op->out].rows >= FEW_ROWS;
}

size_t tub_native_weight_bytes(const tub_program *program, const tub_op *op, tub_dtype dtype)
{
    const bool int8 = dtype == TUB_INT8 && as_integers(program, op);
    const tub_product *product = tub_product_for(int8 || dtype != TUB_INT8 ? dtype : tub_processor_best_dtype());
    const int n = program->values[op->out].cols, k = program->values[op->in[0]].cols;
    const size_t panels = (size_t)divide_up(n, product->cols) * tub_product_panel_bytes(product, k);
    const size_t scales = int8 ? tub_round_line((size_t)n * sizeof(float)) : 0;
    return tub_round_line(panels) + scales * (product->a_shift ? 2 : 1);
}

tub_status tub_native_linear_make(tub_executable *e, tub_step *step, tub_error *err)
{
    const tub_op *op = &step->op;
    linear_step *l = step->made = tub_arena_alloc(&e->arena, 1, sizeof *l);
    if (!l)
        return tub_fail_memory(err, "a product");
    const bool int8 = e->int8 && as_integers(e->program, op);
    *l = (linear_step){.product = tub_product_for(int8 ? TUB_INT8 : e->dtype),
                       .rows = e->values[op->out].rows,
                       .k = e->values[op->in[0]].cols,
                       .n = e->values[op->out].cols};
    l->in_place = !int8 && !l->product->packs_a && l->k % l->product->depth == 0;
    choose_sizes(e, l);
    need_scratch(e, l);
    const tub_weight_order order = {
        .product = l->product, .tensor = &op->linear.weight, .k = l->k, .n = l->n, .int8 = int8, .out = &l->weight};
    TUB_TRY(tub_native_pack_later(e, &order, err));
    l->epilogue.activation = op->linear.activation;
    if (op->linear.bias.data && !(l->epilogue.bias = tub_own_floats(e, &op->linear.bias)))
        return tub_fail_memory(err, "a bias");
    if (op->linear.scale.data && !(l->epilogue.scale = tub_own_floats(e, &op->linear.scale)))
        return tub_fail_memory(err, "a scale");
    step->units = l->row_units * l->panel_units;
    step->units_whole = l->row_units;
    step->unit = linear_unit;
    return TUB_OK;
}
