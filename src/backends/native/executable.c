#include <string.h>

#include "executable.h"
#include "fail.h"
#include "half.h"

// The number of rows of the widest value that a wave should have for each thread, so that all have work.
enum { ROWS_PER_THREAD = 768 };

float *tub_own_floats(tub_executable *e, const tub_tensor *t)
{
    const size_t count = (size_t)tub_tensor_count(t);
    float *floats = tub_arena_alloc(&e->arena, count, sizeof *floats);
    if (floats)
        tub_tensor_floats(t, 0, (int64_t)count, floats);
    return floats;
}

void *tub_own_narrow(tub_executable *e, const tub_tensor *t)
{
    const size_t count = (size_t)tub_tensor_count(t);
    float *floats = tub_own_floats(e, t);
    void *owned = tub_arena_alloc(&e->arena, count, e->kernels->narrow_bytes);
    if (floats && owned)
        e->kernels->narrow(floats, owned, (int)count);
    return floats ? owned : NULL;
}

void tub_need_scratch(tub_executable *e, size_t bytes)
{
    if (bytes > e->tile_bytes)
        e->tile_bytes = bytes;
}

static tub_status make_step(tub_executable *e, const tub_op *op, tub_step *step, tub_error *err)
{
    step->op = *op;
    tub_status status;
    switch (op->kind) {
    case TUB_OP_LINEAR:
        status = e->engine->make_linear(e, step, err);
        break;
    case TUB_OP_ATTENTION:
        status = tub_attention_few_make(e, step, err);
        if (status == TUB_END)
            status = e->engine->make_attention(e, step, err);
        break;
    case TUB_OP_PATCHES:
        status = tub_patches_make(e, step, err);
        break;
    default:
        status = tub_rows_make(e, step, err);
    }
    step->op.label = NULL;
    return status == TUB_OK ? status : tub_fail_within(err, status, "%s", op->label);
}

static tub_status make_steps(tub_executable *e, const tub_program *program, bool tokens, tub_error *err)
{
    const size_t ops = (size_t)program->op_count, values = (size_t)program->value_count;
    e->input = program->input;
    e->feature = program->feature;
    e->tokens = program->tokens;
    e->step_count = program->op_count;
    e->values = tub_arena_alloc(&e->arena, values, sizeof *e->values);
    e->steps = tub_arena_alloc(&e->arena, ops, sizeof *e->steps);
    if (!e->values || !e->steps)
        return tub_fail_memory(err, "the compiled program");
    memcpy(e->values, program->values, values * sizeof *e->values);
    for (int with = 0; with <= (int)tokens; with++)
        TUB_TRY(tub_placement_make(program, with, e->kernels->narrow_bytes, &e->arena, &e->plans[with], err));
    for (size_t i = 0; i < ops; i++)
        if (e->plans[tokens].need[i])
            TUB_TRY(make_step(e, &program->ops[i], &e->steps[i], err));
    return TUB_OK;
}

int tub_processor_items_at_once(const tub_program *program, int threads, int max_items)
{
    int64_t rows = 1;
    for (int i = 0; i < program->op_count; i++)
        if (program->values[program->ops[i].out].rows > rows)
            rows = program->values[program->ops[i].out].rows;
    const int64_t wave = ((int64_t)threads * ROWS_PER_THREAD + rows - 1) / rows;
    return wave < max_items ? (int)wave : max_items;
}

static tub_status allocate(tub_executable *e, tub_error *err)
{
    const int threads = tub_team_size(e->team);
    e->wave = tub_processor_items_at_once(e->program, threads, e->max_items);
    const size_t bytes = e->plans[1].bytes > e->plans[0].bytes ? e->plans[1].bytes : e->plans[0].bytes;
    e->tile_bytes = (e->tile_bytes + 63) & ~(size_t)63;
    e->member_bytes = e->tile_bytes + ((e->engine_bytes + 63) & ~(size_t)63);
    e->workspace = tub_arena_alloc_raw(&e->arena, (size_t)e->wave, bytes);
    e->scratch = tub_arena_alloc_raw(&e->arena, (size_t)threads, e->member_bytes);
    return e->workspace && e->scratch ? TUB_OK : tub_fail_memory(err, "the workspace");
}

tub_status tub_processor_compile(tub_backend *backend, const tub_program *program, const tub_compile_params *params,
                                 tub_executable **out, tub_error *err)
{
    *out = NULL;
    tub_executable *e = tub_calloc(1, sizeof *e);
    if (!e)
        return tub_fail_memory(err, "the compiled program");
    tub_arena_init(&e->arena);
    e->team = backend->team;
    e->engine = backend->engine;
    e->program = program;
    e->max_items = params->max_items;
    e->int8 = params->dtype == TUB_INT8;
    e->dtype = e->int8 ? tub_processor_best_dtype() : params->dtype;
    e->kernels = tub_kernels_for(e->dtype);
    e->weights = params->weights;
    const int before = e->engine->enter();
    tub_status status = e->engine->open ? e->engine->open(e, err) : TUB_OK;
    if (status == TUB_OK)
        status = make_steps(e, program, params->tokens, err);
    if (status == TUB_OK && e->engine->made)
        status = e->engine->made(e, err);
    e->engine->leave(before);
    if (status == TUB_OK)
        status = allocate(e, err);
    e->program = NULL;
    if (status != TUB_OK) {
        tub_processor_release(&e);
        return status;
    }
    *out = e;
    return TUB_OK;
}

void tub_processor_release(tub_executable **executable)
{
    if (!executable || !*executable)
        return;
    tub_executable *e = *executable;
    if (e->engine->close)
        e->engine->close(e);
    tub_arena_finish(&e->arena);
    tub_free(e);
    *executable = NULL;
}
