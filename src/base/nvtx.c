#include "nvtx.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

// Numbers of NVTX 2 and 3: the export table of callbacks, its module "core", that module's functions.
enum {
    TABLE_CALLBACKS = 1,
    TABLE_VERSION = 3,
    VERSION = 3,
    MODULE_CORE = 1,
    RANGE_PUSH = 9,
    RANGE_POP = 11,
    NAME_THREAD = 14,
    CORE_FUNCTIONS = 16
};

// The profiler gets the table's address and writes its functions through the table's pointers.
typedef void (*nvtx_function)(void);

static nvtx_function core[CORE_FUNCTIONS];
static nvtx_function *core_table[CORE_FUNCTIONS + 1];
static bool listening;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static int module_table(unsigned module, nvtx_function ***table, unsigned *count)
{
    if (module != MODULE_CORE)
        return 0;
    if (table)
        *table = core_table;
    if (count)
        *count = CORE_FUNCTIONS;
    return 1;
}

static void set_version(uint32_t version)
{
    (void)version; // the functions used here are the same in all versions
}

typedef struct callbacks {
    size_t size;
    int (*module_table)(unsigned module, nvtx_function ***table, unsigned *count);
} callbacks;

typedef struct version_info {
    size_t size;
    uint32_t version, reserved;
    void (*set_version)(uint32_t version);
} version_info;

static const void *export_table(uint32_t id)
{
    static const callbacks table = {sizeof table, module_table};
    static const version_info info = {sizeof info, VERSION, 0, set_version};
    return id == TABLE_CALLBACKS ? (const void *)&table : id == TABLE_VERSION ? (const void *)&info : NULL;
}

static void load(void)
{
    const char *path = getenv("NVTX_INJECTION64_PATH");
    void *library = path && *path ? dlopen(path, RTLD_LAZY | RTLD_LOCAL) : NULL;
    int (*initialize)(const void *(*)(uint32_t)) = NULL;
    if (!library)
        return;
    *(void **)&initialize = dlsym(library, "InitializeInjectionNvtx2");
    for (int i = 1; i < CORE_FUNCTIONS; i++)
        core_table[i] = &core[i];
    listening = initialize && initialize(export_table) && core[RANGE_PUSH] && core[RANGE_POP];
}

bool tub_nvtx_load(tub_nvtx *out)
{
    *out = (tub_nvtx){0};
    pthread_once(&once, load);
    if (!listening)
        return false;
    out->push = (int (*)(const char *))core[RANGE_PUSH];
    out->pop = (int (*)(void))core[RANGE_POP];
    out->name_thread = (void (*)(unsigned, const char *))core[NAME_THREAD];
    return true;
}
