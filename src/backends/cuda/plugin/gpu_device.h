// The plug-in from inside: one device, the CUDA runtime that is linked in, and the libraries that aren't.
//
// libcuda comes with the driver, and the runtime finds it. cuBLASLt and cuDNN are opened here, by the names of the
// version that this was compiled with. cuBLASLt is required. Without cuDNN, or with one before 9.13, our own kernel
// computes attention; `cudnn_reason` says why.
#ifndef TUB_GPU_DEVICE_H
#define TUB_GPU_DEVICE_H

#include <cublasLt.h>
#include <cuda_runtime_api.h>
#include <cudnn.h>

#include "gpu.h"
#include "gpu_kernels.h"

#define TUB_CUBLASLT_FUNCTIONS(X)    \
    X(cublasLtCreate)                \
    X(cublasLtDestroy)               \
    X(cublasLtGetVersion)            \
    X(cublasLtMatmul)                \
    X(cublasLtMatmulAlgoCheck)       \
    X(cublasLtMatmulAlgoConfigGetAttribute) \
    X(cublasLtMatmulAlgoGetHeuristic) \
    X(cublasLtMatmulDescCreate)      \
    X(cublasLtMatmulDescDestroy)     \
    X(cublasLtMatmulDescSetAttribute) \
    X(cublasLtMatmulPreferenceCreate) \
    X(cublasLtMatmulPreferenceDestroy) \
    X(cublasLtMatmulPreferenceSetAttribute) \
    X(cublasLtMatrixLayoutCreate)    \
    X(cublasLtMatrixLayoutDestroy)

#define TUB_CUDNN_FUNCTIONS(X)       \
    X(cudnnBackendCreateDescriptor)  \
    X(cudnnBackendDestroyDescriptor) \
    X(cudnnBackendExecute)           \
    X(cudnnBackendFinalize)          \
    X(cudnnBackendGetAttribute)      \
    X(cudnnBackendSetAttribute)      \
    X(cudnnCreate)                   \
    X(cudnnDestroy)                  \
    X(cudnnGetErrorString)           \
    X(cudnnGetVersion)               \
    X(cudnnSetStream)

typedef struct tub_cublaslt {
    void *library;
#define TUB_MEMBER(name) __typeof__(&name) name;
    TUB_CUBLASLT_FUNCTIONS(TUB_MEMBER)
} tub_cublaslt;

typedef struct tub_cudnn {
    void *library;
    TUB_CUDNN_FUNCTIONS(TUB_MEMBER)
#undef TUB_MEMBER
} tub_cudnn;

enum { TUB_CUDNN_LEAST = 91300 };  // has scaled-dot-product attention as one operation

// "Outer vectors" (a scale per row of e4m3 factors) came with cuBLASLt 12.9: its headers and the library must have
// them.
#if CUBLAS_VER_MAJOR > 12 || (CUBLAS_VER_MAJOR == 12 && CUBLAS_VER_MINOR >= 9)
#define TUB_CUBLASLT_ROW_SCALES 120900
#endif

// Errors: TUB_ERROR_DEVICE naming the library and what to install.
tub_status tub_cublaslt_load(tub_cublaslt *out, tub_error *err);
tub_status tub_cudnn_load(tub_cudnn *out, tub_error *err);

struct tub_gpu {
    int index;
    bool bare;
    cudaStream_t streams[2];
    cudaEvent_t events[TUB_GPU_EVENTS];
    tub_cublaslt cublaslt;
    cublasLtHandle_t products;
    tub_cudnn cudnn;
    cudnnHandle_t attention;        // NULL: not available
    char cudnn_reason[256];         // why not
};

// Reports the CUDA runtime's error: out of memory is TUB_ERROR_MEMORY, everything else TUB_ERROR_DEVICE. (A kernel that
// needs more registers or shared memory than a block may have needs them for half a batch, too.)
tub_status tub_cuda_failed(tub_error *err, cudaError_t code, const char *what);
// The same for pinning host memory: then it isn't the GPU's memory that is short.
tub_status tub_cuda_pinning_failed(tub_error *err, cudaError_t code, size_t bytes);
tub_status tub_plugin_fail(tub_error *err, tub_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

const char *tub_cuda_kernel_name(tub_gpu_task_kind kind);   // for errors

// The table's parts, each in a file of its own.
tub_status tub_cuda_launch(tub_gpu *gpu, const tub_gpu_task *task, tub_error *err);
tub_status tub_cuda_algorithms(tub_gpu *gpu, const tub_gpu_gemm *gemm, tub_gpu_algorithm *out, int *count,
                               tub_error *err);
tub_status tub_cuda_serves(tub_gpu *gpu, const tub_gpu_gemm *gemm, const tub_gpu_algorithm *algorithm, tub_error *err);
tub_status tub_cuda_multiply(tub_gpu *gpu, const tub_gpu_gemm *gemm, const tub_gpu_algorithm *algorithm,
                             tub_error *err);
tub_status tub_cuda_plan_attention(tub_gpu *gpu, const tub_gpu_attention *shape, tub_gpu_text text, tub_gpu_plan **out, size_t *workspace,
                                   tub_error *err);
bool tub_cuda_write_plan(tub_gpu *gpu, const tub_gpu_plan *plan, char *text, size_t *bytes);
tub_status tub_cuda_attend(tub_gpu *gpu, const tub_gpu_plan *plan, const tub_gpu_attention *attention, void *workspace,
                           tub_error *err);
void tub_cuda_release_plan(tub_gpu *gpu, tub_gpu_plan *plan);

#endif
