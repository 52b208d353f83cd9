// Our kernels on the host: the same bodies in the same order, one thread after the other. For tests, which run whole
// programs on a device of this kind; never used to extract features.
#ifndef TUB_GPU_HOST_H
#define TUB_GPU_HOST_H

#include "gpu_tasks.h"

void tub_gpu_host_launch(const tub_gpu_task *task);
// `held`: as of tub_gpu_norm_held(), which launch() takes.
void tub_gpu_host_norm(const tub_gpu_norm *task, int held);
void tub_gpu_host_flash(const tub_gpu_attention *task);

#endif
