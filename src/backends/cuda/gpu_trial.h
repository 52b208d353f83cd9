// A product tried out: random factors, the rows that are right, and other ways to compute it that are compared and timed.
//
// Sample rows at the top and at the bottom are compared. Every second one is such that in the first columns, whose
// weights are exchanged meanwhile, all products cancel each other out: what is left is what the sums were rounded by, so
// that another order shows in every value, also of results whose type rounds it off in all but a few of a million
// (gpu_factors.h). A way is an algorithm of the library's, with the step behind it where there is one; or both in one
// kernel of ours.
//
// Thread-safety: one thread at a time per backend.
#ifndef TUB_GPU_TRIAL_H
#define TUB_GPU_TRIAL_H

#include "gpu_executable.h"

typedef struct tub_gpu_trial {
    tub_backend *b;
    const tub_gpu_gemm *gemm;       // with its operands in place: x and out are overwritten
    const tub_gpu_task *next;       // ACTIVATE or ROTATE, in place on gemm->out; or NULL
    size_t sample_bytes, residual_bytes;
    int sample;                     // rows
    char *right, *got;              // [2][sample_bytes], top and bottom
    void *block;                    // random rows, [sample] of x or of the residual
    void *weight;                   // the first columns' own, to be given back
} tub_gpu_trial;

// Which kernel of TUB_GPU_JOINED, if any.
typedef enum tub_gpu_joining { TUB_GPU_APART = 0, TUB_GPU_BY_WARPS = 1, TUB_GPU_BY_GROUPS = 2 } tub_gpu_joining;

typedef struct tub_gpu_way {
    tub_gpu_algorithm algorithm;
    tub_gpu_joining joined;         // not APART: instead, with `next`
} tub_gpu_way;

// `next` behind `gemm` as one task, `joined` not APART.
tub_gpu_task tub_gpu_joined_task(const tub_gpu_gemm *gemm, const tub_gpu_task *next, tub_gpu_joining joined);

// *t zeroed, but for what is tried out. Ownership: end it in every case, which gives the product its weights back.
tub_status tub_gpu_trial_begin(tub_gpu_trial *t, tub_error *err);
// `status`: what the trial has come to, which is returned. TUB_ERROR_DEVICE where the weights don't come back.
tub_status tub_gpu_trial_end(tub_gpu_trial *t, tub_status status, tub_error *err);
// Its rows are those that are right. TUB_END: this way doesn't compute this product.
tub_status tub_gpu_trial_right(const tub_gpu_trial *t, const tub_gpu_way *way, tub_error *err);
// *same: it computes the product, and the rows that are right.
tub_status tub_gpu_trial_same(const tub_gpu_trial *t, const tub_gpu_way *way, bool *same, tub_error *err);
// Of a few runs in a row.
tub_status tub_gpu_trial_time(const tub_gpu_trial *t, const tub_gpu_way *way, double *milliseconds, tub_error *err);

#endif
