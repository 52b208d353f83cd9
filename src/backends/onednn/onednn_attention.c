// ATTENTION: for one head of one group, keys and values are packed. Then, for each block of queries, come the scores,
// their softmax in place, and the mix of the values. The scores never leave the cache. oneDNN's fast kernels need
// contiguous rows, so the head's queries are gathered, and the softmax writes its narrow rows without gaps.
#include <string.h>

#include "fail.h"
#include "onednn_plan.h"

enum {
    BLOCK_ROWS = 112, // most queries at once
    FEWEST_ROWS = 16,
    SCORE_BYTES = 704 * 1024, // how much of the second-level cache a block's scores may take
    SPAN_ROWS = 800,          // queries that share one packing of keys and values
};

// Units: (group of rows) x (head) x (span of query blocks). Each unit packs its keys and values once.
typedef struct attention_step {
    int dim, keys, heads, groups; // keys: per group
    int queries;                  // per group
    int block_rows, blocks;       // of queries
    int span_blocks, spans;
    tub_matmul *scores[2], *mixes[2]; // [last block]
    tub_packer *pack_keys, *pack_values;
    size_t score_bytes, mixed_bytes, key_bytes;
    const void *query; // constant queries, narrow; NULL: queries are a value of the program
} attention_step;

static size_t rounded(size_t bytes)
{
    return (bytes + 63) & ~(size_t)63;
}

// The parts of a member's scratch memory.
typedef struct areas {
    float *scores;       // [block_rows, keys]; the weights, narrow, replace them
    float *mixed;        // [block_rows, dim]
    char *queries;       // [block_rows, dim] narrow
    char *keys, *values; // packed
    char *dnnl;
} areas;

static areas areas_of(const tub_executable *e, const attention_step *a, int member)
{
    char *scratch = tub_scratch(e, member);
    areas s = {.scores = (float *)(void *)scratch, .dnnl = scratch + e->tile_bytes};
    s.mixed = (float *)(void *)(scratch + a->score_bytes);
    s.queries = scratch + a->score_bytes + a->mixed_bytes;
    s.keys = s.queries + a->mixed_bytes;
    s.values = s.keys + a->key_bytes;
    return s;
}

// `q` and `out` are at the head's columns in the block's first row.
static tub_status attend(const tub_executable *e, const tub_step *step, int block, const char *q, size_t q_stride,
                         char *out, size_t out_stride, int member, tub_error *err)
{
    const attention_step *a = step->made;
    const areas s = areas_of(e, a, member);
    const size_t narrow = e->kernels->narrow_bytes, dim = (size_t)a->dim, keys = (size_t)a->keys;
    const float scale = (float)step->op.attention.scale;
    const bool last = block == a->blocks - 1;
    const size_t rows = (size_t)tub_matmul_shape_of(a->scores[last])->m;
    float factors[BLOCK_ROWS];
    for (size_t i = 0; i < rows; i++)
        memcpy(s.queries + i * dim * narrow, q + i * q_stride, dim * narrow);
    TUB_TRY(tub_matmul_run(a->scores[last], member, s.queries, s.keys, s.scores, s.dnnl, err));
    for (size_t i = 0; i < rows; i++)
        factors[i] = e->kernels->softmax(s.scores + i * keys, scale, (char *)s.scores + i * keys * narrow, a->keys);
    TUB_TRY(tub_matmul_run(a->mixes[last], member, s.scores, s.values, s.mixed, s.dnnl, err));
    for (size_t i = 0; i < rows; i++)
        e->kernels->multiply(s.mixed + i * dim, factors[i], out + i * out_stride, a->dim);
    return TUB_OK;
}

static tub_status attention_unit(const tub_run *run, const tub_step *step, int item, int unit, int member,
                                 tub_error *err)
{
    const tub_executable *e = run->executable;
    const attention_step *a = step->made;
    const areas s = areas_of(e, a, member);
    const int span = unit % a->spans, head = unit / a->spans % a->heads;
    const tub_operands o = tub_operands_of(run, step, a->query, item, unit / a->spans / a->heads);
    const size_t shift = (size_t)(head * a->dim) * e->kernels->narrow_bytes;
    TUB_TRY(tub_packer_run(a->pack_keys, member, o.k + shift, s.keys, s.dnnl, err));
    TUB_TRY(tub_packer_run(a->pack_values, member, o.v + shift, s.values, s.dnnl, err));
    for (int block = span * a->span_blocks; block < (span + 1) * a->span_blocks && block < a->blocks; block++) {
        const size_t row = (size_t)(block * a->block_rows);
        TUB_TRY(attend(e, step, block, o.q + row * o.q_stride + shift, o.q_stride, o.out + row * o.out_stride + shift,
                       o.out_stride, member, err));
    }
    return TUB_OK;
}

static void choose_blocks(attention_step *a)
{
    const int queries = a->queries;
    int most = SCORE_BYTES / (a->keys * (int)sizeof(float));
    most = most > BLOCK_ROWS ? BLOCK_ROWS : most < FEWEST_ROWS ? FEWEST_ROWS : most;
    a->blocks = (queries + most - 1) / most;
    a->block_rows = (queries + a->blocks - 1) / a->blocks;
    a->blocks = (queries + a->block_rows - 1) / a->block_rows;
    a->spans = (queries + SPAN_ROWS - 1) / SPAN_ROWS;
    a->span_blocks = (a->blocks + a->spans - 1) / a->spans;
    a->spans = (a->blocks + a->span_blocks - 1) / a->span_blocks;
}

static tub_status make_products(tub_executable *e, attention_step *a, tub_error *err)
{
    for (int last = 0; last < 2; last++) {
        const int m = last ? a->queries - (a->blocks - 1) * a->block_rows : a->block_rows;
        const tub_matmul_shape scores = {.m = m, .k = a->dim, .n = a->keys, .bf16 = e->dtype == TUB_BF16};
        const tub_matmul_shape mix = {.m = m, .k = a->keys, .n = a->dim, .bf16 = e->dtype == TUB_BF16};
        TUB_TRY(tub_shelf_matmul(e, &scores, last ? a->scores[0] : NULL, &a->scores[last], err));
        TUB_TRY(tub_shelf_matmul(e, &mix, last ? a->mixes[0] : NULL, &a->mixes[last], err));
    }
    return TUB_OK;
}

tub_status tub_onednn_attention_make(tub_executable *e, tub_step *step, tub_error *err)
{
    const tub_op *op = &step->op;
    attention_step *a = step->made = tub_arena_alloc(&e->arena, 1, sizeof *a);
    if (!a)
        return tub_fail_memory(err, "attention");
    a->heads = op->attention.heads;
    a->dim = op->attention.dim;
    a->groups = op->attention.groups;
    a->queries = e->values[op->out].rows / a->groups;
    a->keys = e->values[op->in[1]].rows / a->groups;
    if (op->attention.query.data && !(a->query = tub_own_narrow(e, &op->attention.query)))
        return tub_fail_memory(err, "a query");
    choose_blocks(a);
    TUB_TRY(make_products(e, a, err));
    TUB_TRY(tub_shelf_packer(e, a->scores[0], 1, e->values[op->in[1]].cols, false, &a->pack_keys, err));
    TUB_TRY(tub_shelf_packer(e, a->mixes[0], e->values[op->in[2]].cols, 1, false, &a->pack_values, err));
    a->score_bytes = rounded((size_t)a->block_rows * (size_t)a->keys * sizeof(float));
    a->mixed_bytes = rounded((size_t)a->block_rows * (size_t)a->dim * sizeof(float));
    a->key_bytes = rounded(tub_matmul_packed_bytes(a->scores[0]));
    tub_need_scratch(e, a->score_bytes + 2 * a->mixed_bytes + a->key_bytes +
                            rounded(tub_matmul_packed_bytes(a->mixes[0])));
    step->units = a->groups * a->heads * a->spans;
    step->unit = attention_unit;
    return TUB_OK;
}
