// A GPU driver's library (libcuda.so.1) that doesn't start, but accepts machine code: as much as cuDNN asks for when it
// makes plans for the description of a GPU. cuDNN has NVRTC compile the code, which is checked and forgotten. Tensor
// maps, which the real driver makes without a GPU, are refused where its documents say so.
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define EXPORT __attribute__((visibility("default")))
#define FUNCTION(name, ...)                                                                                            \
    EXPORT int name(__VA_ARGS__);                                                                                      \
    EXPORT int name(__VA_ARGS__)

enum { OK = 0, INVALID_VALUE = 1, NO_DEVICE = 100, INVALID_IMAGE = 200, NOT_SUPPORTED = 801 };

static char kernel[512];
static int libraries;

// For tests: the name of the loaded code's kernel; NULL: none is loaded.
EXPORT const char *dry_cuda_kernel(void);
EXPORT const char *dry_cuda_kernel(void)
{
    return libraries ? kernel : NULL;
}

// NVRTC works without a driver. If this one started, NVRTC would need more of it.
FUNCTION(cuInit, unsigned flags)
{
    (void)flags;
    return NO_DEVICE;
}

FUNCTION(cuDriverGetVersion, int *version)
{
    *version = 13000;
    return OK;
}

// cuDNN loads code onto a GPU only if one is counted.
FUNCTION(cuDeviceGetCount, int *count)
{
    *count = 1;
    return OK;
}

FUNCTION(cuLibraryLoadData, void **out, const void *code, void *options, void *values, unsigned count,
         void *library_options, void *library_values, unsigned library_count)
{
    (void)options;
    (void)values;
    (void)count;
    (void)library_options;
    (void)library_values;
    (void)library_count;
    if (memcmp(code, "\177ELF", 4) != 0)
        return INVALID_IMAGE;
    libraries++;
    *out = kernel;
    return OK;
}

FUNCTION(cuLibraryUnload, void *library)
{
    if (library != kernel || libraries == 0)
        return INVALID_VALUE;
    libraries--;
    return OK;
}

FUNCTION(cuLibraryGetKernel, void **out, void *library, const char *name)
{
    if (library != kernel)
        return INVALID_VALUE;
    snprintf(kernel, sizeof kernel, "%s", name);
    *out = kernel;
    return OK;
}

static int name_error(int error, const char **out)
{
    *out = error == NO_DEVICE ? "no device" : "an error of the dry driver";
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

enum { FLOAT16 = 6, BFLOAT16 = 9, MOST_RANK = 5, MOST_BOX = 256, MOST_STEP = 8, SWIZZLE_128B = 3 };
static const uint64_t most_size = (uint64_t)1 << 32, most_stride = (uint64_t)1 << 40;
static long maps;

// For tests: how many maps were made.
EXPORT long dry_cuda_maps(void);
EXPORT long dry_cuda_maps(void)
{
    return maps;
}

// Supports 16-bit types, not interleaved.
FUNCTION(cuTensorMapEncodeTiled, void *map, int type, unsigned rank, void *memory, const uint64_t *sizes,
         const uint64_t *strides, const uint32_t *box, const uint32_t *steps, int interleave, int swizzle,
         int promotion, int fill)
{
    const uint32_t row = 2 * box[0];
    (void)promotion;
    if ((uintptr_t)map % 64 || (uintptr_t)memory % 16 || (type != FLOAT16 && type != BFLOAT16) || rank < 1 ||
        rank > MOST_RANK || interleave || fill || row % 16 || (swizzle == SWIZZLE_128B && row > 128))
        return INVALID_VALUE;
    for (unsigned i = 0; i < rank; i++)
        if (sizes[i] < 1 || sizes[i] > most_size || box[i] < 1 || box[i] > MOST_BOX || steps[i] < 1 ||
            steps[i] > MOST_STEP || (i > 0 && (strides[i - 1] % 16 || strides[i - 1] >= most_stride)))
            return INVALID_VALUE;
    memset(map, 0, 128);
    maps++;
    return OK;
}

// cuDNN looks these up, but doesn't call them without a GPU.
#define UNUSED(name)                                                                                                   \
    FUNCTION(name, void)                                                                                               \
    {                                                                                                                  \
        return NOT_SUPPORTED;                                                                                          \
    }
UNUSED(cuCtxGetCurrent)
UNUSED(cuCtxGetLimit)
UNUSED(cuCtxPopCurrent)
UNUSED(cuCtxPushCurrent)
UNUSED(cuDeviceGet)
UNUSED(cuKernelGetAttribute)
UNUSED(cuKernelSetAttribute)
UNUSED(cuLaunchCooperativeKernel)
UNUSED(cuLaunchKernel)
UNUSED(cuLaunchKernelEx)
UNUSED(cuLibraryLoadFromFile)
UNUSED(cuLinkAddData)
UNUSED(cuLinkComplete)
UNUSED(cuLinkCreate)
UNUSED(cuLinkDestroy)
UNUSED(cuOccupancyMaxPotentialClusterSize)
UNUSED(cuStreamGetCtx)
