// For linear layers: wide blocks.
#if defined(__x86_64__)
#include "product_f32_avx512.h"

#define ROWS 6
#define VECTORS 4
#define K_BLOCK 384
#define PRODUCT tub_product_avx512
#define PRODUCT_NAME "avx512"
#include "product_template.h"
#endif
