// Kernels and their launches, in the form in which nvcc's code calls the runtime: see dry_gpu.h.
#include <pthread.h>
#include <stdint.h>
#include <string.h>

#include "dry_runtime.h"

enum { KERNELS = 512, SHARED_USUAL = 48 << 10, MOST_THREADS = 1024, MOST_DEEP = 64 };

typedef struct kernel {
    const void *function; // the host function that launches name it by
    const char *name;
    int shared; // bytes that it may use
} kernel;

typedef struct configuration {
    dim3 grid, threads;
    size_t shared;
    cudaStream_t stream;
} configuration;

static kernel kernels[KERNELS];
static size_t kernel_count;
static _Thread_local configuration pushed;

static cudaError_t refused(const char *why)
{
    dry_refuse("%s", why);
    return dry_keep(cudaErrorInvalidDeviceFunction);
}

void **__cudaRegisterFatBinary(void *code);
void __cudaRegisterFatBinaryEnd(void **handle);
void __cudaUnregisterFatBinary(void **handle);
char __cudaInitModule(void **handle);
void __cudaRegisterFunction(void **handle, const char *function, char *device_function, const char *name, int limit,
                            uint3 *thread, uint3 *place, dim3 *block_size, dim3 *grid_size, int *warp_size);
unsigned __cudaPushCallConfiguration(dim3 grid, dim3 threads, size_t shared, struct CUstream_st *stream);
cudaError_t __cudaPopCallConfiguration(dim3 *grid, dim3 *threads, size_t *shared, void *stream);
cudaError_t __cudaGetKernel(cudaKernel_t *out, const void *function);
cudaError_t __cudaLaunchKernel(cudaKernel_t kernel, dim3 grid, dim3 threads, void **arguments, size_t shared,
                               cudaStream_t stream);

void **__cudaRegisterFatBinary(void *code)
{
    return code;
}

void __cudaRegisterFatBinaryEnd(void **handle)
{
    (void)handle;
}

// For variables shared by host and device. We have none.
char __cudaInitModule(void **handle)
{
    (void)handle;
    return 1;
}

// The names belong to the library that is unloaded.
void __cudaUnregisterFatBinary(void **handle)
{
    (void)handle;
    kernel_count = 0;
}

void __cudaRegisterFunction(void **handle, const char *function, char *device_function, const char *name, int limit,
                            uint3 *thread, uint3 *place, dim3 *block_size, dim3 *grid_size, int *warp_size)
{
    (void)handle;
    (void)device_function;
    (void)limit;
    (void)thread;
    (void)place;
    (void)block_size;
    (void)grid_size;
    (void)warp_size;
    if (kernel_count < KERNELS)
        kernels[kernel_count++] = (kernel){function, name, SHARED_USUAL};
}

static kernel *find_kernel(const void *function)
{
    for (size_t i = 0; i < kernel_count; i++)
        if (kernels[i].function == function)
            return &kernels[i];
    return NULL;
}

cudaError_t cudaFuncGetAttributes(struct cudaFuncAttributes *out, const void *function)
{
    memset(out, 0, sizeof *out);
    out->maxThreadsPerBlock = MOST_THREADS;
    return find_kernel(function) ? cudaSuccess : refused("no such kernel");
}

cudaError_t cudaFuncSetAttribute(const void *function, enum cudaFuncAttribute attribute, int value)
{
    kernel *k = find_kernel(function);
    if (!k || attribute != cudaFuncAttributeMaxDynamicSharedMemorySize || value < 0 || value > dry_current()->shared) {
        dry_refuse("%s: %d bytes of shared memory on %s", k ? k->name : "no such kernel", value, dry_current()->name);
        return dry_keep(cudaErrorInvalidValue);
    }
    k->shared = value > SHARED_USUAL ? value : SHARED_USUAL;
    return cudaSuccess;
}

unsigned __cudaPushCallConfiguration(dim3 grid, dim3 threads, size_t shared, struct CUstream_st *stream)
{
    pushed = (configuration){grid, threads, shared, stream};
    return 0;
}

cudaError_t __cudaPopCallConfiguration(dim3 *grid, dim3 *threads, size_t *shared, void *stream)
{
    *grid = pushed.grid;
    *threads = pushed.threads;
    *shared = pushed.shared;
    *(void **)stream = pushed.stream;
    return cudaSuccess;
}

cudaError_t __cudaGetKernel(cudaKernel_t *out, const void *function)
{
    *out = (cudaKernel_t)(void *)(uintptr_t)function;
    return cudaSuccess;
}

static bool launches(const kernel *k, dim3 grid, dim3 threads, size_t shared)
{
    const bool shaped = grid.x > 0 && grid.x <= INT32_MAX && grid.y > 0 && grid.y <= UINT16_MAX && grid.z > 0 &&
                        grid.z <= UINT16_MAX && threads.x > 0 && threads.y > 0 && threads.z > 0 &&
                        threads.z <= MOST_DEEP && (uint64_t)threads.x * threads.y * threads.z <= MOST_THREADS;
    if (!shaped || shared > (size_t)k->shared)
        return dry_refuse("%s: %u x %u x %u blocks of %u x %u x %u threads, %zu bytes of shared memory", k->name,
                          grid.x, grid.y, grid.z, threads.x, threads.y, threads.z, shared);
    return true;
}

static cudaError_t launch(const void *function, const configuration *c)
{
    const kernel *k = find_kernel(function);
    if (!k)
        return refused("a launch of no kernel");
    if (!launches(k, c->grid, c->threads, c->shared) || !dry_work(c->stream, &dry_the_tally()->launches, k->name))
        return dry_keep(cudaErrorInvalidConfiguration);
    return cudaSuccess;
}

cudaError_t __cudaLaunchKernel(cudaKernel_t function, dim3 grid, dim3 threads, void **arguments, size_t shared,
                               cudaStream_t stream)
{
    (void)arguments;
    return launch(function, &(configuration){grid, threads, shared, stream});
}

// Code compiled by CUDA 12 calls this instead.
cudaError_t cudaLaunchKernel(const void *function, dim3 grid, dim3 threads, void **arguments, size_t shared,
                             cudaStream_t stream)
{
    (void)arguments;
    return launch(function, &(configuration){grid, threads, shared, stream});
}

// A launch in clusters; the grid must be a multiple of the cluster.
cudaError_t cudaLaunchKernelExC(const cudaLaunchConfig_t *how, const void *function, void **arguments)
{
    const cudaLaunchAttribute *a = how->attrs;
    (void)arguments;
    if (dry_current()->major < 9 || how->numAttrs != 1 || a->id != cudaLaunchAttributeClusterDimension ||
        a->val.clusterDim.x == 0 || how->gridDim.x % a->val.clusterDim.x || a->val.clusterDim.y != 1 ||
        a->val.clusterDim.z != 1)
        return refused("a launch that isn't of clusters on 9.0");
    return launch(function, &(configuration){how->gridDim, how->blockDim, how->dynamicSmemBytes, how->stream});
}
