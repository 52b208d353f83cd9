// The vocabulary of kernels_template.h in NEON: the compiler's own vectors, with a fused multiply-add.
#include <arm_neon.h>

#define V_FMA(a, b, c) (lanes)vfmaq_f32((float32x4_t)(c), (float32x4_t)(a), (float32x4_t)(b))
#include "lanes_portable.h"
