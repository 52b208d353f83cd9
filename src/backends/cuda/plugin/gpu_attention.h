// cuDNN's attention, for a GPU or for the description of one.
#ifndef TUB_GPU_ATTENTION_H
#define TUB_GPU_ATTENTION_H

#include "gpu_device.h"

typedef struct tub_attention_target {
    cudnnHandle_t handle;                   // of a GPU; NULL:
    cudnnBackendDescriptor_t description;   // CUDNN_BACKEND_DEVICEPROP_DESCRIPTOR
} tub_attention_target;

// As tub_gpu_ops.plan_attention. Errors: TUB_END: cuDNN can't serve it: why.
tub_status tub_attention_plan(const tub_cudnn *dnn, tub_attention_target target, const tub_gpu_attention *shape,
                              tub_gpu_plan **out, size_t *workspace, tub_error *err);
void tub_attention_release(const tub_cudnn *dnn, tub_gpu_plan *plan);   // accepts NULL

#endif
