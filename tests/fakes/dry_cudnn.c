// cuDNN for cards that compute nothing (dry_gpu.h). Plans are the real library's own, made for the description of the
// card where the plug-in gives its handle. A plan's execution is checked, counted and forgotten.
#include <cudnn.h>
#include <dlfcn.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "dry_gpu.h"

enum { OPERANDS = 8, PLANS = 64 };

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
static _Thread_local cudnnHandle_t planned; // the handle that a plan is being made for

// Where one of a plan's operands ends: memory that its kernel reads or writes, or a number that it is given.
typedef struct operand {
    int64_t id;
    size_t bytes; // 0: a number on the host
} operand;

typedef struct extents {
    cudnnBackendDescriptor_t plan;
    operand operands[OPERANDS];
    int count;
    bool whole; // its operation has been described: the next one is another graph's
    bool text;  // made from a text, which isn't read here
} extents;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static extents plans[PLANS];
static _Thread_local extents planning;

// What the thread's last variant pack was set to, which the library doesn't return again.
static _Thread_local struct {
    cudnnBackendDescriptor_t pack;
    int64_t ids[OPERANDS], id_count, count;
    const void *pointers[OPERANDS], *workspace;
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

// Not for calls that look for a plan: there the library may refuse, as it may have none.
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
    if (!described)
        return CUDNN_STATUS_NOT_SUPPORTED_ARCH_MISMATCH;
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

// Operands on the device are never float32: 2 bytes a value. 0: the tensor can't be read back.
static size_t extent_of(cudnnBackendDescriptor_t tensor)
{
    int64_t dims[4], strides[4], n = 0, last = 0;
    if (real.get(tensor, CUDNN_ATTR_TENSOR_DIMENSIONS, CUDNN_TYPE_INT64, 4, &n, dims) != CUDNN_STATUS_SUCCESS ||
        real.get(tensor, CUDNN_ATTR_TENSOR_STRIDES, CUDNN_TYPE_INT64, 4, &n, strides) != CUDNN_STATUS_SUCCESS)
        return 0;
    for (int i = 0; i < n; i++)
        last += (dims[i] - 1) * strides[i];
    return 2 * (size_t)(last + 1);
}

static bool is_number(cudnnBackendDescriptor_t tensor)
{
    bool flag = false;
    int64_t n = 0;
    return real.get(tensor, CUDNN_ATTR_TENSOR_IS_BY_VALUE, CUDNN_TYPE_BOOLEAN, 1, &n, &flag) == CUDNN_STATUS_SUCCESS &&
           flag;
}

static void keep_operand(cudnnBackendDescriptor_t tensor)
{
    operand o = {.id = -1};
    int64_t n = 0;
    const bool number = is_number(tensor);
    if (!number)
        o.bytes = extent_of(tensor);
    if (planning.count == OPERANDS || (!number && o.bytes == 0) ||
        real.get(tensor, CUDNN_ATTR_TENSOR_UNIQUE_ID, CUDNN_TYPE_INT64, 1, &n, &o.id) != CUDNN_STATUS_SUCCESS)
        dry_refuse("a plan's operand can't be read back");
    else
        planning.operands[planning.count++] = o;
}

static void look_at_operand(cudnnBackendAttributeName_t name, const void *values)
{
    static const cudnnBackendAttributeName_t names[] = {
        CUDNN_ATTR_OPERATION_SDPA_FWD_QDESC, CUDNN_ATTR_OPERATION_SDPA_FWD_KDESC, CUDNN_ATTR_OPERATION_SDPA_FWD_VDESC,
        CUDNN_ATTR_OPERATION_SDPA_FWD_ODESC, CUDNN_ATTR_OPERATION_SDPA_FWD_SCALEDESC};
    planning.whole |= name == CUDNN_ATTR_OPERATIONGRAPH_OPS;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (names[i] != name)
            continue;
        if (planning.whole)
            planning = (extents){0};
        keep_operand(*(const cudnnBackendDescriptor_t *)values);
    }
}

// ---- descriptors: the real library's, except for the handle ----

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

// An engine that isn't available is an answer, not an error.
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
    const bool ids = name == CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS;
    if ((ids || name == CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS) && count > OPERANDS)
        dry_refuse("a pack of %d operands", (int)count);
    else if (ids)
        memcpy(packed.ids, values, (size_t)(packed.id_count = count) * sizeof *packed.ids);
    else if (name == CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS) {
        packed.pack = d;
        memcpy(packed.pointers, values, (size_t)(packed.count = count) * sizeof *packed.pointers);
    }
}

cudnnStatus_t cudnnBackendSetAttribute(cudnnBackendDescriptor_t d, cudnnBackendAttributeName_t name,
                                       cudnnBackendAttributeType_t type, int64_t count, const void *values)
{
    look_at_pack(d, name, count, values);
    look_at_operand(name, values);
    if (name == CUDNN_ATTR_EXECUTION_PLAN_JSON_REPRESENTATION)
        planning = (extents){.plan = d, .whole = true, .text = true};
    if (name == CUDNN_ATTR_OPERATIONGRAPH_HANDLE || name == CUDNN_ATTR_EXECUTION_PLAN_HANDLE) {
        if (type != CUDNN_TYPE_HANDLE || count != 1)
            return told(CUDNN_STATUS_BAD_PARAM, "a handle");
        planned = *(const cudnnHandle_t *)values;
        if (name == CUDNN_ATTR_OPERATIONGRAPH_HANDLE) // the real graph has none without a GPU
            return CUDNN_STATUS_SUCCESS;
        planning.plan = d;
        return told(real.set(d, CUDNN_ATTR_EXECUTION_PLAN_DEVICEPROP, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &planned->card),
                    "a plan's card");
    }
    const cudnnStatus_t status = told(real.set(d, name, type, count, values), "cudnnBackendSetAttribute");
    if (status != CUDNN_STATUS_SUCCESS || name != CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH)
        return status;
    return told(real.set(d, CUDNN_ATTR_ENGINEHEUR_DEVICEPROP, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &planned->card),
                "an engine's card");
}

// ---- running one ----

static bool operand_fits(const operand *o)
{
    const void *pointer = NULL;
    for (int i = 0; i < packed.count; i++)
        if (packed.ids[i] == o->id)
            pointer = packed.pointers[i];
    if (o->bytes == 0)
        return (pointer && *(const float *)pointer > 0) ||
               dry_refuse("a plan's number %d isn't the host's", (int)o->id);
    return ((uintptr_t)pointer % 16 == 0 && dry_is_device(pointer, o->bytes, "a plan's operand")) ||
           dry_refuse("a plan's operand %d isn't aligned or not there", (int)o->id);
}

static bool pointers_fit(const extents *plan, cudnnBackendDescriptor_t pack)
{
    if (!plan->plan || packed.pack != pack || packed.count != packed.id_count ||
        (packed.count != plan->count && !plan->text))
        return dry_refuse("a plan or its pointers weren't told");
    for (int i = 0; plan->text && i < packed.count; i++)
        if ((uintptr_t)packed.pointers[i] % 16 || !dry_is_device(packed.pointers[i], 2, "a plan's operand"))
            return dry_refuse("a plan's operand %d isn't aligned or not there", (int)packed.ids[i]);
    for (int i = 0; i < plan->count; i++)
        if (!operand_fits(&plan->operands[i]))
            return false;
    return true;
}

static bool workspace_fits(cudnnBackendDescriptor_t plan)
{
    int64_t bytes = 0, n = 0;
    return real.get(plan, CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE, CUDNN_TYPE_INT64, 1, &n, &bytes) ==
               CUDNN_STATUS_SUCCESS &&
           (bytes == 0 || dry_is_device(packed.workspace, (size_t)bytes, "a plan's workspace"));
}

cudnnStatus_t cudnnBackendExecute(cudnnHandle_t h, cudnnBackendDescriptor_t plan, cudnnBackendDescriptor_t pack)
{
    pthread_mutex_lock(&lock);
    const extents *known = find_plan(plan);
    const extents whole = known ? *known : (extents){0};
    pthread_mutex_unlock(&lock);
    if (!pointers_fit(&whole, pack) || !workspace_fits(plan))
        return told(CUDNN_STATUS_BAD_PARAM, "cudnnBackendExecute");
    return dry_work(h->stream, &dry_the_tally()->attentions, "cudnnBackendExecute") ? CUDNN_STATUS_SUCCESS
                                                                                    : CUDNN_STATUS_EXECUTION_FAILED;
}
