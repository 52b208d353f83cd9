// A GPU driver's library (libcuda.so.1) as far as libav's decoding on GPUs goes: the GPU's memory is the host's.
//
// FAKE_NVDEC = "no_gpu": there is none. "gives_none": it is lost when something is copied to the host.
// "copies_none": when something is copied on it.
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <stdio.h>
#include <string.h>

#define EXPORT __attribute__((visibility("default")))

enum { OK = 0, OUT_OF_MEMORY = 2, NO_DEVICE = 100, NOT_SUPPORTED = 801, UNKNOWN = 999 };

static int context;
static atomic_int lost; // every later wait fails

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
    *device = ordinal;
    return ordinal == 0 ? OK : NO_DEVICE;
}

// libav asks for the alignment of textures.
FUNCTION(cuDeviceGetAttribute, int *value, int attribute, int device)
{
    (void)attribute;
    *value = 512;
    return device;
}

FUNCTION(cuDevicePrimaryCtxRetain, void **out, int device)
{
    (void)device;
    lost = OK;
    *out = &context;
    return OK;
}

FUNCTION(cuDevicePrimaryCtxRelease, int device)
{
    return device;
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

FUNCTION(cuMemcpy2DAsync_v2, const copy_2d *copy, void *stream)
{
    (void)stream;
    if (is_told(copy->to.type == 1 ? "gives_none" : "copies_none"))
        lost = UNKNOWN;
    if (lost)
        return lost;
    for (size_t y = 0; y < copy->height; y++)
        memcpy(start(&copy->to) + y * copy->to.pitch, start(&copy->from) + y * copy->from.pitch, copy->width);
    return OK;
}

FUNCTION(cuMemcpy2D_v2, const copy_2d *copy)
{
    return cuMemcpy2DAsync_v2(copy, NULL);
}

FUNCTION(cuStreamSynchronize, void *stream)
{
    (void)stream;
    return lost;
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

// What libav wants to be there, whatever it is then used for.
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
UNUSED(cuStreamCreate)
UNUSED(cuStreamDestroy_v2)
UNUSED(cuStreamQuery)
UNUSED(cuStreamWaitEvent)
UNUSED(cuTexObjectCreate)
UNUSED(cuTexObjectDestroy)
UNUSED(cuWaitExternalSemaphoresAsync)

// FAKE_CUDA_BUS: where every device is; not set: it can't tell.
FUNCTION(cuDeviceGetPCIBusId, char *out, int bytes, int device)
{
    const char *bus = getenv("FAKE_CUDA_BUS");
    (void)device;
    if (!bus)
        return 1;
    snprintf(out, (size_t)bytes, "%s", bus);
    return 0;
}
