#include "pools.h"

tub_value tub_append_pool(tub_program *p, tub_value x, int prefix, tub_pool pool)
{
    int rows = x == TUB_NONE ? 0 : p->values[x].rows;
    if (pool == TUB_POOL_CLS)
        return tub_rows(p, "class token", x, 0, 1);
    if (pool == TUB_POOL_PATCH_MEAN && prefix)
        return tub_mean(p, "mean of the patches", tub_rows(p, "patches", x, prefix, rows - prefix));
    return tub_mean(p, "mean of all tokens", x);
}
