#include "cuda_plugin.h"

#include <dlfcn.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

#include "fail.h"
#include "memory.h"

static const char file[] = "libtubelet_cuda.so";

// The path of the file that this code was loaded from, up to the last slash; NULL: not known. For a command, the loader
// only knows the name that it was called by, which needn't be a path, so we ask the system. If the system ran the
// loader itself, it would name the loader; then we use the name of the command that the loader was given.
static char *own_folder(void)
{
    Dl_info info;
    struct link_map *map = NULL;
    if (!dladdr1(file, &info, (void **)&map, RTLD_DL_LINKMAP) || !map)
        return NULL;
    const bool by_loader = getauxval(AT_BASE) == 0; // the system ran the loader itself
    const char *command = by_loader && info.dli_fname ? info.dli_fname : "/proc/self/exe";
    char *path = realpath(map->l_name && map->l_name[0] ? map->l_name : command, NULL);
    char *folder = path ? tub_strdup(path) : NULL;
    free(path);
    if (folder)
        *strrchr(folder, '/') = 0;
    return folder;
}

static void *open_file(const char *path, char *reason, size_t bytes)
{
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    if (!library && (!strchr(path, '/') ? reason[0] == 0 : access(path, F_OK) == 0))
        snprintf(reason, bytes, "%s", dlerror());
    return library;
}

static void *search(char *reason, size_t bytes)
{
    static const char *const below[] = {"", "/../lib", "/../lib/tubelet"};
    const char *told = getenv("TUBELET_CUDA_PLUGIN");
    void *library = NULL;
    reason[0] = 0;
    if (told && told[0])
        return open_file(told, reason, bytes);
    char *folder = own_folder();
    for (size_t i = 0; folder && !library && i < sizeof below / sizeof *below; i++) {
        char *path = tub_format("%s%s/%s", folder, below[i], file);
        library = path ? open_file(path, reason, bytes) : NULL;
        tub_free(path);
    }
    tub_free(folder);
    return library ? library : open_file(file, reason, bytes);
}

tub_status tub_cuda_plugin_load(const tub_gpu_ops **ops, void **library, tub_error *err)
{
    char reason[512];
    *ops = NULL;
    *library = search(reason, sizeof reason);
    if (!*library)
        return tub_fail(err, TUB_ERROR_DEVICE,
                        "CUDA: %s can't be loaded (%s): build it with the CUDA toolkit, or use --device cpu", file,
                        reason[0] ? reason : "TUBELET_CUDA_PLUGIN names no file");
    // POSIX lets dlsym() give functions; C has no cast for it.
    tub_gpu_entry entry;
    void *symbol = dlsym(*library, TUB_GPU_ENTRY);
    memcpy(&entry, &symbol, sizeof entry);
    *ops = symbol ? entry() : NULL;
    if (*ops && (*ops)->version == TUB_GPU_VERSION)
        return TUB_OK;
    tub_cuda_plugin_unload(*library);
    *library = NULL;
    return tub_fail(err, TUB_ERROR_DEVICE,
                    "CUDA: %s is of another build of tubelet: install both from one, or use --device cpu", file);
}

// Its code stays (NODELETE): CUDA's threads and exit handlers are in it.
void tub_cuda_plugin_unload(void *library)
{
    if (library)
        dlclose(library);
}
