#include "machine_hash.h"

#include <stdio.h>
#include <string.h>

#include "hash.h"
#include "machine_impl.h"
#include "memory.h"

// What the speed of a setting depends on. Available memory and the folder change from run to run.
void tub_name_machine(tub_machine *m)
{
    const tub_machine_info *info = &m->info;
    char text[2048], hash[TUB_HASH_TEXT];
    int used = snprintf(text, sizeof text, "%s|%s|%s|%d|%llu", info->cpu, info->features, info->isa, info->processors,
                        (unsigned long long)(info->memory >> 30));
    for (size_t i = 0; i < m->gpu_count && used < (int)sizeof text; i++)
        used += snprintf(text + used, sizeof text - (size_t)used, "|%s %llu", m->gpus[i].name,
                         (unsigned long long)(m->gpus[i].memory >> 30));
    tub_hash_bytes(text, strlen(text), hash);
    snprintf(m->info.hash, sizeof m->info.hash, "%s", hash);
}

void tub_machine_hash(char out[40])
{
    *out = 0;
    tub_machine *m = tub_calloc(1, sizeof *m);
    if (!m)
        return;
    tub_find_processor(&m->info);
    tub_find_gpus(m, TUB_DRIVER_LIBRARY, TUB_MANAGEMENT_LIBRARY);
    tub_name_machine(m);
    snprintf(out, 40, "%s", m->info.hash);
    tub_free(m);
}
