#include "cuda_driver.h"

#include <dlfcn.h>
#include <string.h>

int tub_cuda_driver_gpus(void)
{
    int (*init)(unsigned flags), (*count)(int *count), there = 0;
    // The library stays loaded: once initialized, it has its own threads.
    void *library = dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    void *symbols[] = {library ? dlsym(library, "cuInit") : NULL, library ? dlsym(library, "cuDeviceGetCount") : NULL};
    memcpy(&init, &symbols[0], sizeof init);
    memcpy(&count, &symbols[1], sizeof count);
    if (init && count && (init(0) != 0 || count(&there) != 0))
        there = 0;
    if (library)
        dlclose(library);
    return there;
}
