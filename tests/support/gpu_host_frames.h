// The kernels that make pixels from decoded frames, on the host: see gpu_host.h.
#ifndef GPU_HOST_FRAMES_H
#define GPU_HOST_FRAMES_H

#include "gpu_tasks.h"

void tub_gpu_host_pixels(const tub_gpu_pixels *t);

#endif
