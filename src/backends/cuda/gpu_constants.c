// Constants: converted on the host to the type that they are computed with, and uploaded once.
#include <string.h>

#include "fail.h"
#include "gpu_executable.h"
#include "half.h"

enum { EVENT = 0 };

static size_t type_bytes(tub_gpu_type type)
{
    return type == TUB_GPU_F32 ? sizeof(float) : sizeof(uint16_t);
}

// In place: the narrow values begin where the floats did.
static void narrow_in_place(float *floats, tub_gpu_type type, size_t count)
{
    uint16_t *out = (uint16_t *)(void *)floats;
    for (size_t i = 0; i < count && type != TUB_GPU_F32; i++) {
        const float x = floats[i];
        const uint16_t bits = type == TUB_GPU_F16 ? tub_to_f16(x) : tub_to_bf16(x);
        memcpy(out + i, &bits, sizeof bits);
    }
}

tub_status tub_gpu_upload(tub_executable *e, const void *host, size_t bytes, void **out, tub_error *err)
{
    tub_backend *b = e->backend;
    if (!tub_grow((void **)&e->blocks, &e->block_capacity, e->block_count + 1, sizeof *e->blocks))
        return tub_fail_memory(err, "the list of constants");
    tub_gpu_block *block = &e->blocks[e->block_count];
    TUB_TRY(tub_gpu_reserve(b, bytes, "the model's weights", block, err));
    e->block_count++;
    TUB_TRY(b->ops->upload(b->gpu, TUB_GPU_COMPUTE, block->data, host, bytes, err));
    TUB_TRY(b->ops->record(b->gpu, EVENT, TUB_GPU_COMPUTE, err));
    TUB_TRY(b->ops->settle(b->gpu, EVENT, err)); // the caller may change `host` again
    *out = block->data;
    return TUB_OK;
}

tub_status tub_gpu_upload_tensor(tub_executable *e, const tub_tensor *t, tub_gpu_type type, const float *scale,
                                 size_t group, void **out, tub_error *err)
{
    *out = NULL;
    if (!tub_tensor_is_there(t))
        return TUB_OK;
    const size_t count = (size_t)tub_tensor_count(t);
    float *floats = tub_alloc_aligned(count, sizeof *floats);
    if (!floats)
        return tub_fail_memory(err, "a constant");
    tub_tensor_floats(t, 0, (int64_t)count, floats);
    for (size_t i = 0; scale && i < count; i++)
        floats[i] *= scale[i / group];
    narrow_in_place(floats, type, count);
    const tub_status status = tub_gpu_upload(e, floats, count * type_bytes(type), out, err);
    tub_free(floats);
    return status;
}

static tub_status upload_op(tub_executable *e, const tub_op *op, tub_gpu_constants *c, tub_error *err)
{
    switch (op->kind) {
    case TUB_OP_PATCHES:
        return tub_gpu_upload(e, e->program->input.table, sizeof e->program->input.table, &c->weight, err);
    case TUB_OP_LINEAR:
        return tub_gpu_linear_constants(e, op, c, err);
    case TUB_OP_NORM:
        TUB_TRY(tub_gpu_upload_tensor(e, &op->norm.weight, TUB_GPU_F32, NULL, 1, &c->weight, err));
        return tub_gpu_upload_tensor(e, &op->norm.bias, TUB_GPU_F32, NULL, 1, &c->bias, err);
    case TUB_OP_ADD_TABLE:
        return tub_gpu_upload_tensor(e, &op->add_table.table, TUB_GPU_F32, NULL, 1, &c->weight, err);
    case TUB_OP_PREPEND:
        return tub_gpu_upload_tensor(e, &op->prepend.rows, TUB_GPU_F32, NULL, 1, &c->weight, err);
    case TUB_OP_ROTATE:
        TUB_TRY(tub_gpu_upload_tensor(e, &op->rotate.cosine, TUB_GPU_F32, NULL, 1, &c->weight, err));
        return tub_gpu_upload_tensor(e, &op->rotate.sine, TUB_GPU_F32, NULL, 1, &c->bias, err);
    case TUB_OP_ATTENTION:
        return tub_gpu_upload_tensor(e, &op->attention.query, e->narrow, NULL, 1, &c->weight, err);
    case TUB_OP_GATHER:
        return tub_gpu_upload(e, op->gather.index, (size_t)e->program->values[op->out].rows * sizeof(int), &c->weight,
                              err);
    default:
        return TUB_OK;
    }
}

tub_status tub_gpu_constants_make(tub_executable *e, tub_error *err)
{
    const tub_gpu_list *all = &e->lists[e->with_tokens];
    for (int i = 0; i < e->program->op_count; i++) {
        const tub_status status = all->need[i] ? upload_op(e, &e->program->ops[i], &e->constants[i], err) : TUB_OK;
        if (status != TUB_OK)
            return tub_fail_within(err, status, "%s", e->program->ops[i].label);
    }
    return TUB_OK;
}
