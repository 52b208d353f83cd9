#include "gpu_code.h"

#include <stdio.h>

bool tub_gpu_has_code(const tub_gpu_code *code, int capability)
{
    for (int i = 0; i < code->count; i++)
        if (code->compiled[i] / 10 == capability / 10 && code->compiled[i] <= capability)
            return true;
    return code->form > 0 && code->form <= capability;
}

void tub_gpu_list_code(const tub_gpu_code *code, char *out, size_t bytes)
{
    size_t used = 0;
    *out = 0;
    for (int i = 0; i < code->count && used < bytes; i++)
        used += (size_t)snprintf(out + used, bytes - used, "%s%d.%d", i ? ", " : "", code->compiled[i] / 10,
                                 code->compiled[i] % 10);
    if (code->form > 0 && used < bytes)
        snprintf(out + used, bytes - used, " and newer");
}
