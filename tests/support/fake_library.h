// What stands for cuBLASLt and cuDNN on the fake GPU: products and attention as plain loops.
#ifndef FAKE_LIBRARY_H
#define FAKE_LIBRARY_H

#include "gpu.h"

// `other_order`: the sums are added up otherwise, so that the last bits differ.
void fake_library_multiply(const tub_gpu_gemm *g, bool other_order);
void fake_library_attend(const tub_gpu_attention *a);

#endif
