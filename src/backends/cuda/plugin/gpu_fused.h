// Products with the activation behind them, as kernels that cuDNN generates and has compiled: for a GPU or for the
// description of one.
#ifndef TUB_GPU_FUSED_H
#define TUB_GPU_FUSED_H

#include "gpu_plans.h"

// As tub_gpu_ops.fused_algorithms and plan_fused; tub_plan_release() the plan.
void tub_fused_algorithms(const tub_cudnn *dnn, tub_plan_target target, const tub_gpu_gemm *gemm, int activation,
                          tub_gpu_algorithm *out, int *count);
tub_status tub_fused_plan(const tub_cudnn *dnn, tub_plan_target target, const tub_gpu_gemm *gemm, int activation,
                          const tub_gpu_algorithm *algorithm, tub_gpu_text text, tub_gpu_plan **out, tub_error *err);

#endif
