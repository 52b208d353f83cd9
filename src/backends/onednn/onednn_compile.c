#include <string.h>

#include "fail.h"
#include "half.h"
#include "onednn_plan.h"

// Rows of the widest value that a wave should have for each thread, so that all have work.
enum { ROWS_PER_THREAD = 768 };

float *tub_own_floats(tub_executable *e, const tub_tensor *t)
{
    const size_t count = (size_t)tub_tensor_count(t);
    float *floats = tub_arena_alloc(&e->arena, count, sizeof *floats);
    if (floats)
        tub_to_float(floats, t->data, t->dtype, count);
    return floats;
}

static tub_shelf *new_place(tub_executable *e)
{
    if (!tub_grow((void **)&e->shelf, &e->shelf_capacity, e->shelf_count + 1, sizeof *e->shelf))
        return NULL;
    tub_shelf *place = &e->shelf[e->shelf_count++];
    *place = (tub_shelf){0};
    return place;
}

static void reserve(tub_executable *e, size_t bytes)
{
    if (bytes > e->dnnl_bytes)
        e->dnnl_bytes = bytes;
}

static bool same_shape(const tub_matmul_shape *a, const tub_matmul_shape *b)
{
    return a->m == b->m && a->k == b->k && a->n == b->n && a->bf16 == b->bf16;
}

tub_status tub_shelf_matmul(tub_executable *e, const tub_matmul_shape *shape, const tub_matmul *like, tub_matmul **out,
                            tub_error *err)
{
    for (size_t i = 0; i < e->shelf_count; i++) {
        tub_matmul *m = e->shelf[i].packer ? NULL : e->shelf[i].matmul;
        if (m && same_shape(tub_matmul_shape_of(m), shape) && (!like || tub_matmul_same_layout(m, like))) {
            *out = m;
            return TUB_OK;
        }
    }
    TUB_TRY(tub_matmul_create(e->dnnl, shape, like, out, err));
    tub_shelf *place = new_place(e);
    if (!place) {
        tub_matmul_destroy(out);
        return tub_fail_memory(err, "a matrix product");
    }
    place->matmul = *out;
    reserve(e, tub_matmul_scratch_bytes(*out));
    return TUB_OK;
}

tub_status tub_shelf_packer(tub_executable *e, tub_matmul *matmul, int64_t row_stride, int64_t column_stride,
                            tub_packer **out, tub_error *err)
{
    for (size_t i = 0; i < e->shelf_count; i++) {
        const tub_shelf *s = &e->shelf[i];
        if (s->packer && s->matmul == matmul && s->row_stride == row_stride && s->column_stride == column_stride) {
            *out = s->packer;
            return TUB_OK;
        }
    }
    TUB_TRY(tub_packer_create(e->dnnl, matmul, row_stride, column_stride, false, out, err));
    tub_shelf *place = new_place(e);
    if (!place) {
        tub_packer_destroy(out);
        return tub_fail_memory(err, "a packing");
    }
    *place = (tub_shelf){.matmul = matmul, .packer = *out, .row_stride = row_stride, .column_stride = column_stride};
    reserve(e, tub_packer_scratch_bytes(*out));
    return TUB_OK;
}

static tub_status make_step(tub_executable *e, const tub_op *op, tub_step *step, tub_error *err)
{
    step->op = *op;
    tub_status status;
    switch (op->kind) {
    case TUB_OP_LINEAR:
        status = tub_linear_make(e, step, err);
        break;
    case TUB_OP_ATTENTION:
        status = tub_attention_make(e, step, err);
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
        return tub_fail_memory(err, "the oneDNN executable");
    memcpy(e->values, program->values, values * sizeof *e->values);
    for (int with = 0; with <= (int)tokens; with++)
        TUB_TRY(tub_placement_make(program, with, e->kernels->narrow_bytes, &e->arena, &e->plans[with], err));
    for (size_t i = 0; i < ops; i++)
        if (e->plans[tokens].need[i])
            TUB_TRY(make_step(e, &program->ops[i], &e->steps[i], err));
    return TUB_OK;
}

static tub_status allocate(tub_executable *e, tub_error *err)
{
    const int threads = tub_team_size(e->team);
    int64_t rows = 1;
    for (int i = 0; i < e->step_count; i++)
        if (e->values[e->steps[i].op.out].rows > rows)
            rows = e->values[e->steps[i].op.out].rows;
    const int64_t wave = ((int64_t)threads * ROWS_PER_THREAD + rows - 1) / rows;
    e->wave = wave < e->max_items ? (int)wave : e->max_items;
    const size_t bytes = e->plans[1].bytes > e->plans[0].bytes ? e->plans[1].bytes : e->plans[0].bytes;
    e->tile_bytes = (e->tile_bytes + 63) & ~(size_t)63;
    e->member_bytes = e->tile_bytes + ((e->dnnl_bytes + 63) & ~(size_t)63);
    e->workspace = tub_arena_alloc(&e->arena, (size_t)e->wave, bytes);
    e->scratch = tub_arena_alloc(&e->arena, (size_t)threads, e->member_bytes);
    return e->workspace && e->scratch ? TUB_OK : tub_fail_memory(err, "the oneDNN workspace");
}

tub_status tub_onednn_compile(tub_backend *backend, const tub_program *program, const tub_compile_params *params,
                              tub_executable **out, tub_error *err)
{
    *out = NULL;
    tub_executable *e = tub_calloc(1, sizeof *e);
    if (!e)
        return tub_fail_memory(err, "the oneDNN executable");
    tub_arena_init(&e->arena);
    e->team = backend->team;
    e->max_items = params->max_items;
    e->bf16 = params->dtype == TUB_BF16;
    e->kernels = tub_kernels_for(params->dtype);
    const int threads = tub_dnnl_one_thread();
    tub_status status = tub_dnnl_open(tub_team_size(e->team), &e->dnnl, err);
    if (status == TUB_OK)
        status = make_steps(e, program, params->tokens, err);
    tub_dnnl_threads_back(threads);
    if (status == TUB_OK)
        status = allocate(e, err);
    if (status != TUB_OK) {
        tub_onednn_release(&e);
        return status;
    }
    *out = e;
    return TUB_OK;
}

void tub_onednn_release(tub_executable **executable)
{
    if (!executable || !*executable)
        return;
    tub_executable *e = *executable;
    for (size_t i = 0; i < e->shelf_count; i++)
        if (e->shelf[i].packer)
            tub_packer_destroy(&e->shelf[i].packer);
        else
            tub_matmul_destroy(&e->shelf[i].matmul);
    tub_free(e->shelf);
    tub_dnnl_close(&e->dnnl);
    tub_arena_finish(&e->arena);
    tub_free(e);
    *executable = NULL;
}
