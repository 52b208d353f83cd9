// What the two halves of the CUDA runtime's stand-in share.
#ifndef DRY_RUNTIME_H
#define DRY_RUNTIME_H

#include <cuda_runtime_api.h>

#include "dry_gpu.h"

cudaError_t dry_keep(cudaError_t code); // keeps an error for cudaGetLastError(); returns it

#endif
