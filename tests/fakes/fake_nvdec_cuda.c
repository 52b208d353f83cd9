// A GPU driver's library (libcuda.so.1), with what libav's decoding on GPUs uses. The GPU's memory is the host's.
//
// A copy on the GPU is done only when somebody waits for its stream, so a missing wait shows. The default stream, on
// which decoders would wait for each other, is refused. A stream that outlives its context ends the test.
//
// FAKE_NVDEC = "no_gpu": there is no GPU. "gives_none": the GPU is lost when something is copied to the host.
// "copies_none": it is lost when something is copied on it. "no_streams": it has no streams.
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXPORT __attribute__((visibility("default")))

enum { OK = 0, INVALID = 1, OUT_OF_MEMORY = 2, NO_DEVICE = 100, NOT_SUPPORTED = 801, UNKNOWN = 999, NON_BLOCKING = 1 };

static int context;
static atomic_int lost; // every later wait fails
static atomic_int retained, streams, contexts;
static pthread_mutex_t queueing = PTHREAD_MUTEX_INITIALIZER; // any thread may use a stream

static atomic_int calls,
    failing; // calls that could have failed; which one fails, from 1; negative: it and all after it

// Whether this call is the one that fails.
static bool failed(void)
{
    const int number = ++calls, at = failing;
    return number == at || (at < 0 && number >= -at);
}

static int is_told(const char *what)
{
    const char *told = getenv("FAKE_NVDEC");
    return told && !strcmp(told, what);
}

#define FUNCTION(name, ...)                                                                                            \
    EXPORT int name(__VA_ARGS__);                                                                                      \
    EXPORT int name(__VA_ARGS__)

FUNCTION(cuInit, unsigned flags)
{
    if (failed())
        return UNKNOWN;
    (void)flags;
    return is_told("no_gpu") ? NO_DEVICE : OK;
}

FUNCTION(cuDeviceGetCount, int *count)
{
    *count = 1;
    return OK;
}

FUNCTION(cuDeviceGet, int *device, int ordinal)
{
    if (failed())
        return UNKNOWN;
    *device = ordinal;
    return ordinal == 0 ? OK : NO_DEVICE;
}

// libav asks for the alignment of textures.
FUNCTION(cuDeviceGetAttribute, int *value, int attribute, int device)
{
    if (failed())
        return UNKNOWN;
    (void)attribute;
    *value = 512;
    return device;
}

FUNCTION(cuDevicePrimaryCtxRetain, void **out, int device)
{
    if (failed())
        return UNKNOWN;
    (void)device;
    lost = OK;
    contexts += retained++ == 0;
    *out = &context;
    return OK;
}

FUNCTION(cuDevicePrimaryCtxRelease, int device)
{
    if (--retained < streams) {
        fprintf(stderr, "fake driver: a stream outlives its context\n");
        abort();
    }
    return device;
}

// For tests: from now on call `at` fails; if negative, all from -at on. Returns how many there were before.
FUNCTION(fake_failing_call, int at)
{
    failing = at;
    return atomic_exchange(&calls, 0);
}

// For tests: how often the context was made, and whether it still exists.
FUNCTION(fake_contexts, int *made)
{
    *made = contexts;
    return retained > 0;
}

FUNCTION(cuCtxPushCurrent_v2, void *pushed)
{
    return pushed == &context ? OK : NOT_SUPPORTED;
}

FUNCTION(cuCtxPopCurrent_v2, void **popped)
{
    *popped = &context;
    return OK;
}

FUNCTION(cuMemAlloc_v2, uint64_t *out, size_t bytes)
{
    if (failed())
        return OUT_OF_MEMORY;
    *out = (uintptr_t)malloc(bytes);
    return *out ? OK : OUT_OF_MEMORY;
}

FUNCTION(cuMemFree_v2, uint64_t memory)
{
    free((void *)(uintptr_t)memory);
    return OK;
}

typedef struct copy_side {
    size_t x, y;
    int type; // 1: host
    void *host;
    uint64_t device;
    void *array;
    size_t pitch;
} copy_side;

typedef struct copy_2d {
    copy_side from, to;
    size_t width, height;
} copy_2d;

static char *start(const copy_side *side)
{
    char *base = side->type == 1 ? side->host : (char *)(uintptr_t)side->device;
    return base + side->y * side->pitch + side->x;
}

typedef struct queue {
    copy_2d *copies;
    size_t count;
} queue;

static void do_copy(const copy_2d *copy)
{
    for (size_t y = 0; y < copy->height; y++)
        memcpy(start(&copy->to) + y * copy->to.pitch, start(&copy->from) + y * copy->from.pitch, copy->width);
}

FUNCTION(cuStreamCreate, queue **out, unsigned flags)
{
    if (failed())
        return UNKNOWN;
    if (flags != NON_BLOCKING || is_told("no_streams"))
        return NOT_SUPPORTED;
    *out = calloc(1, sizeof **out);
    streams++;
    return *out ? OK : OUT_OF_MEMORY;
}

// A wait that is set to fail has waited nevertheless.
FUNCTION(cuStreamSynchronize, queue *stream)
{
    const bool fails = failed();
    if (!stream)
        return INVALID;
    pthread_mutex_lock(&queueing);
    for (size_t i = 0; i < stream->count && !lost; i++)
        do_copy(&stream->copies[i]);
    stream->count = 0;
    pthread_mutex_unlock(&queueing);
    return fails ? UNKNOWN : lost;
}

// Copies that nobody has waited for are lost.
FUNCTION(cuStreamDestroy_v2, queue *stream)
{
    if (!stream)
        return INVALID;
    free(stream->copies);
    free(stream);
    streams--;
    return lost;
}

FUNCTION(cuMemcpy2DAsync_v2, const copy_2d *copy, queue *stream)
{
    if (failed())
        return UNKNOWN;
    if (!stream)
        return INVALID;
    if (is_told(copy->to.type == 1 ? "gives_none" : "copies_none"))
        lost = UNKNOWN;
    if (lost)
        return lost;
    pthread_mutex_lock(&queueing);
    copy_2d *grown = realloc(stream->copies, (stream->count + 1) * sizeof *grown);
    if (grown) {
        stream->copies = grown;
        stream->copies[stream->count++] = *copy;
    }
    pthread_mutex_unlock(&queueing);
    return grown ? OK : OUT_OF_MEMORY;
}

static int name_error(int error, const char **out)
{
    (void)error;
    *out = "an error of the fake";
    return OK;
}

FUNCTION(cuGetErrorName, int error, const char **out)
{
    return name_error(error, out);
}

FUNCTION(cuGetErrorString, int error, const char **out)
{
    return name_error(error, out);
}

// libav requires these to exist, whatever it uses them for.
#define UNUSED(name)                                                                                                   \
    EXPORT int name(void);                                                                                             \
    EXPORT int name(void)                                                                                              \
    {                                                                                                                  \
        return NOT_SUPPORTED;                                                                                          \
    }
UNUSED(cuArray3DCreate_v2)
UNUSED(cuArrayCreate_v2)
UNUSED(cuArrayDestroy)
UNUSED(cuCtxCreate_v2)
UNUSED(cuCtxDestroy_v2)
UNUSED(cuCtxGetCurrent)
UNUSED(cuCtxGetDevice)
UNUSED(cuCtxSetLimit)
UNUSED(cuDestroyExternalMemory)
UNUSED(cuDestroyExternalSemaphore)
UNUSED(cuDeviceComputeCapability)
UNUSED(cuDeviceGetByPCIBusId)
UNUSED(cuDeviceGetLuid)
UNUSED(cuDeviceGetName)
UNUSED(cuDeviceGetUuid)
UNUSED(cuDeviceGetUuid_v2)
UNUSED(cuDevicePrimaryCtxGetState)
UNUSED(cuDevicePrimaryCtxReset)
UNUSED(cuDevicePrimaryCtxSetFlags)
UNUSED(cuDriverGetVersion)
UNUSED(cuEventCreate)
UNUSED(cuEventDestroy_v2)
UNUSED(cuEventQuery)
UNUSED(cuEventRecord)
UNUSED(cuEventSynchronize)
UNUSED(cuExternalMemoryGetMappedBuffer)
UNUSED(cuExternalMemoryGetMappedMipmappedArray)
UNUSED(cuGLGetDevices_v2)
UNUSED(cuGraphicsGLRegisterImage)
UNUSED(cuGraphicsMapResources)
UNUSED(cuGraphicsResourceGetMappedPointer_v2)
UNUSED(cuGraphicsSubResourceGetMappedArray)
UNUSED(cuGraphicsUnmapResources)
UNUSED(cuGraphicsUnregisterResource)
UNUSED(cuImportExternalMemory)
UNUSED(cuImportExternalSemaphore)
UNUSED(cuLaunchKernel)
UNUSED(cuLinkAddData)
UNUSED(cuLinkAddData_v2)
UNUSED(cuLinkComplete)
UNUSED(cuLinkCreate)
UNUSED(cuLinkCreate_v2)
UNUSED(cuLinkDestroy)
UNUSED(cuMemAllocManaged)
UNUSED(cuMemAllocPitch_v2)
UNUSED(cuMemcpy)
UNUSED(cuMemcpy2D_v2)
UNUSED(cuMemcpyAsync)
UNUSED(cuMemcpyDtoDAsync_v2)
UNUSED(cuMemcpyDtoD_v2)
UNUSED(cuMemcpyDtoHAsync_v2)
UNUSED(cuMemcpyDtoH_v2)
UNUSED(cuMemcpyHtoDAsync_v2)
UNUSED(cuMemcpyHtoD_v2)
UNUSED(cuMemsetD8Async)
UNUSED(cuMipmappedArrayDestroy)
UNUSED(cuMipmappedArrayGetLevel)
UNUSED(cuModuleGetFunction)
UNUSED(cuModuleGetGlobal)
UNUSED(cuModuleGetGlobal_v2)
UNUSED(cuModuleLoadData)
UNUSED(cuModuleUnload)
UNUSED(cuSignalExternalSemaphoresAsync)
UNUSED(cuStreamAddCallback)
UNUSED(cuStreamQuery)
UNUSED(cuStreamWaitEvent)
UNUSED(cuTexObjectCreate)
UNUSED(cuTexObjectDestroy)
UNUSED(cuWaitExternalSemaphoresAsync)

// FAKE_CUDA_BUS: the bus ID of every device; not set: it can't tell.
FUNCTION(cuDeviceGetPCIBusId, char *out, int bytes, int device)
{
    const char *bus = getenv("FAKE_CUDA_BUS");
    (void)device;
    if (!bus)
        return 1;
    snprintf(out, (size_t)bytes, "%s", bus);
    return 0;
}
