// A GPU driver's library (libcuda.so.1) that doesn't start, but takes machine code: as much as cuDNN asks for when it
// makes plans for the description of a GPU. The code, which cuDNN has NVRTC compile, is looked at and forgotten.
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

// What a test asks: the name of the kernel of the code that is loaded; NULL: there is none.
EXPORT const char *dry_cuda_kernel(void);
EXPORT const char *dry_cuda_kernel(void)
{
    return libraries ? kernel : NULL;
}

// NVRTC, which would want more of a driver that starts, does without one.
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

// cuDNN brings code to a GPU only where one is counted.
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

// What cuDNN looks for and doesn't call without a GPU.
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
UNUSED(cuKernelGetFunction)
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
