// The device table: everything that the CUDA backend asks of a GPU, and nothing else.
//
//    cuda_backend.c ── opens the plug-in, chooses a device, answers what a backend is asked
//         │
//    gpu_executable.h ── a program as a list of steps over one block of device memory, in plain C
//         │
//      this table ─────┬── libtubelet_cuda.so (plugin/): kernels, cuBLASLt, cuDNN
//                      └── a fake (tests/support/fake_gpu.h): host memory and the same kernel bodies
//
// Loading happens at run time in two steps. The plug-in is dlopen'ed, so that this library and the command work without
// a driver. The plug-in then dlopens cuBLASLt and cuDNN, so that it can say which is missing or too old. Everything
// that can be decided without a device (which steps, where values live, which algorithm, when to halve, when to fall
// back) is decided above the table, and tested with the fake.
//
// There are two streams: COMPUTE runs kernels, products and attention in order; COPY brings frames while COMPUTE works.
// Events synchronize them. Between capture() and captured(), work for COMPUTE is recorded instead of run; meanwhile
// nothing may be allocated, timed or waited for.
//
// The header is C and C++. Pointers to data are device pointers unless they say "host".
//
// Thread-safety: one thread at a time per tub_gpu, except that any thread may allocate and release memory; different
// objects are independent.
#ifndef TUB_GPU_H
#define TUB_GPU_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <tubelet/status.h>

#include "gpu_tasks.h"

#ifdef __cplusplus
extern "C" {
#endif

// Increases with every change of what is below, and of what kernels take or give. A plug-in from another build is
// refused, and what was measured with one is measured again.
enum { TUB_GPU_VERSION = 17 };

typedef struct tub_gpu tub_gpu;             // a device, opened
typedef struct tub_gpu_plan tub_gpu_plan;   // a library's attention for one shape
typedef struct tub_gpu_graph tub_gpu_graph; // recorded work

typedef struct tub_gpu_facts {
    char name[96];                  // "NVIDIA H200"
    char key[64];                   // identifies this device, its code and libraries: for measured algorithms
    char libraries[160];            // "driver 13.0, cuBLASLt 13.1.0, cuDNN 9.19.0", or what is missing
    int major, minor;               // compute capability
    int code;                       // 75: its kernels were compiled for 7.5, and use nothing newer
    int processors;                 // multiprocessors
    size_t memory;                  // bytes
    bool row_scales;                // cuBLASLt has E4M3 products with a scale per row, judging by its version
} tub_gpu_facts;

typedef enum tub_gpu_stream { TUB_GPU_COMPUTE = 0, TUB_GPU_COPY = 1 } tub_gpu_stream;
enum { TUB_GPU_EVENTS = 8 };        // of a device, by number

// out[m, n] = x[m, k] weight[n, k]T + bias + residual, all row-major and dense. Sums are in float32. With E4M3 factors,
// each row of x and of weight has a scale, by which products are multiplied.
typedef struct tub_gpu_gemm {
    int m, n, k;
    tub_gpu_type type;              // of x and weight
    tub_gpu_type out_type;          // of out: F32 or `type`; with E4M3 factors F32 or BF16
    tub_gpu_type bias_type;         // as out; with E4M3 factors BF16
    bool tf32;                      // F32 factors may be rounded to TF32
    bool gelu_tanh;                 // applied to the sum, before the residual
    bool has_bias, has_residual;
    const void *x, *weight, *bias;
    const float *x_scales, *weight_scales;  // [m], [n], for E4M3 factors
    const float *residual;          // may be `out`; only with out_type F32
    void *out;
    void *workspace;                // TUB_GPU_GEMM_WORKSPACE bytes
} tub_gpu_gemm;

enum { TUB_GPU_GEMM_WORKSPACE = 32 << 20, TUB_GPU_ALGORITHMS = 16 };

// How a product is computed. Opaque; may be stored, and used again on the same device with the same libraries.
typedef struct tub_gpu_algorithm {
    uint64_t data[8];
} tub_gpu_algorithm;

// A stored plan; host memory. No bytes: none.
typedef struct tub_gpu_text {
    const char *data;
    size_t bytes;
} tub_gpu_text;

typedef struct tub_gpu_ops {
    int version;                    // TUB_GPU_VERSION
    // The number of devices. Errors: TUB_ERROR_DEVICE (no driver, too old a driver, no device), saying what to do.
    tub_status (*count)(int *out, tub_error *err);
    tub_status (*describe)(int index, tub_gpu_facts *out, tub_error *err);
    // A device may be opened several times. `bare`: without libraries, only for copies and our own kernels.
    // Errors: TUB_ERROR_DEVICE naming the library that is missing or too old.
    tub_status (*open)(int index, bool bare, tub_gpu **out, tub_error *err);
    void (*close)(tub_gpu **gpu);                                   // accepts NULL

    // Memory. Errors: TUB_ERROR_MEMORY when there is none left.
    tub_status (*memory_free)(tub_gpu *gpu, size_t *out, tub_error *err);
    tub_status (*allocate)(tub_gpu *gpu, size_t bytes, void **out, tub_error *err);
    void (*release)(tub_gpu *gpu, void *memory);                    // accepts NULL
    tub_status (*allocate_host)(tub_gpu *gpu, size_t bytes, void **out, tub_error *err);    // pinned
    void (*release_host)(tub_gpu *gpu, void *memory);               // accepts NULL
    // Pins the caller's memory: any device can then copy from it without blocking the calling thread.
    tub_status (*pin)(tub_gpu *gpu, void *host, size_t bytes, tub_error *err);
    void (*unpin)(tub_gpu *gpu, void *host);

    // Work. Calls return at once; a later call may report the error. TUB_ERROR_MEMORY: retry with less.
    tub_status (*upload)(tub_gpu *gpu, tub_gpu_stream stream, void *to, const void *host, size_t bytes, tub_error *err);
    tub_status (*download)(tub_gpu *gpu, tub_gpu_stream stream, void *host, const void *from, size_t bytes,
                           tub_error *err);
    tub_status (*launch)(tub_gpu *gpu, const tub_gpu_task *task, tub_error *err);
    tub_status (*record)(tub_gpu *gpu, int event, tub_gpu_stream stream, tub_error *err);
    tub_status (*wait)(tub_gpu *gpu, tub_gpu_stream stream, int event, tub_error *err);
    tub_status (*settle)(tub_gpu *gpu, int event, tub_error *err);  // blocks until the event has come
    tub_status (*elapsed)(tub_gpu *gpu, int from, int to, double *milliseconds, tub_error *err);    // both settled

    // Products. algorithms() gives at most TUB_GPU_ALGORITHMS. The first is the library's own advice and always the
    // same. None splits the sum, so an element's bits don't depend on m. *count 0: there is none. serves(), which
    // computes nothing, and multiply() return TUB_END if the algorithm doesn't compute this shape; the library may
    // refuse some only in multiply().
    tub_status (*algorithms)(tub_gpu *gpu, const tub_gpu_gemm *gemm, tub_gpu_algorithm *out, int *count, tub_error *err);
    tub_status (*serves)(tub_gpu *gpu, const tub_gpu_gemm *gemm, const tub_gpu_algorithm *algorithm, tub_error *err);
    tub_status (*multiply)(tub_gpu *gpu, const tub_gpu_gemm *gemm, const tub_gpu_algorithm *algorithm, tub_error *err);

    // A library's attention. Making a plan takes a third of a second, or no time with `text`: what write_plan() wrote
    // for a plan of the same shape, or nothing. A text from another GPU or library is ignored; one of another shape
    // must not be given. TUB_END: the library doesn't support this shape, type or card, or isn't available; `err` says
    // why.
    tub_status (*plan_attention)(tub_gpu *gpu, const tub_gpu_attention *shape, tub_gpu_text text, tub_gpu_plan **out,
                                 size_t *workspace, tub_error *err);
    // *bytes: space at `text` (host) on entry, the text's size on return; if it doesn't fit, nothing is written. False:
    // the plan can't be written.
    bool (*write_plan)(tub_gpu *gpu, const tub_gpu_plan *plan, char *text, size_t *bytes);
    tub_status (*attend)(tub_gpu *gpu, const tub_gpu_plan *plan, const tub_gpu_attention *attention, void *workspace,
                         tub_error *err);
    void (*release_plan)(tub_gpu *gpu, tub_gpu_plan *plan);         // accepts NULL

    // Graphs. TUB_END: recording isn't possible here; run step by step.
    tub_status (*capture)(tub_gpu *gpu, tub_error *err);
    tub_status (*captured)(tub_gpu *gpu, tub_gpu_graph **out, tub_error *err);  // ends recording in every case
    tub_status (*replay)(tub_gpu *gpu, tub_gpu_graph *graph, tub_error *err);
    void (*forget)(tub_gpu *gpu, tub_gpu_graph *graph);             // accepts NULL
} tub_gpu_ops;

// The function that a plug-in exports, under the name TUB_GPU_ENTRY.
typedef const tub_gpu_ops *(*tub_gpu_entry)(void);
#define TUB_GPU_ENTRY "tub_gpu_plugin"

#ifdef __cplusplus
}
#endif
#endif
