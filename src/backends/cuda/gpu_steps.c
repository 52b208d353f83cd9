// From operations to steps: which kernels and products run, and where their operands are.
#include <limits.h>
#include <string.h>

#include "fail.h"
#include "gpu_algorithms.h"
#include "gpu_executable.h"
#include "gpu_plan_texts.h"

// ---- where values live ----

// Nothing reads the operand's memory after this operation, and no other operand is there.
static bool may_replace(const tub_program *p, const bool *need, const tub_value *share, int op, tub_value operand)
{
    const tub_op *o = &p->ops[op];
    if (operand == TUB_NONE)
        return false;
    const tub_value_info *in = &p->values[operand], *out = &p->values[o->out];
    if (in->width != out->width || in->rows != out->rows || in->cols != out->cols)
        return false;
    for (int k = 0; k < 4; k++)
        if (o->in[k] != TUB_NONE && o->in[k] != operand && share[o->in[k]] == share[operand])
            return false;
    for (tub_value v = 0; v < p->value_count; v++)
        if (share[v] == share[operand] && tub_program_last_use(p, need, v) > op)
            return false;
    return true;
}

tub_status tub_gpu_list_place(tub_executable *e, bool tokens, tub_error *err)
{
    const tub_program *p = e->program;
    tub_gpu_list *list = &e->lists[tokens];
    list->need = tub_arena_alloc(&e->arena, (size_t)p->op_count, sizeof *list->need);
    list->offsets = tub_arena_alloc(&e->arena, (size_t)p->value_count, sizeof *list->offsets);
    tub_value *share = tub_calloc((size_t)p->value_count, sizeof *share);
    if (!list->need || !list->offsets || !share) {
        tub_free(share);
        return tub_fail_memory(err, "the workspace plan");
    }
    tub_program_needed(p, tokens, list->need);
    for (tub_value v = 0; v < p->value_count; v++)
        share[v] = v;
    for (int i = 0; i < p->op_count; i++) {
        const tub_value operand = tub_op_replaceable(&p->ops[i]);
        if (list->need[i] && may_replace(p, list->need, share, i, operand))
            share[p->ops[i].out] = share[operand];
    }
    const size_t narrow = e->narrow == TUB_GPU_F32 ? sizeof(float) : sizeof(uint16_t);
    const tub_status status =
        tub_program_place_shared(p, list->need, narrow, share, list->offsets, &list->item_bytes, err);
    tub_free(share);
    return status;
}

// ---- what is launched ----

typedef struct build {
    tub_executable *e;
    tub_gpu_list *list;
    const tub_op *op;
    const tub_gpu_constants *constants;
} build;

static const tub_value_info *info(const build *b, tub_value v)
{
    return &b->e->program->values[v];
}

static tub_gpu_type type_of(const build *b, tub_value v)
{
    return info(b, v)->width == TUB_WIDE ? TUB_GPU_F32 : b->e->narrow;
}

// The rows of all items of a wave lie one after another.
static void *at(const build *b, tub_value v)
{
    return b->e->values + b->list->offsets[v] * (size_t)b->e->wave;
}

static int all_rows(const build *b, tub_value v)
{
    return info(b, v)->rows * b->e->wave;
}

static tub_status add(const build *b, const tub_gpu_step *step, tub_error *err)
{
    tub_gpu_list *l = b->list;
    if (!tub_grow((void **)&l->steps, &l->capacity, l->count + 1, sizeof *l->steps))
        return tub_fail_memory(err, "the list of steps");
    l->steps[l->count] = *step;
    l->steps[l->count++].label = b->op->label;
    return TUB_OK;
}

static tub_status add_task(const build *b, const tub_gpu_task *task, tub_error *err)
{
    const tub_gpu_step step = {.kind = TUB_GPU_STEP_TASK, .task = *task};
    return add(b, &step, err);
}

// ---- a product joined with the step after it ----

// The task works in place on the result of the step before it. The two become one step if that is better.
static tub_status add_behind(const build *b, const tub_gpu_task *task, tub_error *err)
{
    tub_gpu_step *last = b->list->count > 0 ? &b->list->steps[b->list->count - 1] : NULL;
    tub_gpu_joining joined = TUB_GPU_APART;
    if (last && last->kind == TUB_GPU_STEP_PRODUCT && last->product.gemm.out == at(b, b->op->out))
        TUB_TRY(
            tub_gpu_choose_joined(b->e->backend, &last->product.gemm, &last->product.algorithm, task, &joined, err));
    if (!joined)
        return add_task(b, task, err);
    const tub_gpu_task both = tub_gpu_joined_task(&last->product.gemm, task, joined);
    *last = (tub_gpu_step){.kind = TUB_GPU_STEP_TASK, .label = last->label, .task = both};
    return TUB_OK;
}

// ---- operations ----

static tub_status add_patches(const build *b, tub_error *err)
{
    const tub_input *in = &b->e->program->input;
    const tub_op *op = b->op;
    const tub_gpu_task task = {.kind = TUB_GPU_PATCHES,
                               .patches = {.frames = b->e->frame_table,
                                           .table = b->constants->weight,
                                           .out = at(b, op->out),
                                           .type = type_of(b, op->out),
                                           .made_type = b->e->made,
                                           .is_float = in->is_float,
                                           .item_frames = in->frames,
                                           .height = in->height,
                                           .width = in->width,
                                           .kt = op->patches.kt,
                                           .ky = op->patches.ky,
                                           .kx = op->patches.kx,
                                           .items = b->e->wave,
                                           .rows = info(b, op->out)->rows,
                                           .cols = info(b, op->out)->cols}};
    return add_task(b, &task, err);
}

static tub_status add_activation(const build *b, tub_error *err)
{
    const tub_value out = b->op->out;
    const tub_gpu_task task = {.kind = TUB_GPU_ACTIVATE,
                               .activate = {.x = at(b, out),
                                            .type = type_of(b, out),
                                            .activation = (int)b->op->linear.activation,
                                            .rows = all_rows(b, out),
                                            .cols = info(b, out)->cols}};
    return add_behind(b, &task, err);
}

// Values that are factors of several products in a row are quantized once.
static tub_status add_quantise(build *b, tub_error *err)
{
    const tub_value x = b->op->in[0];
    const tub_gpu_task task = {.kind = TUB_GPU_QUANTISE,
                               .quantise = {.x = at(b, x),
                                            .out = b->e->quantised,
                                            .scales = b->e->row_scales,
                                            .type = type_of(b, x),
                                            .rows = all_rows(b, x),
                                            .cols = info(b, x)->cols}};
    if (b->list->quantised == x)
        return TUB_OK;
    b->list->quantised = x;
    return add_task(b, &task, err);
}

static tub_status add_linear(build *b, tub_error *err)
{
    tub_executable *e = b->e;
    const tub_op *op = b->op;
    const bool fp8 = b->constants->scales;
    tub_gpu_step step = {.kind = TUB_GPU_STEP_PRODUCT};
    tub_gpu_gemm *g = &step.product.gemm;
    *g = tub_gpu_linear_gemm(e, op, fp8, all_rows(b, op->out));
    if (fp8)
        TUB_TRY(add_quantise(b, err));
    g->x = fp8 ? (const void *)e->quantised : at(b, op->in[0]);
    g->x_scales = fp8 ? e->row_scales : NULL;
    g->weight = b->constants->weight;
    g->weight_scales = b->constants->scales;
    g->bias = b->constants->bias;
    g->residual = g->has_residual ? at(b, op->in[1]) : NULL;
    g->out = at(b, op->out);
    g->workspace = e->scratch;
    TUB_TRY(tub_gpu_choose_algorithm(e->backend, g, &step.product.algorithm, err));
    TUB_TRY(add(b, &step, err));
    return op->linear.activation == TUB_ACT_NONE || g->gelu_tanh ? TUB_OK : add_activation(b, err);
}

static tub_status add_norm(const build *b, tub_error *err)
{
    const tub_op *op = b->op;
    const tub_gpu_task task = {.kind = TUB_GPU_NORM,
                               .norm = {.x = at(b, op->in[0]),
                                        .out = at(b, op->out),
                                        .weight = b->constants->weight,
                                        .bias = b->constants->bias,
                                        .type = type_of(b, op->in[0]),
                                        .out_type = type_of(b, op->out),
                                        .kind = (int)op->norm.kind,
                                        .eps = (float)op->norm.eps,
                                        .dim = op->norm.dim,
                                        .count = op->norm.count,
                                        .rows = all_rows(b, op->out),
                                        .cols = info(b, op->out)->cols}};
    return add_task(b, &task, err);
}

static tub_status add_rotate(const build *b, tub_error *err)
{
    const tub_op *op = b->op;
    const tub_gpu_task task = {.kind = TUB_GPU_ROTATE,
                               .rotate = {.x = at(b, op->in[0]),
                                          .out = at(b, op->out),
                                          .cosine = b->constants->weight,
                                          .sine = b->constants->bias,
                                          .positions = op->rotate.frame ? b->e->positions : NULL,
                                          .type = type_of(b, op->out),
                                          .halves = op->rotate.pairing == TUB_PAIR_HALVES,
                                          .dim = op->rotate.dim,
                                          .heads = op->rotate.heads * op->rotate.blocks,
                                          .skip = op->rotate.skip,
                                          .frame = op->rotate.frame,
                                          .frames = b->e->program->input.frames,
                                          .items = b->e->wave,
                                          .rows = info(b, op->out)->rows,
                                          .cols = info(b, op->out)->cols}};
    return add_behind(b, &task, err);
}

static tub_status add_sum(const build *b, tub_error *err)
{
    const tub_op *op = b->op;
    const bool table = op->kind == TUB_OP_ADD_TABLE;
    const tub_gpu_task task = {.kind = TUB_GPU_SUM,
                               .sum = {.a = at(b, op->in[0]),
                                       .b = table ? b->constants->weight : at(b, op->in[1]),
                                       .out = at(b, op->out),
                                       .type = type_of(b, op->in[0]),
                                       .rows = all_rows(b, op->out),
                                       .cols = info(b, op->out)->cols,
                                       .period = table ? info(b, op->out)->rows : all_rows(b, op->out)}};
    return add_task(b, &task, err);
}

// PREPEND, ROWS, GATHER, CONCAT.
static tub_status add_copy(const build *b, tub_error *err)
{
    const tub_op *op = b->op;
    const tub_value_info *out = info(b, op->out), *x = info(b, op->in[0]);
    tub_gpu_task task = {.kind = TUB_GPU_COPY_ROWS};
    tub_gpu_copy_rows *c = &task.copy_rows;
    *c = (tub_gpu_copy_rows){.a = at(b, op->in[0]),
                             .out = at(b, op->out),
                             .a_rows = x->rows,
                             .a_stride = x->rows,
                             .items = b->e->wave,
                             .rows = out->rows,
                             .bytes = out->cols * (type_of(b, op->out) == TUB_GPU_F32 ? 4 : 2)};
    if (op->kind == TUB_OP_PREPEND) {
        c->b = c->a;
        c->b_rows = x->rows;
        c->a = b->constants->weight;
        c->a_rows = out->rows - x->rows;
        c->a_stride = 0;
    } else if (op->kind == TUB_OP_CONCAT) {
        c->b = at(b, op->in[1]);
        c->b_rows = info(b, op->in[1])->rows;
    } else if (op->kind == TUB_OP_GATHER) {
        c->index = b->constants->weight;
    } else {
        c->first = op->rows.first;
    }
    return add_task(b, &task, err);
}

static tub_status add_gate(const build *b, tub_error *err)
{
    const tub_op *op = b->op;
    const tub_gpu_task task = {.kind = TUB_GPU_GATE,
                               .gate = {.x = at(b, op->in[0]),
                                        .out = at(b, op->out),
                                        .type = type_of(b, op->out),
                                        .activation = (int)op->gate.activation,
                                        .rows = all_rows(b, op->out),
                                        .cols = info(b, op->out)->cols}};
    return add_task(b, &task, err);
}

static tub_status add_mean(const build *b, tub_error *err)
{
    const tub_op *op = b->op;
    const tub_value_info *x = info(b, op->in[0]);
    const tub_gpu_task task = {.kind = TUB_GPU_MEAN,
                               .mean = {.x = at(b, op->in[0]),
                                        .out = at(b, op->out),
                                        .type = type_of(b, op->in[0]),
                                        .items = b->e->wave,
                                        .rows = x->rows,
                                        .cols = x->cols}};
    return add_task(b, &task, err);
}

// ---- attention: the library's if it supports the shape ----

static tub_gpu_attention attention_shape(const build *b)
{
    const tub_op *op = b->op;
    const int groups = op->attention.groups;
    const tub_value_info *k = info(b, op->in[1]), *v = info(b, op->in[2]), *out = info(b, op->out);
    const tub_value_info *q = op->in[0] != TUB_NONE ? info(b, op->in[0]) : NULL;
    const int queries = out->rows / groups, keys = k->rows / groups;
    return (tub_gpu_attention){.type = b->e->narrow,
                               .tf32 = b->e->dtype == TUB_TF32,
                               .batch = b->e->wave * groups,
                               .heads = op->attention.heads,
                               .dim = op->attention.dim,
                               .queries = queries,
                               .keys = keys,
                               .scale = (float)op->attention.scale,
                               .q_row = q ? q->cols : out->cols,
                               .k_row = k->cols,
                               .v_row = v->cols,
                               .out_row = out->cols,
                               .q_batch = q ? (int64_t)queries * q->cols : 0,
                               .k_batch = (int64_t)keys * k->cols,
                               .v_batch = (int64_t)keys * v->cols,
                               .out_batch = (int64_t)queries * out->cols};
}

static const char *column(const build *b, tub_value v, int first)
{
    const size_t element = b->e->narrow == TUB_GPU_F32 ? sizeof(float) : sizeof(uint16_t);
    return (const char *)at(b, v) + (size_t)first * element;
}

static bool same_shape(const tub_gpu_attention *a, const tub_gpu_attention *b)
{
    return a->type == b->type && a->batch == b->batch && a->heads == b->heads && a->dim == b->dim &&
           a->queries == b->queries && a->keys == b->keys && a->scale == b->scale && a->q_row == b->q_row &&
           a->k_row == b->k_row && a->v_row == b->v_row && a->q_batch == b->q_batch && a->k_batch == b->k_batch &&
           a->v_batch == b->v_batch && a->out_row == b->out_row && a->out_batch == b->out_batch;
}

// Made from a text that an earlier run kept, or compiled, which takes a third of a second.
static tub_status make_plan(const tub_executable *e, const tub_gpu_attention *shape, tub_gpu_plan **out, size_t *bytes,
                            tub_error *err)
{
    const tub_backend *b = e->backend;
    const bool kept = tub_gpu_choices_tune(b->choices);
    char *data = NULL;
    const size_t read = kept ? tub_gpu_plan_text_read(b, shape, &data) : 0;
    const tub_gpu_text text = {data, read};
    const tub_status status = b->ops->plan_attention(b->gpu, shape, text, out, bytes, err);
    if (status == TUB_OK && kept)
        tub_gpu_plan_text_keep(b, shape, *out, text);
    tub_free(data);
    return status;
}

// *out NULL: the library has no plan.
static tub_status plan_of(const build *b, const tub_gpu_attention *shape, tub_gpu_plan **out, tub_error *err)
{
    tub_executable *e = b->e;
    *out = NULL;
    if ((e->backend->without & TUB_GPU_WITHOUT_CUDNN) || shape->type == TUB_GPU_F32)
        return TUB_OK;
    for (size_t i = 0; i < e->plan_count; i++)
        if (same_shape(&e->plans[i].shape, shape)) {
            *out = e->plans[i].plan;
            return TUB_OK;
        }
    if (!tub_grow((void **)&e->plans, &e->plan_capacity, e->plan_count + 1, sizeof *e->plans))
        return tub_fail_memory(err, "a plan of attention");
    size_t bytes = 0;
    tub_error why = {0};
    const tub_status status = make_plan(e, shape, out, &bytes, &why);
    if (status == TUB_END && !e->said_attention) {
        tub_inform(&e->backend->log, "%s: attention by tubelet's own kernel: %s", b->op->label, why.text);
        e->said_attention = true;
    } else if (status != TUB_OK && status != TUB_END) {
        if (err)
            *err = why;
        return status;
    }
    e->plans[e->plan_count++] = (tub_gpu_plan_place){.shape = *shape, .plan = *out};
    if (bytes > e->plan_bytes)
        e->plan_bytes = bytes;
    return TUB_OK;
}

// Tensor cores have float16 from 7.0 on, bfloat16 and TF32 from 8.0 on; and the code for the card must have them too.
static bool has_flash(const tub_executable *e, const tub_gpu_attention *a)
{
    const int least = a->type == TUB_GPU_F16 ? 70 : 80;
    return e->backend->info.code >= least && a->dim <= TUB_GPU_FLASH_HEAD;
}

static tub_status add_attention(const build *b, tub_error *err)
{
    const tub_op *op = b->op;
    tub_gpu_step step = {.kind = TUB_GPU_STEP_ATTENTION};
    tub_gpu_attention *a = &step.attention.shape;
    *a = attention_shape(b);
    TUB_TRY(plan_of(b, a, &step.attention.plan, err));
    a->q = op->in[0] != TUB_NONE ? (const void *)column(b, op->in[0], op->attention.q_column) : b->constants->weight;
    a->k = column(b, op->in[1], op->attention.k_column);
    a->v = column(b, op->in[2], op->attention.v_column);
    a->out = at(b, op->out);
    if (step.attention.plan)
        return add(b, &step, err);
    if (a->dim > TUB_GPU_MOST_HEAD)
        return tub_fail(err, TUB_ERROR_MODEL, "heads of %d columns: on a GPU at most %d, use --device cpu", a->dim,
                        TUB_GPU_MOST_HEAD);
    const tub_gpu_task task = {.kind = has_flash(b->e, a) ? TUB_GPU_FLASH : TUB_GPU_ATTENTION, .attention = *a};
    return add_task(b, &task, err);
}

static tub_status add_op(build *b, tub_error *err)
{
    switch (b->op->kind) {
    case TUB_OP_PATCHES:
        return add_patches(b, err);
    case TUB_OP_LINEAR:
        return add_linear(b, err);
    case TUB_OP_NORM:
        return add_norm(b, err);
    case TUB_OP_ADD_TABLE:
    case TUB_OP_ADD:
        return add_sum(b, err);
    case TUB_OP_PREPEND:
    case TUB_OP_ROWS:
    case TUB_OP_GATHER:
    case TUB_OP_CONCAT:
        return add_copy(b, err);
    case TUB_OP_ROTATE:
        return add_rotate(b, err);
    case TUB_OP_ATTENTION:
        return add_attention(b, err);
    case TUB_OP_GATE:
        return add_gate(b, err);
    case TUB_OP_MEAN:
        return add_mean(b, err);
    case TUB_OP_COUNT:
        break;
    }
    return tub_fail(err, TUB_ERROR_INTERNAL, "operation %d", (int)b->op->kind);
}

tub_status tub_gpu_list_steps(tub_executable *e, bool tokens, tub_error *err)
{
    tub_gpu_list *list = &e->lists[tokens];
    list->count = 0;
    list->quantised = TUB_NONE;
    for (int i = 0; i < e->program->op_count; i++) {
        build b = {.e = e, .list = list, .op = &e->program->ops[i], .constants = &e->constants[i]};
        const tub_status status = list->need[i] ? add_op(&b, err) : TUB_OK;
        if (status != TUB_OK)
            return tub_fail_within(err, status, "%s", b.op->label);
    }
    return TUB_OK;
}
