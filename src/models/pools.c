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

bool tub_append_hidden(tub_program *p, const tub_build *build, tub_value x, int prefix, tub_value *feature,
                       tub_value *tokens)
{
    if (!build->layer)
        return false;
    *tokens = x;
    *feature = tub_append_pool(p, x, prefix, build->pool);
    return true;
}
