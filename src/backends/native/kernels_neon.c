#if defined(__aarch64__)
#include "lanes_neon.h"

#include "narrow_float.h"

#define WITH_INT8 0
#define TABLE tub_kernels_neon
#include "kernels_template.h"
#endif
