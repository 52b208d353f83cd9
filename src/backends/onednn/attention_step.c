// ATTENTION: for one head, keys and values are packed; then for each block of queries the scores, their softmax in
// place, and the mix of the values. The scores never leave the cache. oneDNN's fast kernels want rows that follow each
// other, so the queries of the head are gathered, and the softmax closes up the narrow rows.
#include <string.h>

#include "fail.h"
#include "onednn_plan.h"

enum {
    BLOCK_ROWS = 112,           // most queries at once
    FEWEST_ROWS = 16,
    SCORE_BYTES = 704 * 1024,   // what the scores of a block may take of the second-level cache
    GROUP_ROWS = 448,           // queries for which keys and values are packed again
};

static size_t rounded(size_t bytes)
{
    return (bytes + 63) & ~(size_t)63;
}

// The member's scratch.
typedef struct areas {
    float *scores;              // [block_rows, keys]; narrow, they are the weights
    float *mixed;               // [block_rows, dim]
    char *queries;              // [block_rows, dim] narrow
    char *keys, *values;        // packed
    char *dnnl;
} areas;

static areas areas_of(const tub_executable *e, const tub_attention_step *a, int member)
{
    char *scratch = tub_scratch(e, member);
    areas s = {.scores = (float *)(void *)scratch, .dnnl = scratch + e->tile_bytes};
    s.mixed = (float *)(void *)(scratch + a->score_bytes);
    s.queries = scratch + a->score_bytes + a->mixed_bytes;
    s.keys = s.queries + a->mixed_bytes;
    s.values = s.keys + a->key_bytes;
    return s;
}

// `q` and `out`: the head's columns of the block's first row.
static tub_status attend(const tub_executable *e, const tub_step *step, int block, const char *q, size_t q_stride, char *out,
                         size_t out_stride, int member, tub_error *err)
{
    const tub_attention_step *a = &step->attention;
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
    const tub_attention_step *a = &step->attention;
    const tub_op *op = &step->op;
    const areas s = areas_of(e, a, member);
    const size_t narrow = e->kernels->narrow_bytes;
    const int head = unit / a->groups, group = unit % a->groups;
    const size_t shift = (size_t)(head * a->dim);
    const char *k = (char *)tub_row(run, op->in[1], item, 0) + ((size_t)op->attention.k_column + shift) * narrow;
    const char *v = (char *)tub_row(run, op->in[2], item, 0) + ((size_t)op->attention.v_column + shift) * narrow;
    TUB_TRY(tub_packer_run(a->pack_keys, member, k, s.keys, s.dnnl, err));
    TUB_TRY(tub_packer_run(a->pack_values, member, v, s.values, s.dnnl, err));
    const char *q = a->query ? a->query
                             : (char *)tub_row(run, op->in[0], item, 0) + (size_t)op->attention.q_column * narrow;
    const size_t out_stride = (size_t)e->values[op->out].cols * narrow;
    const size_t q_stride = a->query ? out_stride : (size_t)e->values[op->in[0]].cols * narrow;
    for (int block = group * a->group_blocks; block < (group + 1) * a->group_blocks && block < a->blocks; block++) {
        const int row = block * a->block_rows;
        char *out = (char *)tub_row(run, op->out, item, row) + shift * narrow;
        TUB_TRY(attend(e, step, block, q + (size_t)row * q_stride + shift * narrow, q_stride, out, out_stride, member, err));
    }
    return TUB_OK;
}

static void choose_blocks(tub_attention_step *a, int queries)
{
    int most = SCORE_BYTES / (a->keys * (int)sizeof(float));
    most = most > BLOCK_ROWS ? BLOCK_ROWS : most < FEWEST_ROWS ? FEWEST_ROWS : most;
    a->blocks = (queries + most - 1) / most;
    a->block_rows = (queries + a->blocks - 1) / a->blocks;
    a->blocks = (queries + a->block_rows - 1) / a->block_rows;
    a->groups = (queries + GROUP_ROWS - 1) / GROUP_ROWS;
    a->group_blocks = (a->blocks + a->groups - 1) / a->groups;
    a->groups = (a->blocks + a->group_blocks - 1) / a->group_blocks;
}

static tub_status make_products(tub_executable *e, tub_attention_step *a, int queries, tub_error *err)
{
    for (int last = 0; last < 2; last++) {
        const int m = last ? queries - (a->blocks - 1) * a->block_rows : a->block_rows;
        const tub_matmul_shape scores = {.m = m, .k = a->dim, .n = a->keys, .bf16 = e->bf16};
        const tub_matmul_shape mix = {.m = m, .k = a->keys, .n = a->dim, .bf16 = e->bf16};
        TUB_TRY(tub_shelf_matmul(e, &scores, last ? a->scores[0] : NULL, &a->scores[last], err));
        TUB_TRY(tub_shelf_matmul(e, &mix, last ? a->mixes[0] : NULL, &a->mixes[last], err));
    }
    return TUB_OK;
}

static tub_status own_query(tub_executable *e, tub_step *step, tub_error *err)
{
    const tub_tensor *query = &step->op.attention.query;
    if (!query->data)
        return TUB_OK;
    const int count = (int)tub_tensor_count(query);
    float *floats = tub_own_floats(e, query);
    void *owned = tub_arena_alloc(&e->arena, (size_t)count, e->kernels->narrow_bytes);
    if (!floats || !owned)
        return tub_fail_memory(err, "a query");
    e->kernels->narrow(floats, owned, count);
    step->attention.query = owned;
    return TUB_OK;
}

tub_status tub_attention_make(tub_executable *e, tub_step *step, tub_error *err)
{
    tub_attention_step *a = &step->attention;
    const tub_op *op = &step->op;
    const int queries = e->values[op->out].rows;
    a->heads = op->attention.heads;
    a->dim = op->attention.dim;
    a->keys = e->values[op->in[1]].rows;
    choose_blocks(a, queries);
    TUB_TRY(own_query(e, step, err));
    TUB_TRY(make_products(e, a, queries, err));
    TUB_TRY(tub_shelf_packer(e, a->scores[0], 1, e->values[op->in[1]].cols, &a->pack_keys, err));
    TUB_TRY(tub_shelf_packer(e, a->mixes[0], e->values[op->in[2]].cols, 1, &a->pack_values, err));
    a->score_bytes = rounded((size_t)a->block_rows * (size_t)a->keys * sizeof(float));
    a->mixed_bytes = rounded((size_t)a->block_rows * (size_t)a->dim * sizeof(float));
    a->key_bytes = rounded(tub_matmul_packed_bytes(a->scores[0]));
    const size_t bytes =
        a->score_bytes + 2 * a->mixed_bytes + a->key_bytes + rounded(tub_matmul_packed_bytes(a->mixes[0]));
    if (bytes > e->tile_bytes)
        e->tile_bytes = bytes;
    step->units = a->heads * a->groups;
    step->unit = attention_unit;
    return TUB_OK;
}
