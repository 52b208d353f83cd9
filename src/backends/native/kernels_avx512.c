#if defined(__x86_64__)
#include "lanes_avx512.h"

#include "narrow_float.h"

#define WITH_INT8 1
#define TABLE tub_kernels_avx512
#include "kernels_template.h"
#endif
