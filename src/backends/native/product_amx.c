#if defined(__x86_64__)
#define DOT _tile_dpbf16ps
#define GROUP 2
#define K_BLOCK 384
#define PRODUCT tub_product_amx
#define PRODUCT_NAME "amx"
#include "product_amx_template.h"
#endif
