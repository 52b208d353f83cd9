#if defined(__x86_64__)
#include "lanes_avx2.h"

#include "narrow_float.h"

#define WITH_INT8 0
#define TABLE tub_kernels_avx2
#include "kernels_template.h"
#endif
