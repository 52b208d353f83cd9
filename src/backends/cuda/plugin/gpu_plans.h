// cuDNN's plans, through its backend's C interface: an operation on tensors is described, the library suggests engines,
// and one of them, configured, becomes a plan.
//
// A plan is made for a GPU, or in tests for the description of one, which needs no GPU.
//
// Descriptors of a tub_plan_build live until it ends. After the first call that fails, all others do nothing; `status`
// says why it failed.
#ifndef TUB_GPU_PLANS_H
#define TUB_GPU_PLANS_H

#include "gpu_device.h"

typedef struct tub_plan_target {
    cudnnHandle_t handle;                   // of a GPU; if NULL, `description` is used:
    cudnnBackendDescriptor_t description;   // CUDNN_BACKEND_DEVICEPROP_DESCRIPTOR
} tub_plan_target;

struct tub_gpu_plan {
    cudnnBackendDescriptor_t plan, configuration;   // configuration: NULL, or what the plan needs
    int64_t workspace;                              // bytes
};

enum { TUB_PLAN_DESCRIPTORS = 24, TUB_PLAN_ADVICE = 8 };

typedef struct tub_plan_build {
    const tub_cudnn *dnn;
    tub_plan_target target;
    cudnnBackendDescriptor_t made[TUB_PLAN_DESCRIPTORS];
    int count;
    cudnnBackendDescriptor_t advised[TUB_PLAN_ADVICE];  // configurations, best first; NULL: a plan has taken it
    int64_t engines;                        // number of suggested engines
    cudnnStatus_t status;
} tub_plan_build;

typedef struct tub_plan_tensor {
    int64_t id;
    cudnnDataType_t type;
    int64_t dims[4], strides[4];
    bool on_host;                           // a number that the variant pack contains
} tub_plan_tensor;

cudnnBackendDescriptor_t tub_plan_create(tub_plan_build *b, cudnnBackendDescriptorType_t type);
void tub_plan_set_part(tub_plan_build *b, cudnnBackendDescriptor_t d, cudnnBackendAttributeName_t name,
                       cudnnBackendDescriptor_t part);
void tub_plan_finalize(tub_plan_build *b, cudnnBackendDescriptor_t d);
cudnnBackendDescriptor_t tub_plan_describe(tub_plan_build *b, const tub_plan_tensor *t);
// Fills `advised` and `engines`.
void tub_plan_ask(tub_plan_build *b, cudnnBackendDescriptor_t operation);
// Whether sums are added up in a fixed order: neither in parts, nor in the order in which blocks happen to end. We
// don't rely on the library's own note about this: cuDNN 9.27 lacks it for an attention that sometimes gives other
// bits.
bool tub_plan_in_order(tub_plan_build *b, cudnnBackendDescriptor_t configuration);
// NULL: this GPU can't run it, or memory is short (see b->status). If a plan is made, it takes the configuration.
tub_gpu_plan *tub_plan_make(tub_plan_build *b, cudnnBackendDescriptor_t configuration);
// Reads a plan that tub_plan_write() has written for the same GPU and library; nothing is compiled. NULL: it isn't such
// a plan, or memory is short.
tub_gpu_plan *tub_plan_read(tub_plan_build *b, const char *text, size_t bytes);
// *bytes: space at `text` on entry, the text's size on return; if it doesn't fit, nothing is written. False: the plan
// can't be written.
bool tub_plan_write(const tub_cudnn *dnn, const tub_gpu_plan *plan, char *text, size_t *bytes);
void tub_plan_end(tub_plan_build *b);
bool tub_plan_is_short(cudnnStatus_t status);   // of memory, the GPU's or the host's
void tub_plan_release(const tub_cudnn *dnn, tub_gpu_plan *plan);    // accepts NULL

// Runs a plan with pointers[i] for the tensor ids[i].
tub_status tub_plan_run(tub_gpu *gpu, const tub_gpu_plan *plan, int count, const int64_t *ids,
                        const void *const *pointers, void *workspace, tub_error *err);

#endif
