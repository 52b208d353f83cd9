// For attention, whose products are short: tall blocks, so that fewer begin and end.
#if defined(__x86_64__)
#include "product_f32_avx512.h"

#define ROWS 14
#define VECTORS 2
#define K_BLOCK 768
#define PRODUCT tub_product_tall_avx512
#define PRODUCT_NAME "avx512"
#include "product_template.h"
#endif
