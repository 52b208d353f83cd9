#include "shape_sizes.h"

#include <stdio.h>

#include "config_reader.h"

void tub_size_from_shape(tub_binder *b, const char *name, int rank, int at, int *value)
{
    int found;
    int64_t dims[8];
    if (*value)
        return;
    tub_binder_shape(b, name, &found, dims);
    if (found == rank && dims[at] > 0 && dims[at] <= 1 << 17)
        *value = (int)dims[at];
}

void tub_layers_from_names(tub_binder *b, const char *before, const char *after, int *layers)
{
    char name[128];
    for (int i = 0; *layers == i && i < TUB_LAYERS_MOST; i++) {
        snprintf(name, sizeof name, "%s%d%s", before, i, after);
        *layers += tub_binder_has(b, name, false);
    }
    // If this one is missing, that is reported by name later.
    if (*layers == 0)
        *layers = 1;
}
