#include "gpu_plans.h"

#include <stdlib.h>

static void keep(tub_plan_build *b, cudnnStatus_t status)
{
    if (b->status == CUDNN_STATUS_SUCCESS)
        b->status = status;
}

bool tub_plan_is_short(cudnnStatus_t status)
{
    return status == CUDNN_STATUS_INTERNAL_ERROR_HOST_ALLOCATION_FAILED ||
           status == CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED;
}

// A part may fail; only lack of memory makes the whole plan fail.
static void keep_short(tub_plan_build *b, cudnnStatus_t status)
{
    if (tub_plan_is_short(status))
        keep(b, status);
}

cudnnBackendDescriptor_t tub_plan_create(tub_plan_build *b, cudnnBackendDescriptorType_t type)
{
    cudnnBackendDescriptor_t d = NULL;
    if (b->count == TUB_PLAN_DESCRIPTORS)
        keep(b, CUDNN_STATUS_INTERNAL_ERROR);
    if (b->status == CUDNN_STATUS_SUCCESS)
        keep(b, b->dnn->cudnnBackendCreateDescriptor(type, &d));
    if (d)
        b->made[b->count++] = d;
    return d;
}

static void set(tub_plan_build *b, cudnnBackendDescriptor_t d, cudnnBackendAttributeName_t name,
                cudnnBackendAttributeType_t type, int64_t count, const void *values)
{
    if (b->status == CUDNN_STATUS_SUCCESS)
        keep(b, b->dnn->cudnnBackendSetAttribute(d, name, type, count, values));
}

void tub_plan_set_part(tub_plan_build *b, cudnnBackendDescriptor_t d, cudnnBackendAttributeName_t name,
                       cudnnBackendDescriptor_t part)
{
    set(b, d, name, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &part);
}

static void get(tub_plan_build *b, cudnnBackendDescriptor_t d, cudnnBackendAttributeName_t name,
                cudnnBackendAttributeType_t type, int64_t most, int64_t *count, void *values)
{
    if (b->status == CUDNN_STATUS_SUCCESS)
        keep(b, b->dnn->cudnnBackendGetAttribute(d, name, type, most, count, values));
}

void tub_plan_finalize(tub_plan_build *b, cudnnBackendDescriptor_t d)
{
    if (b->status == CUDNN_STATUS_SUCCESS)
        keep(b, b->dnn->cudnnBackendFinalize(d));
}

cudnnBackendDescriptor_t tub_plan_describe(tub_plan_build *b, const tub_plan_tensor *t)
{
    const int64_t alignment = 16;
    cudnnBackendDescriptor_t d = tub_plan_create(b, CUDNN_BACKEND_TENSOR_DESCRIPTOR);
    set(b, d, CUDNN_ATTR_TENSOR_DATA_TYPE, CUDNN_TYPE_DATA_TYPE, 1, &t->type);
    set(b, d, CUDNN_ATTR_TENSOR_DIMENSIONS, CUDNN_TYPE_INT64, 4, t->dims);
    set(b, d, CUDNN_ATTR_TENSOR_STRIDES, CUDNN_TYPE_INT64, 4, t->strides);
    set(b, d, CUDNN_ATTR_TENSOR_UNIQUE_ID, CUDNN_TYPE_INT64, 1, &t->id);
    set(b, d, CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT, CUDNN_TYPE_INT64, 1, &alignment);
    set(b, d, CUDNN_ATTR_TENSOR_IS_BY_VALUE, CUDNN_TYPE_BOOLEAN, 1, &t->on_host);
    tub_plan_finalize(b, d);
    return d;
}

// Says which GPU the plan, or a part of it, is for. 0: this part takes no handle, or no description.
static void aim(tub_plan_build *b, cudnnBackendDescriptor_t d, cudnnBackendAttributeName_t handle,
                cudnnBackendAttributeName_t described)
{
    if (b->target.handle && (int)handle)
        set(b, d, handle, CUDNN_TYPE_HANDLE, 1, &b->target.handle);
    else if (!b->target.handle && (int)described)
        set(b, d, described, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &b->target.description);
}

static cudnnBackendDescriptor_t graph_of(tub_plan_build *b, cudnnBackendDescriptor_t operation)
{
    cudnnBackendDescriptor_t graph = tub_plan_create(b, CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR);
    aim(b, graph, CUDNN_ATTR_OPERATIONGRAPH_HANDLE, 0);
    tub_plan_set_part(b, graph, CUDNN_ATTR_OPERATIONGRAPH_OPS, operation);
    tub_plan_finalize(b, graph);
    return graph;
}

void tub_plan_ask(tub_plan_build *b, cudnnBackendDescriptor_t operation)
{
    const cudnnBackendHeurMode_t mode = CUDNN_HEUR_MODE_A;
    cudnnBackendDescriptor_t heuristics = tub_plan_create(b, CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR);
    tub_plan_set_part(b, heuristics, CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH, graph_of(b, operation));
    aim(b, heuristics, 0, CUDNN_ATTR_ENGINEHEUR_DEVICEPROP);
    set(b, heuristics, CUDNN_ATTR_ENGINEHEUR_MODE, CUDNN_TYPE_HEUR_MODE, 1, &mode);
    tub_plan_finalize(b, heuristics);
    for (int i = 0; i < TUB_PLAN_ADVICE && b->status == CUDNN_STATUS_SUCCESS; i++)
        keep(b, b->dnn->cudnnBackendCreateDescriptor(CUDNN_BACKEND_ENGINECFG_DESCRIPTOR, &b->advised[i]));
    get(b, heuristics, CUDNN_ATTR_ENGINEHEUR_RESULTS, CUDNN_TYPE_BACKEND_DESCRIPTOR, TUB_PLAN_ADVICE, &b->engines,
        b->advised);
}

static bool changes_order(tub_plan_build *b, cudnnBackendDescriptor_t engine)
{
    cudnnBackendNumericalNote_t notes[CUDNN_NUMERICAL_NOTE_TYPE_COUNT];
    int64_t count = 0;
    get(b, engine, CUDNN_ATTR_ENGINE_NUMERICAL_NOTE, CUDNN_TYPE_NUMERICAL_NOTE, CUDNN_NUMERICAL_NOTE_TYPE_COUNT, &count,
        notes);
    for (int64_t i = 0; i < count && i < CUDNN_NUMERICAL_NOTE_TYPE_COUNT; i++)
        if (notes[i] == CUDNN_NUMERICAL_NOTE_NONDETERMINISTIC)
            return true;
    return false;
}

static bool splits(tub_plan_build *b, cudnnBackendDescriptor_t knob)
{
    cudnnBackendKnobType_t type = CUDNN_KNOB_TYPE_COUNTS;
    int64_t value = 0, count = 0;
    get(b, knob, CUDNN_ATTR_KNOB_CHOICE_KNOB_TYPE, CUDNN_TYPE_KNOB_TYPE, 1, &count, &type);
    get(b, knob, CUDNN_ATTR_KNOB_CHOICE_KNOB_VALUE, CUDNN_TYPE_INT64, 1, &count, &value);
    switch (type) {
    case CUDNN_KNOB_TYPE_SPLIT_K_SLC:
    case CUDNN_KNOB_TYPE_SPLIT_P_SLC:
        return value > 1;
    case CUDNN_KNOB_TYPE_SPLIT_K_BUF:
    case CUDNN_KNOB_TYPE_STREAM_K:
        return value > 0;
    default:
        return false;
    }
}

bool tub_plan_in_order(tub_plan_build *asked, cudnnBackendDescriptor_t configuration)
{
    enum { KNOBS = 16 };
    tub_plan_build b = {.dnn = asked->dnn, .target = asked->target};
    cudnnBackendDescriptor_t knobs[KNOBS], engine = tub_plan_create(&b, CUDNN_BACKEND_ENGINE_DESCRIPTOR);
    int64_t count = 0, knob_count = 0;
    for (int i = 0; i < KNOBS; i++)
        knobs[i] = tub_plan_create(&b, CUDNN_BACKEND_KNOB_CHOICE_DESCRIPTOR);
    get(&b, configuration, CUDNN_ATTR_ENGINECFG_ENGINE, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &count, &engine);
    get(&b, configuration, CUDNN_ATTR_ENGINECFG_KNOB_CHOICES, CUDNN_TYPE_BACKEND_DESCRIPTOR, KNOBS, &knob_count, knobs);
    bool in_order = !changes_order(&b, engine) && knob_count <= KNOBS; // if there are more, we don't know them all
    for (int64_t i = 0; i < knob_count && in_order; i++)
        in_order = !splits(&b, knobs[i]);
    tub_plan_end(&b);
    keep_short(asked, b.status);
    return in_order && b.status == CUDNN_STATUS_SUCCESS;
}

static void take(tub_plan_build *b, cudnnBackendDescriptor_t d)
{
    for (int i = 0; i < TUB_PLAN_ADVICE; i++)
        if (b->advised[i] == d)
            b->advised[i] = NULL;
    for (int i = 0; i < b->count; i++)
        if (b->made[i] == d)
            b->made[i] = NULL;
}

static void destroy(const tub_cudnn *dnn, cudnnBackendDescriptor_t d)
{
    if (d)
        dnn->cudnnBackendDestroyDescriptor(d);
}

// Made from a configuration or, without one, from a text.
static tub_gpu_plan *make(tub_plan_build *b, cudnnBackendDescriptor_t configuration, const char *text, size_t bytes)
{
    int64_t count = 0;
    tub_gpu_plan *p = calloc(1, sizeof *p);
    if (!p) {
        keep(b, CUDNN_STATUS_INTERNAL_ERROR_HOST_ALLOCATION_FAILED);
        return NULL;
    }
    tub_plan_build own = {.dnn = b->dnn, .target = b->target};
    p->plan = tub_plan_create(&own, CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR);
    aim(&own, p->plan, CUDNN_ATTR_EXECUTION_PLAN_HANDLE, CUDNN_ATTR_EXECUTION_PLAN_DEVICEPROP);
    if (configuration)
        tub_plan_set_part(&own, p->plan, CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG, configuration);
    else
        set(&own, p->plan, CUDNN_ATTR_EXECUTION_PLAN_JSON_REPRESENTATION, CUDNN_TYPE_CHAR, (int64_t)bytes, text);
    tub_plan_finalize(&own, p->plan);
    get(&own, p->plan, CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE, CUDNN_TYPE_INT64, 1, &count, &p->workspace);
    if (own.status == CUDNN_STATUS_SUCCESS)
        return p;
    keep_short(b, own.status);
    destroy(b->dnn, p->plan);
    free(p);
    return NULL;
}

tub_gpu_plan *tub_plan_make(tub_plan_build *b, cudnnBackendDescriptor_t configuration)
{
    tub_gpu_plan *p = make(b, configuration, NULL, 0);
    if (!p)
        return NULL;
    p->configuration = configuration;
    take(b, configuration);
    return p;
}

tub_gpu_plan *tub_plan_read(tub_plan_build *b, const char *text, size_t bytes)
{
    return make(b, NULL, text, bytes);
}

bool tub_plan_write(const tub_cudnn *dnn, const tub_gpu_plan *plan, char *text, size_t *bytes)
{
    const cudnnBackendAttributeName_t name = CUDNN_ATTR_EXECUTION_PLAN_JSON_REPRESENTATION;
    int64_t needed = 0, written = 0;
    const size_t room = *bytes;
    if (dnn->cudnnBackendGetAttribute(plan->plan, name, CUDNN_TYPE_CHAR, 0, &needed, NULL) != CUDNN_STATUS_SUCCESS)
        return false;
    *bytes = (size_t)needed;
    return needed > 0 && (room < *bytes || dnn->cudnnBackendGetAttribute(plan->plan, name, CUDNN_TYPE_CHAR, needed,
                                                                         &written, text) == CUDNN_STATUS_SUCCESS);
}

void tub_plan_end(tub_plan_build *b)
{
    for (int i = 0; i < TUB_PLAN_ADVICE; i++)
        destroy(b->dnn, b->advised[i]);
    for (int i = b->count - 1; i >= 0; i--)
        destroy(b->dnn, b->made[i]);
}

void tub_plan_release(const tub_cudnn *dnn, tub_gpu_plan *plan)
{
    if (!plan)
        return;
    destroy(dnn, plan->plan);
    destroy(dnn, plan->configuration);
    free(plan);
}

tub_status tub_plan_run(tub_gpu *gpu, const tub_gpu_plan *plan, int count, const int64_t *ids,
                        const void *const *pointers, void *workspace, tub_error *err)
{
    tub_plan_build b = {.dnn = &gpu->cudnn};
    const tub_status status = tub_cuda_failed(err, cudaSetDevice(gpu->index), "the GPU");
    if (status != TUB_OK)
        return status;
    cudnnBackendDescriptor_t pack = tub_plan_create(&b, CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR);
    set(&b, pack, CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS, CUDNN_TYPE_INT64, count, ids);
    set(&b, pack, CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS, CUDNN_TYPE_VOID_PTR, count, pointers);
    set(&b, pack, CUDNN_ATTR_VARIANT_PACK_WORKSPACE, CUDNN_TYPE_VOID_PTR, 1, &workspace);
    tub_plan_finalize(&b, pack);
    if (b.status == CUDNN_STATUS_SUCCESS)
        keep(&b, gpu->cudnn.cudnnBackendExecute(gpu->attention, plan->plan, pack));
    tub_plan_end(&b);
    if (b.status == CUDNN_STATUS_SUCCESS)
        return TUB_OK;
    return tub_plugin_fail(err, tub_plan_is_short(b.status) ? TUB_ERROR_MEMORY : TUB_ERROR_DEVICE,
                           "cuDNN's attention: %s", gpu->cudnn.cudnnGetErrorString(b.status));
}
