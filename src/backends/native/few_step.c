// Attention over few keys: our own kernel reads them where they are, unpacked.
#include "executable.h"
#include "fail.h"

enum {
    FEW_KEYS = 32, // most keys for this kernel
    RUN_ROWS = 64, // queries of a unit
};

typedef struct few_step {
    int run_groups; // groups of a unit
    int queries, keys;
} few_step;

tub_operands tub_operands_of(const tub_run *run, const tub_step *step, const void *query, int item, int group)
{
    const tub_executable *e = run->executable;
    const tub_op *op = &step->op;
    const size_t narrow = e->kernels->narrow_bytes;
    const int groups = op->attention.groups, queries = e->values[op->out].rows / groups;
    const int keys = e->values[op->in[1]].rows / groups;
    tub_operands o = {.out = tub_row(run, op->out, item, group * queries),
                      .k_stride = (size_t)e->values[op->in[1]].cols * narrow,
                      .v_stride = (size_t)e->values[op->in[2]].cols * narrow,
                      .out_stride = (size_t)e->values[op->out].cols * narrow};
    o.k = (char *)tub_row(run, op->in[1], item, group * keys) + (size_t)op->attention.k_column * narrow;
    o.v = (char *)tub_row(run, op->in[2], item, group * keys) + (size_t)op->attention.v_column * narrow;
    o.q = query;
    o.q_stride = o.out_stride;
    if (!query) {
        o.q = (char *)tub_row(run, op->in[0], item, group * queries) + (size_t)op->attention.q_column * narrow;
        o.q_stride = (size_t)e->values[op->in[0]].cols * narrow;
    }
    return o;
}

static tub_status few_unit(const tub_run *run, const tub_step *step, int item, int unit, int member, tub_error *err)
{
    (void)err;
    const tub_executable *e = run->executable;
    const few_step *f = step->made;
    const tub_op *op = &step->op;
    const size_t narrow = e->kernels->narrow_bytes;
    float *scores = (float *)(void *)tub_scratch(e, member);
    tub_attend few = {
        .queries = f->queries, .keys = f->keys, .dim = op->attention.dim, .scale = (float)op->attention.scale};
    for (int group = unit * f->run_groups; group < (unit + 1) * f->run_groups && group < op->attention.groups;
         group++) {
        const tub_operands o = tub_operands_of(run, step, NULL, item, group);
        few.q_stride = o.q_stride / narrow;
        few.k_stride = o.k_stride / narrow;
        few.v_stride = o.v_stride / narrow;
        few.out_stride = o.out_stride / narrow;
        for (int head = 0; head < op->attention.heads; head++) {
            const size_t shift = (size_t)(head * op->attention.dim) * narrow;
            e->kernels->attend(&few, o.q + shift, o.k + shift, o.v + shift, o.out + shift, scores);
        }
    }
    return TUB_OK;
}

tub_status tub_attention_few_make(tub_executable *e, tub_step *step, tub_error *err)
{
    const tub_op *op = &step->op;
    const int groups = op->attention.groups;
    const int queries = e->values[op->out].rows / groups, keys = e->values[op->in[1]].rows / groups;
    if (keys > FEW_KEYS || op->attention.query.data)
        return TUB_END;
    few_step *f = tub_arena_alloc(&e->arena, 1, sizeof *f);
    if (!f)
        return tub_fail_memory(err, "a step");
    *f = (few_step){.run_groups = RUN_ROWS / queries > 0 ? RUN_ROWS / queries : 1, .queries = queries, .keys = keys};
    step->made = f;
    step->units = (groups + f->run_groups - 1) / f->run_groups;
    step->unit = few_unit;
    tub_need_scratch(e, FEW_KEYS * sizeof(float));
    return TUB_OK;
}
