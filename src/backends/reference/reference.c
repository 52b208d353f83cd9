#include "reference.h"

#include <string.h>

#include "fail.h"
#include "half.h"

struct tub_backend {
    tub_team *team;
};

static tub_status supports(tub_dtype dtype, tub_error *err)
{
    if (dtype == TUB_F32)
        return TUB_OK;
    return tub_fail(err, TUB_ERROR_DEVICE,
                    "the reference backend computes in float32 only: take `--dtype f32` or `--backend onednn`");
}

static tub_dtype best_dtype(void)
{
    return TUB_F32;
}

static const char *isa(void)
{
    return "plain C";
}

static tub_status open_backend(const tub_open_params *params, tub_backend **out, tub_error *err)
{
    *out = tub_calloc(1, sizeof **out);
    if (!*out)
        return tub_fail_memory(err, "the reference backend");
    (*out)->team = params->team;
    return TUB_OK;
}

static void close_backend(tub_backend **backend)
{
    if (!backend)
        return;
    tub_free(*backend);
    *backend = NULL;
}

static void release(tub_executable **executable)
{
    if (!executable || !*executable)
        return;
    tub_arena_finish(&(*executable)->arena);
    tub_free(*executable);
    *executable = NULL;
}

static bool own(tub_arena *arena, tub_tensor *t)
{
    if (!tub_tensor_is_there(t))
        return true;
    const size_t count = (size_t)tub_tensor_count(t);
    float *copy = tub_arena_alloc(arena, count, sizeof *copy);
    if (!copy)
        return false;
    tub_tensor_floats(t, 0, (int64_t)count, copy);
    t->data = copy;
    t->parts = NULL;
    t->dtype = TUB_F32;
    t->name = NULL;
    return true;
}

static bool own_index(tub_arena *arena, tub_op *op, int count)
{
    int *copy = tub_arena_alloc(arena, (size_t)count, sizeof *copy);
    if (copy)
        memcpy(copy, op->gather.index, (size_t)count * sizeof *copy);
    op->gather.index = copy;
    return copy != NULL;
}

static bool own_constants(tub_arena *arena, const tub_program *program, tub_op *op)
{
    switch (op->kind) {
    case TUB_OP_LINEAR:
        return own(arena, &op->linear.weight) && own(arena, &op->linear.bias) && own(arena, &op->linear.scale);
    case TUB_OP_NORM:
        return own(arena, &op->norm.weight) && own(arena, &op->norm.bias);
    case TUB_OP_ADD_TABLE:
        return own(arena, &op->add_table.table);
    case TUB_OP_PREPEND:
        return own(arena, &op->prepend.rows);
    case TUB_OP_ROTATE:
        return own(arena, &op->rotate.cosine) && own(arena, &op->rotate.sine);
    case TUB_OP_ATTENTION:
        return own(arena, &op->attention.query);
    case TUB_OP_GATHER:
        return own_index(arena, op, program->values[op->out].rows);
    default:
        return true;
    }
}

static bool copy_program(tub_executable *e, const tub_program *program)
{
    const size_t ops = (size_t)program->op_count, values = (size_t)program->value_count;
    e->program = *program;
    e->program.ops = tub_arena_alloc(&e->arena, ops, sizeof *program->ops);
    e->program.values = tub_arena_alloc(&e->arena, values, sizeof *program->values);
    if (!e->program.ops || !e->program.values)
        return false;
    memcpy(e->program.ops, program->ops, ops * sizeof *program->ops);
    memcpy(e->program.values, program->values, values * sizeof *program->values);
    for (size_t i = 0; i < ops; i++) {
        e->program.ops[i].label = NULL;
        if (!own_constants(&e->arena, program, &e->program.ops[i]))
            return false;
    }
    return true;
}

static tub_status make_plan(tub_executable *e, bool tokens, tub_error *err)
{
    tub_reference_plan *plan = &e->plans[tokens];
    plan->need = tub_arena_alloc(&e->arena, (size_t)e->program.op_count, sizeof *plan->need);
    plan->offsets = tub_arena_alloc(&e->arena, (size_t)e->program.value_count, sizeof *plan->offsets);
    if (!plan->need || !plan->offsets)
        return tub_fail_memory(err, "the reference backend's plan");
    tub_program_needed(&e->program, tokens, plan->need);
    return tub_program_place(&e->program, plan->need, sizeof(float), plan->offsets, &plan->bytes, err);
}

static tub_status allocate(tub_executable *e, bool tokens, tub_error *err)
{
    TUB_TRY(make_plan(e, false, err));
    if (tokens)
        TUB_TRY(make_plan(e, true, err));
    const size_t bytes = e->plans[1].bytes > e->plans[0].bytes ? e->plans[1].bytes : e->plans[0].bytes;
    for (int i = 0; i < e->program.value_count; i++)
        if ((size_t)e->program.values[i].rows > e->scratch_doubles)
            e->scratch_doubles = (size_t)e->program.values[i].rows;
    e->workspace = tub_arena_alloc(&e->arena, (size_t)e->max_items, bytes);
    e->scratch = tub_arena_alloc(&e->arena, (size_t)tub_team_size(e->team), e->scratch_doubles * sizeof *e->scratch);
    if (!e->workspace || !e->scratch)
        return tub_fail_memory(err, "the reference backend's workspace");
    return TUB_OK;
}

static tub_status compile(tub_backend *backend, const tub_program *program, const tub_compile_params *params,
                          tub_executable **out, tub_error *err)
{
    *out = NULL;
    tub_executable *e = tub_calloc(1, sizeof *e);
    if (!e)
        return tub_fail_memory(err, "the reference backend's executable");
    tub_arena_init(&e->arena);
    e->team = backend->team;
    e->max_items = params->max_items;
    tub_status status = copy_program(e, program) ? allocate(e, params->tokens, err)
                                                 : tub_fail_memory(err, "the reference backend's constants");
    if (status != TUB_OK) {
        release(&e);
        return status;
    }
    *out = e;
    return TUB_OK;
}

static void run_unit(void *context, int unit, int member)
{
    const tub_reference_step *step = context;
    const tub_executable *e = step->executable;
    const int rows = e->program.values[step->op->out].rows;
    tub_reference_row(step, unit / rows, unit % rows, e->scratch + (size_t)member * e->scratch_doubles);
}

static void copy_out(const tub_reference_step *step, tub_value value, float *out)
{
    const tub_value_info *v = &step->executable->program.values[value];
    const size_t count = (size_t)v->rows * (size_t)v->cols;
    for (int item = 0; item < step->batch->items; item++)
        memcpy(out + (size_t)item * count, tub_reference_at(step, value, item, 0), count * sizeof *out);
}

static tub_status run(tub_executable *e, const tub_batch *batch, tub_error *err)
{
    tub_reference_step step = {.executable = e, .plan = &e->plans[batch->tokens != NULL], .batch = batch};
    for (int i = 0; i < e->program.op_count; i++) {
        if (tub_batch_stopped(batch))
            return tub_fail(err, TUB_ERROR_CANCELLED, "interrupted");
        step.op = &e->program.ops[i];
        if (step.plan->need[i])
            tub_team_run(e->team, batch->items * e->program.values[step.op->out].rows, run_unit, &step);
    }
    copy_out(&step, e->program.feature, batch->rows);
    if (batch->tokens)
        copy_out(&step, e->program.tokens, batch->tokens);
    return TUB_OK;
}

const tub_backend_ops tub_backend_reference = {
    .name = "reference",
    .device = "cpu",
    .supports = supports,
    .best_dtype = best_dtype,
    .open = open_backend,
    .compile = compile,
    .run = run,
    .release = release,
    .close = close_backend,
    .isa = isa,
};
