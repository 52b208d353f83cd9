#include "gpu_code.h"

#include <stdio.h>

static int newest(const int *list, int count, int least, int most)
{
    int out = 0;
    for (int i = 0; i < count; i++)
        if (list[i] >= least && list[i] <= most && list[i] > out)
            out = list[i];
    return out;
}

int tub_gpu_code_for(const tub_gpu_code *code, int capability)
{
    const int machine = newest(code->compiled, code->count, capability / 10 * 10, capability);
    return machine ? machine : newest(code->forms, code->form_count, 0, capability);
}

void tub_gpu_list_code(const tub_gpu_code *code, char *out, size_t bytes)
{
    size_t used = 0;
    *out = 0;
    for (int i = 0; i < code->count && used < bytes; i++)
        used += (size_t)snprintf(out + used, bytes - used, "%s%d.%d", i ? ", " : "", code->compiled[i] / 10,
                                 code->compiled[i] % 10);
    if (code->form_count > 0 && used < bytes)
        snprintf(out + used, bytes - used, " and newer");
}
