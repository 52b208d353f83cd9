// Tries out a product: with random factors and the rows that are right, compares and times other ways to compute it.
//
// Sample rows at the top and at the bottom are compared. In every second one, all products of the first columns, whose
// weights are replaced meanwhile, cancel out. What remains is the rounding errors of the sums. So another order shows
// in every value, even in results whose type would hide it in all but a few of a million (gpu_factors.h). A way is one
// of the library's algorithms, followed by the next step if there is one, or one kernel of ours that does both.
//
// Thread-safety: one thread at a time per backend.
#ifndef TUB_GPU_TRIAL_H
#define TUB_GPU_TRIAL_H

#include "gpu_executable.h"

typedef struct tub_gpu_trial {
    tub_backend *b;
    const tub_gpu_gemm *gemm;       // has its operands in place; x and out are overwritten
    const tub_gpu_task *next;       // ACTIVATE or ROTATE, in place on gemm->out; or NULL
    size_t sample_bytes, residual_bytes;
    int sample;                     // rows
    char *right, *got;              // [2][sample_bytes], top and bottom
    void *block;                    // random rows, [sample] of x or of the residual
    void *weight;                   // the first columns' own weights, to be restored
} tub_gpu_trial;

// Which kernel of TUB_GPU_JOINED to use, if any.
typedef enum tub_gpu_joining { TUB_GPU_APART = 0, TUB_GPU_BY_WARPS = 1, TUB_GPU_BY_GROUPS = 2 } tub_gpu_joining;

typedef struct tub_gpu_way {
    tub_gpu_algorithm algorithm;
    tub_gpu_joining joined;         // if not APART, replaces the algorithm, and does `next`, too
} tub_gpu_way;

// `gemm` followed by `next` as one task; `joined` isn't APART.
tub_gpu_task tub_gpu_joined_task(const tub_gpu_gemm *gemm, const tub_gpu_task *next, tub_gpu_joining joined);

// *t is zeroed except for what is tried out. End it in every case: this restores the product's weights.
tub_status tub_gpu_trial_begin(tub_gpu_trial *t, tub_error *err);
// `status`: the trial's result, which is returned; TUB_ERROR_DEVICE if the weights can't be restored.
tub_status tub_gpu_trial_end(tub_gpu_trial *t, tub_status status, tub_error *err);
// Makes the rows of this way the right ones. TUB_END: this way doesn't compute this product.
tub_status tub_gpu_trial_right(const tub_gpu_trial *t, const tub_gpu_way *way, tub_error *err);
// *same: whether this way computes the product and gives the right rows.
tub_status tub_gpu_trial_same(const tub_gpu_trial *t, const tub_gpu_way *way, bool *same, tub_error *err);
// The time of a few runs in a row.
tub_status tub_gpu_trial_time(const tub_gpu_trial *t, const tub_gpu_way *way, double *milliseconds, tub_error *err);

#endif
