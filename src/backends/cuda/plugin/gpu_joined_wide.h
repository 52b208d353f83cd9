// Internal to the plug-in: see gpu_joined_wide.cu.
#ifndef TUB_GPU_JOINED_WIDE_H
#define TUB_GPU_JOINED_WIDE_H

#include <cuda_runtime_api.h>

#include "gpu_tasks.h"

#ifdef __cplusplus
extern "C"
#endif
cudaError_t tub_cuda_launch_joined_wide(const tub_gpu_joined *t, cudaStream_t stream);

#endif
