// Internal to the plug-in: boxes of a matrix, which cards of 9.0 copy to shared memory when one thread asks for it.
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

// Describes boxes [box_rows, TUB_GPU_BOX_COLUMNS] (see gpu_warpgroup.h) of `matrix` [rows, cols], with zeros outside of
// it. The matrix is F16 or BF16, row-major and dense, and begins at a multiple of 16 bytes; cols is a multiple of 8.
// Errors: cudaErrorNotSupported if the driver doesn't support boxes.
#ifdef __cplusplus
extern "C"
#endif
cudaError_t tub_cuda_box_map(CUtensorMap *out, const void *matrix, tub_gpu_type type, int rows, int cols, int box_rows);

#endif
