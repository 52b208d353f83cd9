// Launches our kernels by kind: what gpu_kernels.cu offers the plug-in's C files.
#ifndef TUB_GPU_KERNELS_H
#define TUB_GPU_KERNELS_H

#include <cuda_runtime_api.h>

#include "gpu_code.h"
#include "gpu_tasks.h"

#ifdef __cplusplus
extern "C" {
#endif
cudaError_t tub_cuda_launch_task(const tub_gpu_task *task, cudaStream_t stream);
tub_gpu_code tub_cuda_code(void);
cudaError_t tub_cuda_find_code(void);   // an error: there is no code for the thread's device after all
#ifdef __cplusplus
}
#endif

#endif
