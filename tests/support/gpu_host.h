// Our kernels on the host: the same bodies in the same order, one thread after the other. For tests, which run whole
// programs on such a device; never used to extract features.
#ifndef TUB_GPU_HOST_H
#define TUB_GPU_HOST_H

#include "gpu_tasks.h"

void tub_gpu_host_launch(const tub_gpu_task *task);
// `held`: from tub_gpu_norm_held(), which launch() takes.
void tub_gpu_host_norm(const tub_gpu_norm *task, int held);
void tub_gpu_host_flash(const tub_gpu_attention *task);     // F16, BF16
void tub_gpu_host_flash32(const tub_gpu_attention *task);   // F32
void tub_gpu_host_joined(const tub_gpu_joined *task);
// sums[m, n] = x[m, k] weight[n, k]T, in the order that we assume for tensor cores: 16 products in order, then their
// sum.
void tub_gpu_host_sums(const float *x, const float *weight, int m, int n, int k, float *sums);

#endif
