#include "class_row.h"

#include <string.h>

tub_tensor tub_bind_prefix(tub_binder *b, int n, const tub_tensor *token, const tub_tensor *table,
                           const tub_tensor *registers, int count, const float **positions)
{
    float *prefix;
    tub_tensor t = tub_bind_new(b, "prefix", TUB_SHAPE(1 + count, n), &prefix);
    const float *first = tub_bind_floats(b, token), *rows = tub_bind_floats(b, table);
    const float *others = count ? tub_bind_floats(b, registers) : NULL;
    *positions = NULL;
    if (!prefix || !first || !rows || (count && !others))
        return t;
    for (int i = 0; i < n; i++)
        prefix[i] = first[i] + rows[i];
    if (others)
        memcpy(prefix + n, others, (size_t)count * (size_t)n * sizeof *others);
    *positions = rows + n;
    return t;
}

tub_tensor tub_bind_class_row(tub_binder *b, int n, const tub_tensor *token, const tub_tensor *table,
                              const float **positions)
{
    return tub_bind_prefix(b, n, token, table, NULL, 0, positions);
}
