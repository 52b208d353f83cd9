// Attention on tensor cores: what gpu_flash.cu offers other files.
#ifndef TUB_GPU_FLASH_H
#define TUB_GPU_FLASH_H

#include <cuda_runtime_api.h>

#include "gpu_tasks.h"

#ifdef __cplusplus
extern "C"
#endif
cudaError_t tub_cuda_launch_flash(const tub_gpu_attention *task, cudaStream_t stream);

#endif
