// How products are computed: by measurement, and yet the same bits every time.
//
// A product's bits depend on how its sum is cut and ordered, so a measurement that may choose any algorithm gives other
// features on another day. The library's advice for the product of CANONICAL_ROWS rows is the same every time and for
// any batch: that algorithm says which bits are right. What is measured are those algorithms that give the very same
// bits on random values in this shape; the fastest wins, and is kept (gpu_choices.h). Likewise the step behind a product, a
// rotation or an activation that the library has no epilogue for: both are one kernel of ours where that gives
// the very same bits as one after the other, and is faster. An entry that is wrong or foreign costs speed or is measured
// again, never bits: it is checked like any candidate when it is read.
//
// Thread-safety: one thread at a time per backend.
#ifndef TUB_GPU_ALGORITHMS_H
#define TUB_GPU_ALGORITHMS_H

#include "gpu_choices.h"
#include "gpu_executable.h"
#include "gpu_trial.h"

// `gemm` with its operands in place: x and out are overwritten. Errors: TUB_ERROR_DEVICE when no algorithm computes it.
tub_status tub_gpu_choose_algorithm(tub_backend *b, const tub_gpu_gemm *gemm, tub_gpu_algorithm *out, tub_error *err);

// How `gemm` by `algorithm`, then `next` (ACTIVATE or ROTATE) in place on its result, should be computed: as they are, or
// in one. As they are wherever nothing is measured.
tub_status tub_gpu_choose_joined(tub_backend *b, const tub_gpu_gemm *gemm, const tub_gpu_algorithm *algorithm,
                                 const tub_gpu_task *next, tub_gpu_joining *out, tub_error *err);

// Whether any algorithm computes such a product, of many rows.
tub_status tub_gpu_can_multiply(tub_backend *b, const tub_gpu_gemm *gemm, bool *out, tub_error *err);

#endif
