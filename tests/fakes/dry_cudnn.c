// cuDNN for cards that compute nothing (dry_gpu.h): plans are the real library's own, made for the description of the
// card where the plug-in says its handle; a plan's execution is looked at, counted and forgotten.
#include <cudnn.h>
#include <dlfcn.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "dry_gpu.h"

enum { POINTERS = 5, OPERANDS = 4, PLANS = 64 }; // q, k, v, out on the device; the scale on the host

typedef struct library {
    void *handle;
    __typeof__(&cudnnBackendCreateDescriptor) create;
    __typeof__(&cudnnBackendDestroyDescriptor) destroy;
    __typeof__(&cudnnBackendFinalize) finalize;
    __typeof__(&cudnnBackendGetAttribute) get;
    __typeof__(&cudnnBackendSetAttribute) set;
    __typeof__(&cudnnGetErrorString) error;
    __typeof__(&cudnnGetVersion) version;
} library;

struct cudnnContext {
    cudaStream_t stream;
    cudnnBackendDescriptor_t card;
};

static library real;
static _Thread_local cudnnHandle_t planned; // for which a plan is being made

// How many bytes of each operand a plan's kernel goes over.
typedef struct extents {
    cudnnBackendDescriptor_t plan;
    size_t bytes[OPERANDS];
} extents;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static extents plans[PLANS];
static _Thread_local extents planning;

// What the thread's last pack was told, which the library doesn't tell again.
static _Thread_local struct {
    cudnnBackendDescriptor_t pack;
    const void *pointers[POINTERS], *workspace;
    int64_t count;
} packed;

__attribute__((constructor)) static void load(void)
{
    real.handle = dlopen(DRY_CUDNN, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    if (!real.handle)
        return;
    dry_find(real.handle, &real.create, "cudnnBackendCreateDescriptor");
    dry_find(real.handle, &real.destroy, "cudnnBackendDestroyDescriptor");
    dry_find(real.handle, &real.finalize, "cudnnBackendFinalize");
    dry_find(real.handle, &real.get, "cudnnBackendGetAttribute");
    dry_find(real.handle, &real.set, "cudnnBackendSetAttribute");
    dry_find(real.handle, &real.error, "cudnnGetErrorString");
    dry_find(real.handle, &real.version, "cudnnGetVersion");
}

// Refusals while a plan is looked for are the library's right: it may have none.
static cudnnStatus_t told(cudnnStatus_t status, const char *call)
{
    if (status != CUDNN_STATUS_SUCCESS)
        dry_refuse("%s: %s", call, real.error(status));
    return status;
}

size_t cudnnGetVersion(void)
{
    return real.version();
}

const char *cudnnGetErrorString(cudnnStatus_t status)
{
    return real.error(status);
}

// ---- the handle: a stream and the description of a card ----

cudnnStatus_t cudnnCreate(cudnnHandle_t *out)
{
    const char *described = dry_current()->described;
    cudnnHandle_t h = *out = calloc(1, sizeof *h);
    if (!h)
        return CUDNN_STATUS_ALLOC_FAILED;
    dry_count(&dry_the_tally()->handles, 1);
    cudnnStatus_t status = real.create(CUDNN_BACKEND_DEVICEPROP_DESCRIPTOR, &h->card);
    if (status == CUDNN_STATUS_SUCCESS)
        status = real.set(h->card, CUDNN_ATTR_DEVICEPROP_JSON_REPRESENTATION, CUDNN_TYPE_CHAR,
                          (int64_t)strlen(described) + 1, described);
    return told(status == CUDNN_STATUS_SUCCESS ? real.finalize(h->card) : status, "the card's description");
}

cudnnStatus_t cudnnDestroy(cudnnHandle_t h)
{
    real.destroy(h->card);
    free(h);
    dry_count(&dry_the_tally()->handles, -1);
    return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnSetStream(cudnnHandle_t h, cudaStream_t stream)
{
    h->stream = stream;
    return CUDNN_STATUS_SUCCESS;
}

// ---- plans: where their operands end ----

static extents *find_plan(cudnnBackendDescriptor_t plan)
{
    for (int i = 0; i < PLANS; i++)
        if (plans[i].plan == plan)
            return &plans[i];
    return NULL;
}

static void keep_plan(void)
{
    pthread_mutex_lock(&lock);
    extents *place = find_plan(NULL);
    if (place)
        *place = planning;
    pthread_mutex_unlock(&lock);
}

static void forget_plan(cudnnBackendDescriptor_t plan)
{
    pthread_mutex_lock(&lock);
    extents *place = find_plan(plan);
    if (place)
        place->plan = NULL;
    pthread_mutex_unlock(&lock);
}

// Of two bytes an element. 0: it can't be read back.
static size_t extent_of(cudnnBackendDescriptor_t tensor)
{
    int64_t dims[4], strides[4], n = 0, last = 0;
    if (real.get(tensor, CUDNN_ATTR_TENSOR_DIMENSIONS, CUDNN_TYPE_INT64, 4, &n, dims) != CUDNN_STATUS_SUCCESS ||
        real.get(tensor, CUDNN_ATTR_TENSOR_STRIDES, CUDNN_TYPE_INT64, 4, &n, strides) != CUDNN_STATUS_SUCCESS)
        return 0;
    for (int i = 0; i < 4; i++)
        last += (dims[i] - 1) * strides[i];
    return 2 * (size_t)(last + 1);
}

static void look_at_operand(cudnnBackendAttributeName_t name, const void *values)
{
    static const cudnnBackendAttributeName_t names[OPERANDS] = {
        CUDNN_ATTR_OPERATION_SDPA_FWD_QDESC, CUDNN_ATTR_OPERATION_SDPA_FWD_KDESC, CUDNN_ATTR_OPERATION_SDPA_FWD_VDESC,
        CUDNN_ATTR_OPERATION_SDPA_FWD_ODESC};
    for (int i = 0; i < OPERANDS; i++)
        if (names[i] == name)
            planning.bytes[i] = extent_of(*(const cudnnBackendDescriptor_t *)values);
}

// ---- descriptors: the real library's, but for the handle ----

cudnnStatus_t cudnnBackendCreateDescriptor(cudnnBackendDescriptorType_t type, cudnnBackendDescriptor_t *out)
{
    dry_count(&dry_the_tally()->descriptions, 1);
    return told(real.create(type, out), "cudnnBackendCreateDescriptor");
}

cudnnStatus_t cudnnBackendDestroyDescriptor(cudnnBackendDescriptor_t d)
{
    dry_count(&dry_the_tally()->descriptions, -1);
    forget_plan(d);
    return told(real.destroy(d), "cudnnBackendDestroyDescriptor");
}

// An engine that can't be had is an answer, not a mistake.
cudnnStatus_t cudnnBackendFinalize(cudnnBackendDescriptor_t d)
{
    const cudnnStatus_t status = real.finalize(d);
    if (status == CUDNN_STATUS_SUCCESS && d == planning.plan)
        keep_plan();
    return status == CUDNN_STATUS_BAD_PARAM ? told(status, "cudnnBackendFinalize") : status;
}

cudnnStatus_t cudnnBackendGetAttribute(cudnnBackendDescriptor_t d, cudnnBackendAttributeName_t name,
                                       cudnnBackendAttributeType_t type, int64_t wanted, int64_t *count, void *values)
{
    return real.get(d, name, type, wanted, count, values);
}

static void look_at_pack(cudnnBackendDescriptor_t d, cudnnBackendAttributeName_t name, int64_t count,
                         const void *values)
{
    if (name == CUDNN_ATTR_VARIANT_PACK_WORKSPACE && count == 1)
        memcpy(&packed.workspace, values, sizeof packed.workspace);
    if (name != CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS)
        return;
    packed.pack = d;
    packed.count = count;
    if (count == POINTERS)
        memcpy(packed.pointers, values, sizeof packed.pointers);
}

cudnnStatus_t cudnnBackendSetAttribute(cudnnBackendDescriptor_t d, cudnnBackendAttributeName_t name,
                                       cudnnBackendAttributeType_t type, int64_t count, const void *values)
{
    look_at_pack(d, name, count, values);
    look_at_operand(name, values);
    if (name == CUDNN_ATTR_OPERATIONGRAPH_HANDLE || name == CUDNN_ATTR_EXECUTION_PLAN_HANDLE) {
        if (type != CUDNN_TYPE_HANDLE || count != 1)
            return told(CUDNN_STATUS_BAD_PARAM, "a handle");
        planned = *(const cudnnHandle_t *)values;
        if (name == CUDNN_ATTR_OPERATIONGRAPH_HANDLE) // which has none without a GPU
            return CUDNN_STATUS_SUCCESS;
        planning.plan = d;
        return told(real.set(d, CUDNN_ATTR_EXECUTION_PLAN_DEVICEPROP, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &planned->card),
                    "a plan's card");
    }
    const cudnnStatus_t status = told(real.set(d, name, type, count, values), "cudnnBackendSetAttribute");
    if (status != CUDNN_STATUS_SUCCESS || name != CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH)
        return status;
    return told(real.set(d, CUDNN_ATTR_ENGINEHEUR_DEVICEPROP, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &planned->card),
                "the advice's card");
}

// ---- running one ----

static bool pointers_fit(cudnnBackendDescriptor_t plan, cudnnBackendDescriptor_t pack)
{
    pthread_mutex_lock(&lock);
    const extents *known = find_plan(plan);
    const extents all = known ? *known : (extents){0};
    pthread_mutex_unlock(&lock);
    if (!all.plan || packed.pack != pack || packed.count != POINTERS)
        return dry_refuse("attention's plan or pointers weren't told");
    for (int i = 0; i < OPERANDS; i++)
        if ((uintptr_t)packed.pointers[i] % 16 || all.bytes[i] == 0 ||
            !dry_is_device(packed.pointers[i], all.bytes[i], "attention's operand"))
            return dry_refuse("attention's operand %d isn't aligned or not there", i);
    return *(const float *)packed.pointers[OPERANDS] > 0 || dry_refuse("attention's scale isn't the host's");
}

static bool workspace_fits(cudnnBackendDescriptor_t plan)
{
    int64_t bytes = 0, n = 0;
    return real.get(plan, CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE, CUDNN_TYPE_INT64, 1, &n, &bytes) ==
               CUDNN_STATUS_SUCCESS &&
           (bytes == 0 || dry_is_device(packed.workspace, (size_t)bytes, "attention's workspace"));
}

cudnnStatus_t cudnnBackendExecute(cudnnHandle_t h, cudnnBackendDescriptor_t plan, cudnnBackendDescriptor_t pack)
{
    if (!pointers_fit(plan, pack) || !workspace_fits(plan))
        return told(CUDNN_STATUS_BAD_PARAM, "cudnnBackendExecute");
    return dry_work(h->stream, &dry_the_tally()->attentions, "cudnnBackendExecute") ? CUDNN_STATUS_SUCCESS
                                                                                    : CUDNN_STATUS_EXECUTION_FAILED;
}
