// NVTX ranges without NVTX's headers. A profiler that wants them names its library in NVTX_INJECTION64_PATH. That
// library asks for the table of functions to be injected, and fills in its own.
#ifndef TUB_NVTX_H
#define TUB_NVTX_H

#include <stdbool.h>

typedef struct tub_nvtx {
    int (*push)(const char *name); // NULL if no profiler listens
    int (*pop)(void);
    void (*name_thread)(unsigned thread, const char *name);
} tub_nvtx;

// False: no profiler listens, and all of it is NULL. Done once per process: a profiler stays.
bool tub_nvtx_load(tub_nvtx *out);

#endif
