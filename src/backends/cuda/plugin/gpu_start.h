// The parts of CUDA that aren't C++: launches and shared memory. tests/emulator defines the same names in its own way.
//
//     tub_gpu_start(kernel<..>, grid, block, bytes, stream, arguments...)     launches a kernel; returns the error
//     tub_gpu_start_pairs(...)    the same; blocks 2 i and 2 i + 1 run at the same time and may access each other's
//                                 shared memory (a cluster of two, on cards of 9.0); the grid is a multiple of two
//     TUB_GPU_DYNAMIC(alignment, type, name);     in a kernel: the launch's `bytes` of shared memory, as an array
//     TUB_GPU_SHARED(type, name, [rows][columns]);    an array in shared memory
#ifndef TUB_GPU_START_H
#define TUB_GPU_START_H

#include <cuda_runtime_api.h>

#ifndef TUB_GPU_EMULATED

template <typename... PARAMETERS, typename... ARGUMENTS>
cudaError_t tub_gpu_start(void (*kernel)(PARAMETERS...), dim3 grid, dim3 block, size_t bytes, cudaStream_t stream,
                          const ARGUMENTS &...arguments)
{
    kernel<<<grid, block, bytes, stream>>>(arguments...);
    return cudaGetLastError();
}

template <typename... PARAMETERS, typename... ARGUMENTS>
cudaError_t tub_gpu_start_pairs(void (*kernel)(PARAMETERS...), dim3 grid, dim3 block, size_t bytes, cudaStream_t stream,
                                const ARGUMENTS &...arguments)
{
    cudaLaunchAttribute pairs = {};
    pairs.id = cudaLaunchAttributeClusterDimension;
    pairs.val.clusterDim.x = 2;
    pairs.val.clusterDim.y = pairs.val.clusterDim.z = 1;
    cudaLaunchConfig_t how = {};
    how.gridDim = grid;
    how.blockDim = block;
    how.dynamicSmemBytes = bytes;
    how.stream = stream;
    how.attrs = &pairs;
    how.numAttrs = 1;
    return cudaLaunchKernelEx(&how, kernel, arguments...);
}

#define TUB_GPU_DYNAMIC(alignment, type, name) extern __shared__ __align__(alignment) type name[]
#define TUB_GPU_SHARED(type, name, sizes) __shared__ type name sizes

#endif
#endif
