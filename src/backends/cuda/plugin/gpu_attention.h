// cuDNN's attention, for a GPU or for the description of one.
#ifndef TUB_GPU_ATTENTION_H
#define TUB_GPU_ATTENTION_H

#include "gpu_plans.h"

// As tub_gpu_ops.plan_attention; released with tub_plan_release(). TUB_END: cuDNN doesn't support it; `err` says why.
tub_status tub_attention_plan(const tub_cudnn *dnn, tub_plan_target target, const tub_gpu_attention *shape,
                              tub_gpu_text text, tub_gpu_plan **out, size_t *workspace, tub_error *err);

#endif
