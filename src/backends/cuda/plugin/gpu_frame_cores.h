// Launches the kernels of gpu_frame_cores.cu; called by gpu_frame_kernels.cu.
#ifndef TUB_GPU_FRAME_CORES_H
#define TUB_GPU_FRAME_CORES_H

#include <cuda_runtime_api.h>

#include "gpu_tasks.h"

// For tasks with tub_gpu_pixels_by_cores(), on cards from 8.0 on.
cudaError_t tub_cuda_launch_frame_cores(const tub_gpu_pixels *t, cudaStream_t stream);

#endif
