// ATTENTION: for one head of one group, keys and values are packed. Then, for a few blocks of queries at a time, the
// keys are processed in chunks: scores, online softmax, and the mix of the values. Neither all the scores of a query
// nor those of all queries exist at once, so what is written stays in the caches. When a later chunk has a greater
// score, what was mixed before is scaled down.
#include <math.h>

#include "fail.h"
#include "native_plan.h"

enum {
    CHUNK_KEYS = 256, // a multiple of TUB_PRODUCT_SPAN and of every product's columns
    BLOCKS = 4,       // of queries, for each chunk of keys
    SPARE = 16,       // floats between rows of scores, so that they don't all use the same sets of the cache
    LEAST_SPAN = 128, // with this many queries, packing keys and values is worth it
};

typedef struct attention_step {
    const tub_product *product;
    int dim, heads, groups, queries, keys; // of a group
    int spans;                             // parts of a head's queries when the item is alone in its wave
    int dim_panels, key_panels;
    size_t key_panel_bytes, value_panel_bytes;
    tub_product_packing query_packing, weight_packing;
    size_t keys_bytes, values_bytes, query_bytes, weight_bytes, score_bytes, mixed_bytes;
    const void *query; // constant queries, narrow; NULL: queries are a value of the program
} attention_step;

// A member's scratch memory, and the state of the current queries.
typedef struct work {
    const tub_executable *e;
    const attention_step *a;
    float factor;
    char *keys, *values;   // packed
    char *queries;         // [BLOCKS] packed blocks
    char *weights;         // a packed block of a chunk
    float *scores;         // [rows, CHUNK_KEYS + SPARE]
    float *mixed;          // [BLOCKS * rows, dim_panels * cols]
    float *greatest, *sum; // [BLOCKS * rows]
    float *again;          // [rows]
    size_t score_row, mixed_row;
} work;

static work work_of(const tub_executable *e, const tub_step *step, int member)
{
    const attention_step *a = step->made;
    const size_t rows = (size_t)a->product->rows;
    work w = {.e = e, .a = a, .factor = (float)step->op.attention.scale * 1.44269504f};
    w.keys = tub_scratch(e, member);
    w.values = w.keys + a->keys_bytes;
    w.queries = w.values + a->values_bytes;
    w.weights = w.queries + a->query_bytes;
    w.scores = (float *)(void *)(w.weights + a->weight_bytes);
    w.mixed = (float *)(void *)((char *)w.scores + a->score_bytes);
    w.greatest = (float *)(void *)((char *)w.mixed + a->mixed_bytes);
    w.sum = w.greatest + BLOCKS * rows;
    w.again = w.sum + BLOCKS * rows;
    w.score_row = CHUNK_KEYS + SPARE;
    w.mixed_row = (size_t)(a->dim_panels * a->product->cols);
    return w;
}

static void pack_keys_and_values(const work *w, const tub_operands *o, size_t shift)
{
    const attention_step *a = w->a;
    const tub_product *p = a->product;
    const size_t element = p->element, k_stride = o->k_stride / element, v_stride = o->v_stride / element;
    for (int i = 0; i < a->key_panels; i++) {
        const int first = i * p->cols, cols = a->keys - first < p->cols ? a->keys - first : p->cols;
        tub_product_pack_across(p, o->k + shift + (size_t)first * o->k_stride, k_stride, a->dim, cols,
                                w->keys + (size_t)i * a->key_panel_bytes);
    }
    for (int i = 0; i < a->dim_panels; i++) {
        const int first = i * p->cols, cols = a->dim - first < p->cols ? a->dim - first : p->cols;
        tub_product_pack_down(p, o->v + shift + (size_t)first * element, v_stride, a->keys, cols,
                              w->values + (size_t)i * a->value_panel_bytes);
    }
}

static void score(const work *w, int block, int rows, int first_key, int keys)
{
    const attention_step *a = w->a;
    const tub_product *p = a->product;
    tub_product_block b = {.a = w->queries + (size_t)block * a->query_packing.bytes,
                           .a_row = a->query_packing.row,
                           .a_group = a->query_packing.group,
                           .rows = rows,
                           .k = tub_product_depth(p, a->dim),
                           .b = w->keys + (size_t)(first_key / p->cols) * a->key_panel_bytes,
                           .b_panel = a->key_panel_bytes,
                           .panels = (keys + p->cols - 1) / p->cols,
                           .c = w->scores,
                           .c_row = w->score_row};
    p->multiply(&b);
}

static void soften(const work *w, int block, int rows, int keys)
{
    const attention_step *a = w->a;
    const size_t first = (size_t)(block * a->product->rows);
    const tub_softmax_block b = {.scores = w->scores,
                                 .score_row = w->score_row,
                                 .rows = rows,
                                 .count = keys,
                                 .padded = (keys + TUB_PRODUCT_SPAN - 1) / TUB_PRODUCT_SPAN * TUB_PRODUCT_SPAN,
                                 .factor = w->factor,
                                 .greatest = w->greatest + first,
                                 .sum = w->sum + first,
                                 .again = w->again,
                                 .out = w->weights,
                                 .out_row = a->weight_packing.row,
                                 .out_span = a->weight_packing.group};
    w->e->kernels->softmax_block(&b);
    for (int r = 0; r < rows; r++)
        if (w->again[r] != 1.0f)
            w->e->kernels->scale(w->mixed + (first + (size_t)r) * w->mixed_row, w->again[r], (int)w->mixed_row);
}

static void mix(const work *w, int block, int rows, int first_key, int keys)
{
    const attention_step *a = w->a;
    const tub_product *p = a->product;
    tub_product_block b = {.a = w->weights,
                           .a_row = a->weight_packing.row,
                           .a_group = a->weight_packing.group,
                           .rows = rows,
                           .k = tub_product_depth(p, keys),
                           .b = w->values + (size_t)first_key * (size_t)p->cols * p->element,
                           .b_panel = a->value_panel_bytes,
                           .panels = a->dim_panels,
                           .c = w->mixed + (size_t)(block * p->rows) * w->mixed_row,
                           .c_row = w->mixed_row,
                           .add = true};
    p->multiply(&b);
}

static void begin(const work *w, const char *q, size_t stride, int queries)
{
    const attention_step *a = w->a;
    const int rows = a->product->rows;
    for (int r = 0; r < queries; r += rows)
        tub_product_pack_a(a->product, &a->query_packing, q + (size_t)r * stride, stride,
                           queries - r < rows ? queries - r : rows, a->dim,
                           w->queries + (size_t)(r / rows) * a->query_packing.bytes);
    for (int r = 0; r < queries; r++) {
        w->greatest[r] = -INFINITY;
        w->sum[r] = 0;
    }
    const size_t floats = (size_t)((queries + rows - 1) / rows * rows) * w->mixed_row;
    for (size_t i = 0; i < floats; i++)
        w->mixed[i] = 0;
}

// `queries`: at most BLOCKS blocks of them; `q` and `out` are at the head's part of the first one.
static void attend(const work *w, const char *q, size_t q_stride, char *out, size_t out_stride, int queries)
{
    const attention_step *a = w->a;
    const int most = a->product->rows;
    begin(w, q, q_stride, queries);
    for (int key = 0; key < a->keys; key += CHUNK_KEYS) {
        const int keys = a->keys - key < CHUNK_KEYS ? a->keys - key : CHUNK_KEYS;
        for (int block = 0; block * most < queries; block++) {
            const int rows = queries - block * most < most ? queries - block * most : most;
            score(w, block, rows, key, keys);
            soften(w, block, rows, keys);
            mix(w, block, rows, key, keys);
        }
    }
    for (int r = 0; r < queries; r++)
        w->e->kernels->multiply(w->mixed + (size_t)r * w->mixed_row, 1.0f / w->sum[r], out + (size_t)r * out_stride,
                                a->dim);
}

// The number of queries in a span: a multiple of what one call of attend() takes.
static int span_queries(const attention_step *a, int spans)
{
    const int at_once = BLOCKS * a->product->rows;
    return ((a->queries + spans - 1) / spans + at_once - 1) / at_once * at_once;
}

static tub_status attention_unit(const tub_run *run, const tub_step *step, int item, int unit, int member,
                                 tub_error *err)
{
    (void)err;
    const attention_step *a = step->made;
    const int spans = tub_step_units(run, step) / (a->groups * a->heads), most = span_queries(a, spans);
    const int span = unit % spans, head = unit / spans % a->heads, at_once = BLOCKS * a->product->rows;
    const int first = span * most, left = a->queries - first, queries = left < most ? left : most;
    const tub_operands o = tub_operands_of(run, step, a->query, item, unit / spans / a->heads);
    const size_t shift = (size_t)(head * a->dim) * a->product->element;
    const work w = work_of(run->executable, step, member);
    a->product->enter();
    pack_keys_and_values(&w, &o, shift);
    for (int i = 0; i < queries; i += at_once) {
        const size_t row = (size_t)(first + i);
        attend(&w, o.q + row * o.q_stride + shift, o.q_stride, o.out + row * o.out_stride + shift, o.out_stride,
               queries - i < at_once ? queries - i : at_once);
    }
    a->product->leave();
    return TUB_OK;
}

static void choose_spans(attention_step *a, int threads)
{
    const int units = a->groups * a->heads, wanted = 4 * threads;
    int spans = units >= wanted ? 1 : (wanted + units - 1) / units;
    const int most = a->queries / LEAST_SPAN > 0 ? a->queries / LEAST_SPAN : 1;
    spans = spans > most ? most : spans;
    a->spans = (a->queries + span_queries(a, spans) - 1) / span_queries(a, spans);
}

static void choose_sizes(tub_executable *e, attention_step *a)
{
    const tub_product *p = a->product;
    choose_spans(a, tub_team_size(e->team));
    a->dim_panels = (a->dim + p->cols - 1) / p->cols;
    a->key_panels = (a->keys + p->cols - 1) / p->cols;
    a->key_panel_bytes = tub_product_panel_bytes(p, a->dim);
    a->value_panel_bytes = tub_product_panel_bytes(p, a->keys);
    a->query_packing = tub_product_packing_of(p, a->dim);
    a->weight_packing = tub_product_packing_of(p, CHUNK_KEYS);
    a->keys_bytes = tub_round_line((size_t)a->key_panels * a->key_panel_bytes);
    a->values_bytes = tub_round_line((size_t)a->dim_panels * a->value_panel_bytes);
    a->query_bytes = tub_round_line(BLOCKS * a->query_packing.bytes);
    a->weight_bytes = tub_round_line(a->weight_packing.bytes);
    a->score_bytes = tub_round_line((size_t)p->rows * (CHUNK_KEYS + SPARE) * sizeof(float));
    a->mixed_bytes = tub_round_line((size_t)(BLOCKS * p->rows * a->dim_panels * p->cols) * sizeof(float));
    tub_need_scratch(e, a->keys_bytes + a->values_bytes + a->query_bytes + a->weight_bytes + a->score_bytes +
                            a->mixed_bytes + (2 * BLOCKS + 1) * (size_t)p->rows * sizeof(float));
}

tub_status tub_native_attention_make(tub_executable *e, tub_step *step, tub_error *err)
{
    const tub_op *op = &step->op;
    attention_step *a = step->made = tub_arena_alloc(&e->arena, 1, sizeof *a);
    if (!a)
        return tub_fail_memory(err, "attention");
    *a = (attention_step){.product = tub_product_for_attention(e->dtype),
                          .dim = op->attention.dim,
                          .heads = op->attention.heads,
                          .groups = op->attention.groups};
    a->queries = e->values[op->out].rows / a->groups;
    a->keys = e->values[op->in[1]].rows / a->groups;
    if (op->attention.query.data && !(a->query = tub_own_narrow(e, &op->attention.query)))
        return tub_fail_memory(err, "a query");
    choose_sizes(e, a);
    step->units = a->groups * a->heads * a->spans;
    step->units_whole = a->groups * a->heads;
    step->unit = attention_unit;
    return TUB_OK;
}
