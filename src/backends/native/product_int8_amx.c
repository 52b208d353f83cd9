#if defined(__x86_64__)
#define DOT _tile_dpbssd
#define GROUP 4
#define K_BLOCK 768
#define PRODUCT tub_product_int8_amx
#define PRODUCT_NAME "amx_int8"
#include "product_amx_template.h"
#endif
