// Launches the kernels of gpu_frame_kernels.cu; called by gpu_kernels.cu.
#ifndef TUB_GPU_FRAME_KERNELS_H
#define TUB_GPU_FRAME_KERNELS_H

#include <cuda_runtime_api.h>

#include "gpu_tasks.h"

#ifdef __cplusplus
extern "C"
#endif
cudaError_t tub_cuda_launch_pixels(const tub_gpu_pixels *t, cudaStream_t stream);

#endif
