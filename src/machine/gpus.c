// NVIDIA's GPUs through the driver's own library, which is loaded if it is there.
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

#include "machine_impl.h"

// Values of CUdevice_attribute.
enum { CAPABILITY_MAJOR = 75, CAPABILITY_MINOR = 76 };

typedef struct driver {
    void *library;
    int (*init)(unsigned flags);
    int (*version)(int *version);
    int (*count)(int *count);
    int (*get)(int *device, int ordinal);
    int (*name)(char *name, int size, int device);
    int (*memory)(size_t *bytes, int device);
    int (*attribute)(int *value, int attribute, int device);
} driver;

static bool load(driver *d, const char *path)
{
    static const char *const names[] = {"cuInit",          "cuDriverGetVersion",  "cuDeviceGetCount",    "cuDeviceGet",
                                        "cuDeviceGetName", "cuDeviceTotalMem_v2", "cuDeviceGetAttribute"};
    void *slots[] = {&d->init, &d->version, &d->count, &d->get, &d->name, &d->memory, &d->attribute};
    d->library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    for (size_t i = 0; d->library && i < sizeof names / sizeof *names; i++) {
        void *symbol = dlsym(d->library, names[i]);
        if (!symbol)
            return false;
        memcpy(slots[i], &symbol, sizeof symbol); // dlsym() gives functions as object pointers
    }
    return d->library != NULL;
}

// The version, such as "550.54.15", from the management library; "" if it can't tell.
static void driver_version(const char *path, char *out, unsigned size)
{
    int (*init)(void), (*version)(char *, unsigned), (*finish)(void);
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    void *symbols[] = {library ? dlsym(library, "nvmlInit_v2") : NULL,
                       library ? dlsym(library, "nvmlSystemGetDriverVersion") : NULL,
                       library ? dlsym(library, "nvmlShutdown") : NULL};
    *out = 0;
    if (symbols[0] && symbols[1] && symbols[2]) {
        memcpy(&init, &symbols[0], sizeof init);
        memcpy(&version, &symbols[1], sizeof version);
        memcpy(&finish, &symbols[2], sizeof finish);
        if (init() == 0) {
            if (version(out, size) != 0)
                *out = 0;
            finish();
        }
    }
    if (library)
        dlclose(library);
}

static void add_gpu(tub_machine *m, const driver *d, int ordinal)
{
    tub_gpu_info *gpu = &m->gpus[m->gpu_count];
    int device;
    size_t bytes = 0;
    if (d->get(&device, ordinal) != 0 || d->name(gpu->name, sizeof gpu->name, device) != 0)
        return;
    gpu->name[sizeof gpu->name - 1] = 0;
    d->attribute(&gpu->major, CAPABILITY_MAJOR, device);
    d->attribute(&gpu->minor, CAPABILITY_MINOR, device);
    gpu->memory = d->memory(&bytes, device) == 0 ? bytes : 0;
    m->gpu_count++;
}

static void ask(tub_machine *m, const driver *d, const char *path, const char *management)
{
    tub_machine_info *info = &m->info;
    int count = 0, version = 0, code = d->init(0);
    char number[48];
    if (code != 0) {
        snprintf(info->driver_reason, sizeof info->driver_reason,
                 "%s is there, but finds no GPU that it can use (CUDA error %d): see what nvidia-smi says", path, code);
        return;
    }
    driver_version(management, number, sizeof number);
    if (d->version(&version) == 0)
        snprintf(info->driver, sizeof info->driver, "%s%sCUDA %d.%d%s", number, *number ? " (" : "", version / 1000,
                 version % 1000 / 10, *number ? ")" : "");
    if (d->count(&count) != 0)
        count = 0;
    for (int i = 0; i < count && i < TUB_GPUS_MOST; i++)
        add_gpu(m, d, i);
    if (m->gpu_count == 0)
        snprintf(info->driver_reason, sizeof info->driver_reason, "the driver shows no GPU to this process");
}

void tub_find_gpus(tub_machine *m, const char *path, const char *management)
{
    driver d = {0};
    if (load(&d, path))
        ask(m, &d, path, management);
    else
        snprintf(m->info.driver_reason, sizeof m->info.driver_reason,
                 d.library ? "%s is there, but isn't NVIDIA's driver" : "no NVIDIA driver: %s isn't there", path);
    // If the library was initialized, it stays loaded: it has its own threads.
    if (d.library && !m->info.driver[0])
        dlclose(d.library);
}
