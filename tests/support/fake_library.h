// Stands in for cuBLASLt and cuDNN on the fake GPU: products and attention as plain loops.
#ifndef FAKE_LIBRARY_H
#define FAKE_LIBRARY_H

#include "gpu.h"

// The order of summation, which changes the last bits. FAKE_NEAR: in steps, as usual, but the first one is shorter.
typedef enum fake_order { FAKE_USUAL, FAKE_OTHER, FAKE_NEAR } fake_order;
void fake_library_multiply(const tub_gpu_gemm *g, fake_order order);
void fake_library_attend(const tub_gpu_attention *a);

#endif
