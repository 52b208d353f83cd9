// Finds cuBLASLt and cuDNN where the dynamic linker looks and where the toolkit is.
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

#include "gpu_device.h"

#define TEXT(x) #x
#define NUMBER(x) TEXT(x)
// Libraries with the same major version are compatible: cuBLASLt's major version is the toolkit's.
#define CUBLASLT_FILE "libcublasLt.so." NUMBER(CUBLAS_VER_MAJOR)
#define CUDNN_FILE "libcudnn.so." NUMBER(CUDNN_MAJOR)

static void *open_library(const char *file, char *reason, size_t bytes)
{
    static const char *const folders[] = {"", "/usr/local/cuda/lib64/", "/usr/lib/x86_64-linux-gnu/",
                                          "/usr/lib/aarch64-linux-gnu/"};
    reason[0] = 0;
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
        char path[256];
        snprintf(path, sizeof path, "%s%s", folders[i], file);
        void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
        if (library)
            return library;
        const char *why = dlerror();
        if (!reason[0] && why)
            snprintf(reason, bytes, "%s", why);
    }
    return NULL;
}

static void *find(void *library, const char *name, const char **missing)
{
    void *symbol = dlsym(library, name);
    if (!symbol && !*missing)
        *missing = name;
    return symbol;
}

// In POSIX dlsym() may return functions; C has no cast for that.
#define FIND(name)                                                                                                     \
    do {                                                                                                               \
        void *symbol = find(out->library, #name, &missing);                                                            \
        memcpy(&out->name, &symbol, sizeof symbol);                                                                    \
    } while (0);

tub_status tub_cublaslt_load(tub_cublaslt *out, tub_error *err)
{
    char reason[256];
    const char *missing = NULL;
    out->library = open_library(CUBLASLT_FILE, reason, sizeof reason);
    if (!out->library)
        return tub_plugin_fail(err, TUB_ERROR_DEVICE,
                               "CUDA: %s isn't there (%s): install the CUDA toolkit's cuBLAS, or use --device cpu",
                               CUBLASLT_FILE, reason);
    TUB_CUBLASLT_FUNCTIONS(FIND)
    if (!missing)
        return TUB_OK;
    return tub_plugin_fail(err, TUB_ERROR_DEVICE, "CUDA: %s is too old, it has no %s: install CUDA %d", CUBLASLT_FILE,
                           missing, CUBLAS_VER_MAJOR);
}

tub_status tub_cudnn_load(tub_cudnn *out, tub_error *err)
{
    char reason[256];
    const char *missing = NULL;
    out->library = open_library(CUDNN_FILE, reason, sizeof reason);
    if (!out->library)
        return tub_plugin_fail(err, TUB_ERROR_DEVICE, "%s isn't there (%s)", CUDNN_FILE, reason);
    TUB_CUDNN_FUNCTIONS(FIND)
    if (missing)
        return tub_plugin_fail(err, TUB_ERROR_DEVICE, "%s is too old, it has no %s", CUDNN_FILE, missing);
    const size_t version = out->cudnnGetVersion();
    if (version >= TUB_CUDNN_LEAST)
        return TUB_OK;
    return tub_plugin_fail(err, TUB_ERROR_DEVICE, "cuDNN %zu.%zu is too old: 9.13 or later is needed", version / 10000,
                           version / 100 % 100);
}
