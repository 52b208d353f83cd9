#include "lanes_portable.h"

#include "narrow_float.h"

#define WITH_INT8 0
#define TABLE tub_kernels_portable
#include "kernels_template.h"
