// Internal to the plug-in: boxes of a matrix, which cards of 9.0 copy to shared memory at one thread's order.
#ifndef TUB_GPU_BOXES_H
#define TUB_GPU_BOXES_H

#include <cuda_runtime_api.h>
#ifdef TUB_GPU_EMULATED
#include <emulated_warpgroup.h>
#else
#include <cuda.h>
#endif

#include "gpu_tasks.h"

enum { TUB_GPU_BOX_COLUMNS = 64 };  // narrow values: 128 bytes

// Of `matrix` [rows, cols], F16 or BF16, row-major and dense, at a multiple of 16 bytes, cols a multiple of 8: boxes of
// [box_rows, TUB_GPU_BOX_COLUMNS] as gpu_warpgroup.h has them, zeros outside of it. Errors: cudaErrorNotSupported where the
// driver has no such thing.
#ifdef __cplusplus
extern "C"
#endif
cudaError_t tub_cuda_box_map(CUtensorMap *out, const void *matrix, tub_gpu_type type, int rows, int cols, int box_rows);

#endif
