// Attention by cuDNN: its scaled-dot-product operation.
#include <stdio.h>
#include <string.h>

#include "gpu_attention.h"

enum { Q = 1, K = 2, V = 3, O = 4, SCALE = 5 };

// Describes a tensor [runs, heads, rows, dim], as it lies in a matrix of stacked heads.
static cudnnBackendDescriptor_t operand(tub_plan_build *b, int64_t id, const tub_gpu_attention *a, int rows,
                                        int64_t row, int64_t run)
{
    const tub_plan_tensor t = {.id = id,
                               .type = a->type == TUB_GPU_F16 ? CUDNN_DATA_HALF : CUDNN_DATA_BFLOAT16,
                               .dims = {a->batch, a->heads, rows, a->dim},
                               .strides = {run, a->dim, row, 1}};
    return tub_plan_describe(b, &t);
}

static cudnnBackendDescriptor_t operation(tub_plan_build *b, const tub_gpu_attention *a)
{
    const tub_plan_tensor factor = {
        .id = SCALE, .type = CUDNN_DATA_FLOAT, .dims = {1, 1, 1, 1}, .strides = {1, 1, 1, 1}, .on_host = true};
    const cudnnBackendDescriptor_t q = operand(b, Q, a, a->queries, a->q_row, a->q_batch),
                                   k = operand(b, K, a, a->keys, a->k_row, a->k_batch),
                                   v = operand(b, V, a, a->keys, a->v_row, a->v_batch),
                                   o = operand(b, O, a, a->queries, a->out_row, a->out_batch),
                                   scale = tub_plan_describe(b, &factor);
    cudnnBackendDescriptor_t d = tub_plan_create(b, CUDNN_BACKEND_OPERATION_SDPA_FWD_DESCRIPTOR);
    tub_plan_set_part(b, d, CUDNN_ATTR_OPERATION_SDPA_FWD_QDESC, q);
    tub_plan_set_part(b, d, CUDNN_ATTR_OPERATION_SDPA_FWD_KDESC, k);
    tub_plan_set_part(b, d, CUDNN_ATTR_OPERATION_SDPA_FWD_VDESC, v);
    tub_plan_set_part(b, d, CUDNN_ATTR_OPERATION_SDPA_FWD_ODESC, o);
    tub_plan_set_part(b, d, CUDNN_ATTR_OPERATION_SDPA_FWD_SCALEDESC, scale);
    tub_plan_finalize(b, d);
    return d;
}

// Uses the first configuration of the library's advice that sums in a fixed order and that this GPU can run: always the
// same.
static tub_gpu_plan *make(tub_plan_build *b, const tub_gpu_attention *shape)
{
    tub_gpu_plan *plan = NULL;
    tub_plan_ask(b, operation(b, shape));
    for (int i = 0; i < TUB_PLAN_ADVICE && i < b->engines && b->status == CUDNN_STATUS_SUCCESS && !plan; i++)
        plan = tub_plan_in_order(b, b->advised[i]) ? tub_plan_make(b, b->advised[i]) : NULL;
    return plan;
}

static tub_status none(const tub_plan_build *b, const tub_gpu_attention *shape, tub_error *err)
{
    if (tub_plan_is_short(b->status)) // another engine, or our own kernel, would give other bits
        return tub_plugin_fail(err, TUB_ERROR_MEMORY, "cuDNN has no memory left for a plan of attention");
    char why[128] = "no engine: the card is older than 8.0, or NVRTC, by which cuDNN compiles them, isn't there";
    if (b->engines > 0)
        snprintf(why, sizeof why, "%d engines, none runs here and adds up in order", (int)b->engines);
    else if (b->status != CUDNN_STATUS_SUCCESS)
        snprintf(why, sizeof why, "%s", b->dnn->cudnnGetErrorString(b->status));
    tub_plugin_fail(err, TUB_ERROR_DEVICE, "cuDNN has none for %d x %d rows and heads of %d columns (%s)",
                    shape->queries, shape->keys, shape->dim, why);
    return TUB_END;
}

tub_status tub_attention_plan(const tub_cudnn *dnn, tub_plan_target target, const tub_gpu_attention *shape,
                              tub_gpu_text text, tub_gpu_plan **out, size_t *workspace, tub_error *err)
{
    *out = NULL;
    *workspace = 0;
    if (shape->type == TUB_GPU_F32 || shape->dim % 8 || shape->q_row % 8 || shape->k_row % 8 || shape->v_row % 8) {
        tub_plugin_fail(err, TUB_ERROR_DEVICE, "cuDNN has none for %s and heads of %d columns",
                        shape->type == TUB_GPU_F32 ? "float32" : "half precision", shape->dim);
        return TUB_END;
    }
    if (shape->queries == 1) {
        tub_plugin_fail(err, TUB_ERROR_DEVICE,
                        "cuDNN adds up a single query's keys in an order that depends on how many it has at once");
        return TUB_END;
    }
    // This includes a single run: its bits would differ from those it has among many runs.
    if (shape->q_batch == 0) {
        tub_plugin_fail(err, TUB_ERROR_DEVICE, "cuDNN has none for queries that all runs share");
        return TUB_END;
    }
    tub_plan_build b = {.dnn = dnn, .target = target};
    if (text.bytes > 0)
        *out = tub_plan_read(&b, text.data, text.bytes);
    if (!*out)
        *out = make(&b, shape);
    tub_plan_end(&b);
    if (!*out)
        return none(&b, shape, err);
    *workspace = (size_t)(*out)->workspace;
    return TUB_OK;
}

tub_status tub_cuda_plan_attention(tub_gpu *gpu, const tub_gpu_attention *shape, tub_gpu_text text, tub_gpu_plan **out,
                                   size_t *workspace, tub_error *err)
{
    *out = NULL;
    *workspace = 0;
    if (!gpu->attention) {
        tub_plugin_fail(err, TUB_ERROR_DEVICE, "%s", gpu->cudnn_reason);
        return TUB_END;
    }
    const tub_status status = tub_cuda_failed(err, cudaSetDevice(gpu->index), "the GPU");
    if (status != TUB_OK)
        return status;
    return tub_attention_plan(&gpu->cudnn, (tub_plan_target){.handle = gpu->attention}, shape, text, out, workspace,
                              err);
}

bool tub_cuda_write_plan(tub_gpu *gpu, const tub_gpu_plan *plan, char *text, size_t *bytes)
{
    return tub_plan_write(&gpu->cudnn, plan, text, bytes);
}

tub_status tub_cuda_attend(tub_gpu *gpu, const tub_gpu_plan *plan, const tub_gpu_attention *attention, void *workspace,
                           tub_error *err)
{
    static const int64_t ids[] = {Q, K, V, O, SCALE};
    const void *pointers[] = {attention->q, attention->k, attention->v, attention->out, &attention->scale};
    return tub_plan_run(gpu, plan, 5, ids, pointers, workspace, err);
}

void tub_cuda_release_plan(tub_gpu *gpu, tub_gpu_plan *plan)
{
    tub_plan_release(&gpu->cudnn, plan);
}
