// Plans of cuDNN's, through its backend's C interface: an operation on tensors is described, the library advises engines,
// and one of them, configured, becomes a plan.
//
// A plan is made for a GPU, or, in tests, for the description of one: that needs no GPU.
//
// Descriptors of a tub_plan_build live until it ends. After the first call that fails all others do nothing: `status` says
// what it was.
#ifndef TUB_GPU_PLANS_H
#define TUB_GPU_PLANS_H

#include "gpu_device.h"

typedef struct tub_plan_target {
    cudnnHandle_t handle;                   // of a GPU; NULL:
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
    cudnnBackendDescriptor_t advised[TUB_PLAN_ADVICE];  // configurations, the best first; NULL: taken by a plan
    int64_t engines;                        // that the advice names
    cudnnStatus_t status;
} tub_plan_build;

typedef struct tub_plan_tensor {
    int64_t id;
    cudnnDataType_t type;
    int64_t dims[4], strides[4];
    bool on_host;                           // a number that a pack brings
} tub_plan_tensor;

cudnnBackendDescriptor_t tub_plan_create(tub_plan_build *b, cudnnBackendDescriptorType_t type);
void tub_plan_set_part(tub_plan_build *b, cudnnBackendDescriptor_t d, cudnnBackendAttributeName_t name,
                       cudnnBackendDescriptor_t part);
void tub_plan_finalize(tub_plan_build *b, cudnnBackendDescriptor_t d);
cudnnBackendDescriptor_t tub_plan_describe(tub_plan_build *b, const tub_plan_tensor *t);
// Fills `advised` and `engines`.
void tub_plan_ask(tub_plan_build *b, cudnnBackendDescriptor_t operation);
// Whether sums are added up in one order: neither in parts nor as blocks happen to end. The library's own note of that
// isn't relied upon: cuDNN 9.27 doesn't have it for an attention that gives other bits now and then.
bool tub_plan_in_order(tub_plan_build *b, cudnnBackendDescriptor_t configuration);
// NULL: this GPU can't run it, or, which b->status says, memory is short. Takes the configuration if there is a plan of it.
tub_gpu_plan *tub_plan_make(tub_plan_build *b, cudnnBackendDescriptor_t configuration);
// A plan that tub_plan_write() has written, for the same GPU and library: nothing is compiled. NULL: it isn't one,
// or memory is short.
tub_gpu_plan *tub_plan_read(tub_plan_build *b, const char *text, size_t bytes);
// *bytes: room at `text`, then what there is to write; of less room nothing is written. False: it can't be written.
bool tub_plan_write(const tub_cudnn *dnn, const tub_gpu_plan *plan, char *text, size_t *bytes);
void tub_plan_end(tub_plan_build *b);
bool tub_plan_is_short(cudnnStatus_t status);   // of memory, the GPU's or the host's
void tub_plan_release(const tub_cudnn *dnn, tub_gpu_plan *plan);    // accepts NULL

// Runs it on pointers[i] for the tensor ids[i].
tub_status tub_plan_run(tub_gpu *gpu, const tub_gpu_plan *plan, int count, const int64_t *ids,
                        const void *const *pointers, void *workspace, tub_error *err);

#endif
