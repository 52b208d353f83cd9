// Attention by cuDNN: its scaled-dot-product operation, through the backend's C interface.
//
// A plan is made for a GPU, or, in tests, for the description of one: that needs no GPU.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gpu_attention.h"

enum { Q = 1, K = 2, V = 3, O = 4, SCALE = 5, CONFIGURATIONS = 8, DESCRIPTORS = 8 };

struct tub_gpu_plan {
    cudnnBackendDescriptor_t plan, configuration;
    int64_t workspace;
};

// A plan in the making. `made` are to be destroyed, whatever comes of it.
typedef struct build {
    const tub_cudnn *dnn;
    tub_attention_target target;
    cudnnBackendDescriptor_t made[DESCRIPTORS];
    int count;
    int64_t engines;      // that the library's advice names
    cudnnStatus_t status; // of the first call that failed
} build;

static void keep(build *b, cudnnStatus_t status)
{
    if (b->status == CUDNN_STATUS_SUCCESS)
        b->status = status;
}

static cudnnBackendDescriptor_t create(build *b, cudnnBackendDescriptorType_t type)
{
    cudnnBackendDescriptor_t d = NULL;
    if (b->status == CUDNN_STATUS_SUCCESS)
        keep(b, b->dnn->cudnnBackendCreateDescriptor(type, &d));
    if (d)
        b->made[b->count++] = d;
    return d;
}

static void set(build *b, cudnnBackendDescriptor_t d, cudnnBackendAttributeName_t name,
                cudnnBackendAttributeType_t type, int64_t count, const void *values)
{
    if (b->status == CUDNN_STATUS_SUCCESS)
        keep(b, b->dnn->cudnnBackendSetAttribute(d, name, type, count, values));
}

static void finalize(build *b, cudnnBackendDescriptor_t d)
{
    if (b->status == CUDNN_STATUS_SUCCESS)
        keep(b, b->dnn->cudnnBackendFinalize(d));
}

static cudnnBackendDescriptor_t tensor(build *b, int64_t id, cudnnDataType_t type, const int64_t *dims,
                                       const int64_t *strides, bool by_value)
{
    const int64_t alignment = 16;
    cudnnBackendDescriptor_t d = create(b, CUDNN_BACKEND_TENSOR_DESCRIPTOR);
    set(b, d, CUDNN_ATTR_TENSOR_DATA_TYPE, CUDNN_TYPE_DATA_TYPE, 1, &type);
    set(b, d, CUDNN_ATTR_TENSOR_DIMENSIONS, CUDNN_TYPE_INT64, 4, dims);
    set(b, d, CUDNN_ATTR_TENSOR_STRIDES, CUDNN_TYPE_INT64, 4, strides);
    set(b, d, CUDNN_ATTR_TENSOR_UNIQUE_ID, CUDNN_TYPE_INT64, 1, &id);
    set(b, d, CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT, CUDNN_TYPE_INT64, 1, &alignment);
    set(b, d, CUDNN_ATTR_TENSOR_IS_BY_VALUE, CUDNN_TYPE_BOOLEAN, 1, &by_value);
    finalize(b, d);
    return d;
}

// [runs, heads, rows, dim], as a stacked matrix has them.
static cudnnBackendDescriptor_t operand(build *b, int64_t id, const tub_gpu_attention *a, int rows, int64_t row,
                                        int64_t run)
{
    const int64_t dims[4] = {a->batch, a->heads, rows, a->dim}, strides[4] = {run, a->dim, row, 1};
    return tensor(b, id, a->type == TUB_GPU_F16 ? CUDNN_DATA_HALF : CUDNN_DATA_BFLOAT16, dims, strides, false);
}

static cudnnBackendDescriptor_t operation(build *b, const tub_gpu_attention *a)
{
    static const int64_t ones[4] = {1, 1, 1, 1};
    const cudnnBackendDescriptor_t q = operand(b, Q, a, a->queries, a->q_row, a->q_batch),
                                   k = operand(b, K, a, a->keys, a->k_row, a->k_batch),
                                   v = operand(b, V, a, a->keys, a->v_row, a->v_batch),
                                   o = operand(b, O, a, a->queries, a->out_row, a->out_batch),
                                   scale = tensor(b, SCALE, CUDNN_DATA_FLOAT, ones, ones, true);
    cudnnBackendDescriptor_t d = create(b, CUDNN_BACKEND_OPERATION_SDPA_FWD_DESCRIPTOR);
    set(b, d, CUDNN_ATTR_OPERATION_SDPA_FWD_QDESC, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &q);
    set(b, d, CUDNN_ATTR_OPERATION_SDPA_FWD_KDESC, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &k);
    set(b, d, CUDNN_ATTR_OPERATION_SDPA_FWD_VDESC, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &v);
    set(b, d, CUDNN_ATTR_OPERATION_SDPA_FWD_ODESC, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &o);
    set(b, d, CUDNN_ATTR_OPERATION_SDPA_FWD_SCALEDESC, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &scale);
    finalize(b, d);
    return d;
}

// What the plan, or a part of it, is for. `described` 0: such a part takes no description.
static void set_target(build *b, cudnnBackendDescriptor_t d, cudnnBackendAttributeName_t handle,
                       cudnnBackendAttributeName_t described)
{
    if (b->target.handle && (int)handle)
        set(b, d, handle, CUDNN_TYPE_HANDLE, 1, &b->target.handle);
    else if (!b->target.handle && (int)described)
        set(b, d, described, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &b->target.description);
}

// The plan of one configuration; NULL: this GPU can't run it.
static tub_gpu_plan *plan_of(const tub_cudnn *dnn, tub_attention_target target, cudnnBackendDescriptor_t configuration)
{
    int64_t count = 0;
    tub_gpu_plan *p = calloc(1, sizeof *p);
    if (!p)
        return NULL;
    build b = {.dnn = dnn, .target = target};
    p->plan = create(&b, CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR);
    set_target(&b, p->plan, CUDNN_ATTR_EXECUTION_PLAN_HANDLE, CUDNN_ATTR_EXECUTION_PLAN_DEVICEPROP);
    set(&b, p->plan, CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &configuration);
    finalize(&b, p->plan);
    if (b.status == CUDNN_STATUS_SUCCESS)
        keep(&b, dnn->cudnnBackendGetAttribute(p->plan, CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE, CUDNN_TYPE_INT64, 1,
                                               &count, &p->workspace));
    if (b.status == CUDNN_STATUS_SUCCESS)
        return p;
    if (p->plan)
        dnn->cudnnBackendDestroyDescriptor(p->plan);
    free(p);
    return NULL;
}

// The first configuration of the library's advice that this GPU can run: the same every time.
static tub_gpu_plan *choose(build *b, cudnnBackendDescriptor_t heuristics)
{
    cudnnBackendDescriptor_t configurations[CONFIGURATIONS] = {0};
    tub_gpu_plan *plan = NULL;
    for (int i = 0; i < CONFIGURATIONS; i++)
        keep(b, b->dnn->cudnnBackendCreateDescriptor(CUDNN_BACKEND_ENGINECFG_DESCRIPTOR, &configurations[i]));
    if (b->status == CUDNN_STATUS_SUCCESS)
        keep(b,
             b->dnn->cudnnBackendGetAttribute(heuristics, CUDNN_ATTR_ENGINEHEUR_RESULTS, CUDNN_TYPE_BACKEND_DESCRIPTOR,
                                              CONFIGURATIONS, &b->engines, configurations));
    for (int64_t i = 0; i < b->engines && i < CONFIGURATIONS && b->status == CUDNN_STATUS_SUCCESS && !plan; i++) {
        plan = plan_of(b->dnn, b->target, configurations[i]);
        if (plan) {
            plan->configuration = configurations[i];
            configurations[i] = NULL;
        }
    }
    for (int i = 0; i < CONFIGURATIONS; i++)
        if (configurations[i])
            b->dnn->cudnnBackendDestroyDescriptor(configurations[i]);
    return plan;
}

static tub_gpu_plan *make(build *b, const tub_gpu_attention *shape)
{
    const cudnnBackendHeurMode_t mode = CUDNN_HEUR_MODE_A;
    const cudnnBackendDescriptor_t attention = operation(b, shape);
    cudnnBackendDescriptor_t graph = create(b, CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR);
    set_target(b, graph, CUDNN_ATTR_OPERATIONGRAPH_HANDLE, 0);
    set(b, graph, CUDNN_ATTR_OPERATIONGRAPH_OPS, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &attention);
    finalize(b, graph);
    cudnnBackendDescriptor_t heuristics = create(b, CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR);
    set(b, heuristics, CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &graph);
    set_target(b, heuristics, 0, CUDNN_ATTR_ENGINEHEUR_DEVICEPROP);
    set(b, heuristics, CUDNN_ATTR_ENGINEHEUR_MODE, CUDNN_TYPE_HEUR_MODE, 1, &mode);
    finalize(b, heuristics);
    return b->status == CUDNN_STATUS_SUCCESS ? choose(b, heuristics) : NULL;
}

static tub_status none(const build *b, const tub_gpu_attention *shape, tub_error *err)
{
    char why[128] = "no engine: the card is older than 8.0, or NVRTC, by which cuDNN compiles them, isn't there";
    if (b->engines > 0)
        snprintf(why, sizeof why, "%d engines, none runs here", (int)b->engines);
    else if (b->status != CUDNN_STATUS_SUCCESS)
        snprintf(why, sizeof why, "%s", b->dnn->cudnnGetErrorString(b->status));
    tub_plugin_fail(err, TUB_ERROR_DEVICE, "cuDNN has none for %d x %d rows and heads of %d columns (%s)",
                    shape->queries, shape->keys, shape->dim, why);
    return TUB_END;
}

tub_status tub_attention_plan(const tub_cudnn *dnn, tub_attention_target target, const tub_gpu_attention *shape,
                              tub_gpu_plan **out, size_t *workspace, tub_error *err)
{
    *out = NULL;
    *workspace = 0;
    if (shape->type == TUB_GPU_F32 || shape->dim % 8 || shape->q_row % 8 || shape->k_row % 8 || shape->v_row % 8) {
        tub_plugin_fail(err, TUB_ERROR_DEVICE, "cuDNN has none for %s and heads of %d columns",
                        shape->type == TUB_GPU_F32 ? "float32" : "half precision", shape->dim);
        return TUB_END;
    }
    if (shape->batch > 1 && shape->q_batch == 0) {
        tub_plugin_fail(err, TUB_ERROR_DEVICE, "cuDNN has none for queries that all runs share");
        return TUB_END;
    }
    build b = {.dnn = dnn, .target = target};
    *out = make(&b, shape);
    for (int i = b.count - 1; i >= 0; i--)
        dnn->cudnnBackendDestroyDescriptor(b.made[i]);
    if (!*out)
        return none(&b, shape, err);
    *workspace = (size_t)(*out)->workspace;
    return TUB_OK;
}

void tub_attention_release(const tub_cudnn *dnn, tub_gpu_plan *plan)
{
    if (!plan)
        return;
    dnn->cudnnBackendDestroyDescriptor(plan->plan);
    dnn->cudnnBackendDestroyDescriptor(plan->configuration);
    free(plan);
}

tub_status tub_cuda_plan_attention(tub_gpu *gpu, const tub_gpu_attention *shape, tub_gpu_plan **out, size_t *workspace,
                                   tub_error *err)
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
    return tub_attention_plan(&gpu->cudnn, (tub_attention_target){.handle = gpu->attention}, shape, out, workspace,
                              err);
}

tub_status tub_cuda_attend(tub_gpu *gpu, const tub_gpu_plan *plan, const tub_gpu_attention *attention, void *workspace,
                           tub_error *err)
{
    static const int64_t ids[] = {Q, K, V, O, SCALE};
    float scale = attention->scale;
    const void *pointers[] = {attention->q, attention->k, attention->v, attention->out, &scale};
    build b = {.dnn = &gpu->cudnn};
    const tub_status status = tub_cuda_failed(err, cudaSetDevice(gpu->index), "the GPU");
    if (status != TUB_OK)
        return status;
    cudnnBackendDescriptor_t pack = create(&b, CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR);
    set(&b, pack, CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS, CUDNN_TYPE_INT64, 5, ids);
    set(&b, pack, CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS, CUDNN_TYPE_VOID_PTR, 5, pointers);
    set(&b, pack, CUDNN_ATTR_VARIANT_PACK_WORKSPACE, CUDNN_TYPE_VOID_PTR, 1, &workspace);
    finalize(&b, pack);
    if (b.status == CUDNN_STATUS_SUCCESS)
        keep(&b, gpu->cudnn.cudnnBackendExecute(gpu->attention, plan->plan, pack));
    if (pack)
        gpu->cudnn.cudnnBackendDestroyDescriptor(pack);
    if (b.status == CUDNN_STATUS_SUCCESS)
        return TUB_OK;
    return tub_plugin_fail(err, b.status == CUDNN_STATUS_ALLOC_FAILED ? TUB_ERROR_MEMORY : TUB_ERROR_DEVICE,
                           "cuDNN's attention: %s", gpu->cudnn.cudnnGetErrorString(b.status));
}

void tub_cuda_release_plan(tub_gpu *gpu, tub_gpu_plan *plan)
{
    tub_attention_release(&gpu->cudnn, plan);
}
