// Our kernels, launched by kind: what of gpu_kernels.cu the plug-in's C sees.
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
cudaError_t tub_cuda_find_code(void);   // an error: the thread's device has none, after all
#ifdef __cplusplus
}
#endif

#endif
