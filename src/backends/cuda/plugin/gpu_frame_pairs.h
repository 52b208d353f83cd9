// Launches the kernel of gpu_frame_pairs.cu; called by gpu_frame_kernels.cu.
#ifndef TUB_GPU_FRAME_PAIRS_H
#define TUB_GPU_FRAME_PAIRS_H

#include <cuda_runtime_api.h>

#include "gpu_tasks.h"

// For tasks with tub_gpu_pixels_by_pairs().
cudaError_t tub_cuda_launch_frame_pairs(const tub_gpu_pixels *t, cudaStream_t stream);

#endif
