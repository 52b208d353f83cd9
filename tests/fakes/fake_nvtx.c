// A profiler, for tests: the library that NVTX_INJECTION64_PATH names. Counts the calls it gets in three numbers.
#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef void (*nvtx_function)(void);

typedef struct callbacks {
    size_t size;
    int (*module_table)(unsigned module, nvtx_function ***table, unsigned *count);
} callbacks;

extern int fake_nvtx_depth, fake_nvtx_ranges, fake_nvtx_named;
int InitializeInjectionNvtx2(const void *(*export_table)(uint32_t));

int fake_nvtx_depth, fake_nvtx_ranges, fake_nvtx_named;

static int push(const char *name)
{
    fake_nvtx_ranges += !strcmp(name, "forward");
    return fake_nvtx_depth++;
}

static int pop(void)
{
    return --fake_nvtx_depth;
}

static void name_thread(uint32_t thread, const char *name)
{
    fake_nvtx_named += thread > 0 && !strcmp(name, "a thread");
}

int InitializeInjectionNvtx2(const void *(*export_table)(uint32_t))
{
    const callbacks *table = export_table(1);
    nvtx_function **core = NULL;
    unsigned count = 0;
    if (!table || table->size < sizeof *table || !table->module_table(1, &core, &count) || count < 15)
        return 0;
    *core[9] = (nvtx_function)push;
    *core[11] = (nvtx_function)pop;
    *core[14] = (nvtx_function)name_thread;
    return 1;
}
