// Internal to the plug-in: see gpu_flash32.cu.
#ifndef TUB_GPU_FLASH32_H
#define TUB_GPU_FLASH32_H

#include <cuda_runtime_api.h>

#include "gpu_tasks.h"

#ifdef __cplusplus
extern "C"
#endif
cudaError_t tub_cuda_launch_flash32(const tub_gpu_attention *t, cudaStream_t stream);

#endif
