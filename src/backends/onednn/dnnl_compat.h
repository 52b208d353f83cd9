// The parts of oneDNN that we use: matrix products with a second operand in oneDNN's own layout, and packing into it.
//
// oneDNN 2.x and 3.x create descriptors and primitives through different C functions; dnnl_compat.c is the only file
// that knows. Every object here works single-threaded: create and run them under tub_dnnl_one_thread().
//
// Thread-safety: a matmul or packer may run on several members of a team at once, each with its own `member`.
#ifndef TUB_DNNL_COMPAT_H
#define TUB_DNNL_COMPAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <tubelet/status.h>

typedef struct tub_dnnl tub_dnnl;           // an engine for `members` threads
typedef struct tub_matmul tub_matmul;       // C = A B of one shape
typedef struct tub_packer tub_packer;       // a strided matrix into a matmul's B

// C [m, n] float32; A [m, k] and B [k, n] both float32 or both bfloat16. Rows of A and C are contiguous: for others,
// oneDNN 2.6 falls back to slower kernels.
typedef struct tub_matmul_shape {
    int m, k, n;
    bool bf16;
} tub_matmul_shape;

// Limits oneDNN to the instructions that TUBELET_ISA allows, if it is set. Process-wide; has no effect after first use.
void tub_dnnl_limit_isa(void);

// "oneDNN 2.7.3": the library in use, not the one that this was built with.
void tub_dnnl_name(char *out, size_t bytes);

// Sets the calling thread's OpenMP threads to 1; returns the number before, for tub_dnnl_threads_back().
int tub_dnnl_one_thread(void);
void tub_dnnl_threads_back(int before);

// Errors of the creators: TUB_ERROR_DEVICE with oneDNN's status, TUB_ERROR_MEMORY.
tub_status tub_dnnl_open(int members, tub_dnnl **out, tub_error *err);
void tub_dnnl_close(tub_dnnl **dnnl);       // accepts NULL; after everything made from it

// oneDNN chooses B's layout, or takes that of `like` (another matmul with the same k, n and type) if it isn't NULL.
tub_status tub_matmul_create(tub_dnnl *dnnl, const tub_matmul_shape *shape, const tub_matmul *like, tub_matmul **out,
                             tub_error *err);
void tub_matmul_destroy(tub_matmul **matmul);
const tub_matmul_shape *tub_matmul_shape_of(const tub_matmul *matmul);
bool tub_matmul_same_layout(const tub_matmul *a, const tub_matmul *b);
size_t tub_matmul_packed_bytes(const tub_matmul *matmul);
size_t tub_matmul_scratch_bytes(const tub_matmul *matmul);
const char *tub_matmul_kernel(const tub_matmul *matmul);    // oneDNN's name of the implementation
tub_status tub_matmul_run(tub_matmul *matmul, int member, const void *a, const void *packed, float *c, void *scratch,
                          tub_error *err);

// B[i][j] = from[i * row_stride + j * column_stride], of the matmul's type or (`from_float`) float32.
tub_status tub_packer_create(tub_dnnl *dnnl, const tub_matmul *matmul, int64_t row_stride, int64_t column_stride,
                             bool from_float, tub_packer **out, tub_error *err);
void tub_packer_destroy(tub_packer **packer);
size_t tub_packer_scratch_bytes(const tub_packer *packer);
tub_status tub_packer_run(tub_packer *packer, int member, const void *from, void *packed, void *scratch,
                          tub_error *err);

#endif
