// Chooses how products are computed: by measurement, and yet with the same bits every time.
//
// A product's bits depend on how its sum is split and ordered. So a measurement that could choose any algorithm would
// give other features on another day. The library's advice for a product of CANONICAL_ROWS rows is the same every time
// and for any batch: that algorithm defines which bits are right. Only algorithms that give exactly these bits on
// random values in this shape are measured. The fastest wins and is kept (gpu_choices.h). The same holds for the step
// after a product, if it is a rotation or an activation that the library has no epilogue for: one kernel of ours does
// both, if it gives exactly the same bits as the two steps and is faster. A wrong or foreign entry costs speed or is
// measured again, but never changes bits: when it is read, it is checked like any candidate.
//
// Thread-safety: one thread at a time per backend.
#ifndef TUB_GPU_ALGORITHMS_H
#define TUB_GPU_ALGORITHMS_H

#include "gpu_choices.h"
#include "gpu_executable.h"
#include "gpu_trial.h"

// `gemm` has its operands in place; x and out are overwritten. Errors: TUB_ERROR_DEVICE if no algorithm computes it.
tub_status tub_gpu_choose_algorithm(tub_backend *b, const tub_gpu_gemm *gemm, tub_gpu_algorithm *out, tub_error *err);

// How to compute `gemm` with `algorithm`, followed by `next` (ACTIVATE or ROTATE) in place on its result: as two steps
// or as one. As two if nothing is measured.
tub_status tub_gpu_choose_joined(tub_backend *b, const tub_gpu_gemm *gemm, const tub_gpu_algorithm *algorithm,
                                 const tub_gpu_task *next, tub_gpu_joining *out, tub_error *err);

// Whether any algorithm computes such a product with many rows.
tub_status tub_gpu_can_multiply(tub_backend *b, const tub_gpu_gemm *gemm, bool *out, tub_error *err);

#endif
