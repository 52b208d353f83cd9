// What a real card refuses or computes wrongly but host memory accepts: misaligned values that a kernel reads several
// at once, and more blocks or threads than a launch may have.
#ifndef FAKE_GPU_CHECKS_H
#define FAKE_GPU_CHECKS_H

#include "gpu.h"

// Errors: TUB_ERROR_INTERNAL naming the value.
tub_status fake_gpu_check_task(const tub_gpu_task *task, tub_error *err);
tub_status fake_gpu_check_gemm(const tub_gpu_gemm *gemm, tub_error *err);

#endif
