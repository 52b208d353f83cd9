// The parts of the CUDA runtime that our kernels' files use, for the emulator (emulator.h). Stands in for the toolkit's
// header of the same name, in C and in C++.
#ifndef EMULATED_CUDA_RUNTIME_API_H
#define EMULATED_CUDA_RUNTIME_API_H

#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef enum cudaError {
    cudaSuccess = 0,
    cudaErrorInvalidValue = 1,
    cudaErrorInvalidConfiguration = 9,
    cudaErrorLaunchFailure = 719,
    cudaErrorNotSupported = 801,
} cudaError_t;

typedef struct CUstream_st *cudaStream_t;

#ifdef __cplusplus
#include "emulated_device.h"
#endif
#endif
