// The processor's name: from the kernel on x86-64, from the numbers of its maker and its core on ARM.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cpu.h"

typedef struct core {
    unsigned maker, part;
    const char *name;
} core;

// Cores that run Linux where many videos are processed: ARM's, NVIDIA's, Ampere's, Apple's.
static const core cores[] = {
    {0x41, 0xd0c, "Neoverse N1"},  {0x41, 0xd49, "Neoverse N2"},   {0x41, 0xd8e, "Neoverse N3"},
    {0x41, 0xd40, "Neoverse V1"},  {0x41, 0xd4f, "Neoverse V2"},   {0x41, 0xd83, "Neoverse V3AE"},
    {0x41, 0xd84, "Neoverse V3"},  {0x41, 0xd08, "Cortex-A72"},    {0x41, 0xd0b, "Cortex-A76"},
    {0x41, 0xd42, "Cortex-A78AE"}, {0x4e, 0x004, "NVIDIA Carmel"}, {0xc0, 0xac3, "Ampere-1"},
    {0xc0, 0xac4, "Ampere-1A"},    {0x61, 0x022, "Apple M1"},      {0x61, 0x023, "Apple M1"},
};

static void name_core(unsigned maker, unsigned part, char *out, size_t size)
{
    for (size_t i = 0; i < sizeof cores / sizeof *cores; i++)
        if (cores[i].maker == maker && cores[i].part == part) {
            snprintf(out, size, "%s%s", maker == 0x41 ? "ARM " : "", cores[i].name);
            return;
        }
    snprintf(out, size, "ARM processor (implementer 0x%02x, part 0x%03x)", maker, part);
}

void tub_cpu_name(const char *cpuinfo, char *out, size_t size)
{
    FILE *f = fopen(cpuinfo, "re");
    char *line = NULL;
    size_t bytes = 0;
    unsigned maker = 0, part = 0;
    bool named = false;
    snprintf(out, size, "unnamed processor");
    while (f && !named && getline(&line, &bytes, f) > 0) {
        const char *colon = strchr(line, ':');
        if (colon && !strncmp(line, "model name", 10)) {
            colon += strspn(colon, ": \t");
            snprintf(out, size, "%.*s", (int)strcspn(colon, "\n"), colon);
            named = true;
        }
        (void)sscanf(line, "CPU implementer : %x", &maker);
        if (sscanf(line, "CPU part : %x", &part) == 1) {
            name_core(maker, part, out, size);
            named = true;
        }
    }
    free(line);
    if (f)
        fclose(f);
}
