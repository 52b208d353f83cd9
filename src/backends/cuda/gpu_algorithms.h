// How products are computed: by measurement, and yet the same bits every time.
//
// A product's bits depend on how its sum is cut and ordered, so a measurement that may choose any algorithm gives other
// features on another day. The library's advice for the product of CANONICAL_ROWS rows is the same every time and for
// any batch: that algorithm says which bits are right. What is measured are those algorithms that give the very same
// bits on random values in this shape; the fastest wins, and is kept on disk under the device, its libraries and the
// shape: $XDG_CACHE_HOME (or ~/.cache) /tubelet/gpu-<key>.txt, a line a product. An entry that is wrong or foreign costs
// speed or is measured again, never bits: it is checked like any candidate when it is read.
//
// Thread-safety: one thread at a time per object; several processes may share a file, the last one wins.
#ifndef TUB_GPU_ALGORITHMS_H
#define TUB_GPU_ALGORITHMS_H

#include "gpu_executable.h"

typedef struct tub_gpu_choices tub_gpu_choices;

// `key`: of the device, a file's name. Without `tune` nothing is measured and no file is touched.
tub_status tub_gpu_choices_open(const char *key, bool tune, tub_gpu_choices **out, tub_error *err);
void tub_gpu_choices_close(tub_gpu_choices **choices);     // accepts NULL
// Writes what was measured since; a file that can't be written is not an error.
tub_status tub_gpu_choices_save(tub_gpu_choices *choices, tub_error *err);

// `gemm` with its operands in place: x and out are overwritten. Errors: TUB_ERROR_DEVICE when no algorithm computes it.
tub_status tub_gpu_choose_algorithm(tub_backend *b, const tub_gpu_gemm *gemm, tub_gpu_algorithm *out, tub_error *err);

// Whether any algorithm computes such a product, of many rows.
tub_status tub_gpu_can_multiply(tub_backend *b, const tub_gpu_gemm *gemm, bool *out, tub_error *err);

#endif
