// The device table: everything that the CUDA backend asks of a GPU, and nothing else.
//
//    cuda_backend.c ── opens the plug-in, chooses a device, answers what a backend is asked
//         │
//    gpu_executable.h ── a program as a list of steps over one block of device memory, in plain C
//         │
//      this table ─────┬── libtubelet_cuda.so (plugin/): kernels, cuBLASLt, cuDNN
//                      └── a fake (tests/support/fake_gpu.h): host memory and the same kernel bodies
//
// Two objects are loaded at run time. The plug-in is dlopen'ed, so that this library and the command work where there is
// no driver; and the plug-in dlopens cuBLASLt and cuDNN, so that it can say which is missing or too old. Everything
// that can be decided without a device (which steps, where values live, which algorithm, when to halve, when to fall
// back) is decided above the table, and tested with the fake.
//
// Two streams: COMPUTE runs kernels, products and attention in order; COPY brings frames while COMPUTE works. Events
// tie them together. Between capture() and captured() what goes to COMPUTE is recorded instead of run; nothing may be
// allocated, timed or waited for meanwhile.
//
// The header is C and C++. Pointers to data are the device's unless they say "host".
//
// Thread-safety: one thread at a time per tub_gpu, but for memory, which any may allocate and release; different ones are
// independent.
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

// Grows with every change of what is below, and of what kernels give or take: a plug-in of another build is refused, and what
// was measured with one is measured anew.
enum { TUB_GPU_VERSION = 17 };

typedef struct tub_gpu tub_gpu;             // a device, opened
typedef struct tub_gpu_plan tub_gpu_plan;   // a library's attention for one shape
typedef struct tub_gpu_graph tub_gpu_graph; // recorded work

typedef struct tub_gpu_facts {
    char name[96];                  // "NVIDIA H200"
    char key[64];                   // of this device, its code and libraries: what measured algorithms are kept under
    char libraries[160];            // "driver 13.0, cuBLASLt 13.1.0, cuDNN 9.19.0", or what is missing
    int major, minor;               // compute capability
    int code;                       // 75: the kernels that run there were compiled for 7.5, and have nothing newer
    int processors;                 // multiprocessors
    size_t memory;                  // bytes
    bool row_scales;                // cuBLASLt has products of E4M3 with a scale a row, as far as its version tells
} tub_gpu_facts;

typedef enum tub_gpu_stream { TUB_GPU_COMPUTE = 0, TUB_GPU_COPY = 1 } tub_gpu_stream;
enum { TUB_GPU_EVENTS = 8 };        // of a device, by number

// out[m, n] = x[m, k] weight[n, k]T + bias + residual, all row-major and dense. Sums in float32. Of E4M3 factors a row of x
// and a row of weight have a scale each, by which their product is multiplied.
typedef struct tub_gpu_gemm {
    int m, n, k;
    tub_gpu_type type;              // of x and weight
    tub_gpu_type out_type;          // of out: F32 or `type`; of E4M3 factors F32 or BF16
    tub_gpu_type bias_type;         // as out; of E4M3 factors BF16
    bool tf32;                      // F32 factors may be rounded to TF32
    bool gelu_tanh;                 // of the sum, before the residual
    bool has_bias, has_residual;
    const void *x, *weight, *bias;
    const float *x_scales, *weight_scales;  // [m], [n], of E4M3 factors
    const float *residual;          // may be `out`; with out_type F32 only
    void *out;
    void *workspace;                // TUB_GPU_GEMM_WORKSPACE bytes
} tub_gpu_gemm;

enum { TUB_GPU_GEMM_WORKSPACE = 32 << 20, TUB_GPU_ALGORITHMS = 16 };

// How a product is computed: opaque, may be stored and used again on the same device with the same libraries.
typedef struct tub_gpu_algorithm {
    uint64_t data[8];
} tub_gpu_algorithm;

// A plan as it is kept, host. No bytes: none.
typedef struct tub_gpu_text {
    const char *data;
    size_t bytes;
} tub_gpu_text;

typedef struct tub_gpu_ops {
    int version;                    // TUB_GPU_VERSION
    // How many devices. Errors: TUB_ERROR_DEVICE: no driver, too old a driver, no device: which, and what to do.
    tub_status (*count)(int *out, tub_error *err);
    tub_status (*describe)(int index, tub_gpu_facts *out, tub_error *err);
    // A device may be opened several times. `bare`: for copies and our own kernels alone, without libraries.
    // Errors: TUB_ERROR_DEVICE naming the library that is missing or too old.
    tub_status (*open)(int index, bool bare, tub_gpu **out, tub_error *err);
    void (*close)(tub_gpu **gpu);                                   // accepts NULL

    // Memory. Errors: TUB_ERROR_MEMORY when there is none left.
    tub_status (*memory_free)(tub_gpu *gpu, size_t *out, tub_error *err);
    tub_status (*allocate)(tub_gpu *gpu, size_t bytes, void **out, tub_error *err);
    void (*release)(tub_gpu *gpu, void *memory);                    // accepts NULL
    tub_status (*allocate_host)(tub_gpu *gpu, size_t bytes, void **out, tub_error *err);    // pinned
    void (*release_host)(tub_gpu *gpu, void *memory);               // accepts NULL
    // The caller's memory, from which any device then copies without stopping the thread that asks.
    tub_status (*pin)(tub_gpu *gpu, void *host, size_t bytes, tub_error *err);
    void (*unpin)(tub_gpu *gpu, void *host);

    // Work. Calls return at once; an error may be told by a later call. TUB_ERROR_MEMORY: retry with less.
    tub_status (*upload)(tub_gpu *gpu, tub_gpu_stream stream, void *to, const void *host, size_t bytes, tub_error *err);
    tub_status (*download)(tub_gpu *gpu, tub_gpu_stream stream, void *host, const void *from, size_t bytes,
                           tub_error *err);
    tub_status (*launch)(tub_gpu *gpu, const tub_gpu_task *task, tub_error *err);
    tub_status (*record)(tub_gpu *gpu, int event, tub_gpu_stream stream, tub_error *err);
    tub_status (*wait)(tub_gpu *gpu, tub_gpu_stream stream, int event, tub_error *err);
    tub_status (*settle)(tub_gpu *gpu, int event, tub_error *err);  // blocks until the event has come
    tub_status (*elapsed)(tub_gpu *gpu, int from, int to, double *milliseconds, tub_error *err);    // both settled

    // Products. At most TUB_GPU_ALGORITHMS; the first is the library's own advice and the same every time; none splits the
    // sum, so that an element's bits don't depend on m. *count 0: it can't be done. serves(), which computes nothing, and
    // multiply() answer TUB_END where the algorithm doesn't compute this shape; the library may refuse some in multiply() alone.
    tub_status (*algorithms)(tub_gpu *gpu, const tub_gpu_gemm *gemm, tub_gpu_algorithm *out, int *count, tub_error *err);
    tub_status (*serves)(tub_gpu *gpu, const tub_gpu_gemm *gemm, const tub_gpu_algorithm *algorithm, tub_error *err);
    tub_status (*multiply)(tub_gpu *gpu, const tub_gpu_gemm *gemm, const tub_gpu_algorithm *algorithm, tub_error *err);

    // A library's attention. A plan takes a third of a second, or, by `text`, no time: what write_plan() wrote of the same
    // shape's plan, or nothing; a text of another GPU or library is left alone, one of another shape must not be given.
    // TUB_END: it can't serve this shape, type or card, or isn't there: `err` says why.
    tub_status (*plan_attention)(tub_gpu *gpu, const tub_gpu_attention *shape, tub_gpu_text text, tub_gpu_plan **out,
                                 size_t *workspace, tub_error *err);
    // *bytes: room at `text`, host; then what there is to write. Nothing is written where that is more. False: never.
    bool (*write_plan)(tub_gpu *gpu, const tub_gpu_plan *plan, char *text, size_t *bytes);
    tub_status (*attend)(tub_gpu *gpu, const tub_gpu_plan *plan, const tub_gpu_attention *attention, void *workspace,
                         tub_error *err);
    void (*release_plan)(tub_gpu *gpu, tub_gpu_plan *plan);         // accepts NULL

    // Graphs. TUB_END: recording isn't possible here: run step by step.
    tub_status (*capture)(tub_gpu *gpu, tub_error *err);
    tub_status (*captured)(tub_gpu *gpu, tub_gpu_graph **out, tub_error *err);  // ends recording in every case
    tub_status (*replay)(tub_gpu *gpu, tub_gpu_graph *graph, tub_error *err);
    void (*forget)(tub_gpu *gpu, tub_gpu_graph *graph);             // accepts NULL
} tub_gpu_ops;

// What a plug-in exports, under the name TUB_GPU_ENTRY.
typedef const tub_gpu_ops *(*tub_gpu_entry)(void);
#define TUB_GPU_ENTRY "tub_gpu_plugin"

#ifdef __cplusplus
}
#endif
#endif
