// Our kernels, launched by kind: what of gpu_kernels.cu the plug-in's C sees.
#ifndef TUB_GPU_KERNELS_H
#define TUB_GPU_KERNELS_H

#include <cuda_runtime_api.h>

#include "gpu_tasks.h"

#ifdef __cplusplus
extern "C" {
#endif
cudaError_t tub_cuda_launch_task(const tub_gpu_task *task, cudaStream_t stream);
int tub_cuda_least_capability(void);    // that kernels were compiled for: 75 is 7.5
#ifdef __cplusplus
}
#endif

#endif
