#include <tubelet/gpu_monitor.h>

#include <ctype.h>
#include <dlfcn.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "fail.h"
#include "memory.h"
#include "params.h"

// NVML's numbers.
enum { CLOCK_MULTIPROCESSORS = 1, SENSOR_GPU = 0, NAME_BYTES = 96, BUS_BYTES = 32 };

typedef void *nvml_device;

typedef struct nvml_use {
    unsigned gpu, memory; // percent
} nvml_use;

typedef struct nvml_memory {
    unsigned long long total, free, used; // bytes
} nvml_memory;

// All return 0 on success. The functions of the first block must exist.
typedef struct nvml {
    int (*init)(void);
    int (*shutdown)(void);
    int (*by_index)(unsigned index, nvml_device *out);

    int (*by_bus)(const char *bus, nvml_device *out);
    int (*by_uuid)(const char *uuid, nvml_device *out);
    int (*name)(nvml_device device, char *out, unsigned bytes);
    int (*use)(nvml_device device, nvml_use *out);
    int (*decoder_use)(nvml_device device, unsigned *percent, unsigned *microseconds);
    int (*memory)(nvml_device device, nvml_memory *out);
    int (*power)(nvml_device device, unsigned *milliwatts);
    int (*clock)(nvml_device device, int which, unsigned *megahertz);
    int (*temperature)(nvml_device device, int sensor, unsigned *degrees);
} nvml;

struct tub_gpu_monitor {
    void *library;
    bool started;
    nvml call;
    nvml_device device;
    char name[NAME_BYTES];
};

static bool find(tub_gpu_monitor *m)
{
    const struct {
        const char *name;
        void *to;
    } symbols[] = {
        {"nvmlInit_v2", &m->call.init},
        {"nvmlShutdown", &m->call.shutdown},
        {"nvmlDeviceGetHandleByIndex_v2", &m->call.by_index},
        {"nvmlDeviceGetHandleByPciBusId_v2", &m->call.by_bus},
        {"nvmlDeviceGetHandleByUUID", &m->call.by_uuid},
        {"nvmlDeviceGetName", &m->call.name},
        {"nvmlDeviceGetUtilizationRates", &m->call.use},
        {"nvmlDeviceGetDecoderUtilization", &m->call.decoder_use},
        {"nvmlDeviceGetMemoryInfo", &m->call.memory},
        {"nvmlDeviceGetPowerUsage", &m->call.power},
        {"nvmlDeviceGetClockInfo", &m->call.clock},
        {"nvmlDeviceGetTemperature", &m->call.temperature},
    };
    m->library = dlopen("libnvidia-ml.so.1", RTLD_LAZY | RTLD_LOCAL);
    for (size_t i = 0; m->library && i < sizeof symbols / sizeof *symbols; i++)
        *(void **)symbols[i].to = dlsym(m->library, symbols[i].name);
    return m->call.init && m->call.shutdown && m->call.by_index;
}

// The bus address of CUDA's n-th device. CUDA puts the fastest first, NVML goes by the bus, so their numbers differ if
// the cards are of different kinds.
static bool bus_of(int number, char *out, int bytes)
{
    int (*init)(unsigned), (*get)(int *, int), (*bus)(char *, int, int);
    int device;
    void *library = dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    if (!library)
        return false;
    *(void **)(void *)&init = dlsym(library, "cuInit");
    *(void **)(void *)&get = dlsym(library, "cuDeviceGet");
    *(void **)(void *)&bus = dlsym(library, "cuDeviceGetPCIBusId");
    const bool known = init && get && bus && init(0) == 0 && get(&device, number) == 0 && bus(out, bytes, device) == 0;
    dlclose(library);
    return known;
}

// The n-th entry of CUDA_VISIBLE_DEVICES, as text that ends at a comma; NULL: the variable isn't set.
static const char *visible(int n)
{
    const char *at = getenv("CUDA_VISIBLE_DEVICES");
    while (at && n-- > 0) {
        at = strchr(at, ',');
        at = at ? at + 1 : "";
    }
    return at;
}

static bool get_named(tub_gpu_monitor *m, const char *entry)
{
    char *uuid = tub_strdup(entry);
    if (uuid)
        uuid[strcspn(uuid, ", ")] = '\0';
    bool found = uuid && *uuid && m->call.by_uuid && m->call.by_uuid(uuid, &m->device) == 0;
    tub_free(uuid);
    return found;
}

static bool get_device(tub_gpu_monitor *m, int number)
{
    char bus[BUS_BYTES];
    const char *entry = visible(number);
    while (entry && isspace((unsigned char)*entry))
        entry++;
    // A part of a card (MIG) has its own memory, but its bus address is the whole card's.
    if (entry && !strncmp(entry, "MIG-", 4) && get_named(m, entry))
        return true;
    if (m->call.by_bus && bus_of(number, bus, sizeof bus))
        return m->call.by_bus(bus, &m->device) == 0;
    if (!entry)
        return m->call.by_index((unsigned)number, &m->device) == 0;
    if (isdigit((unsigned char)*entry))
        return m->call.by_index((unsigned)strtoul(entry, NULL, 10), &m->device) == 0;
    return get_named(m, entry);
}

static tub_status start(tub_gpu_monitor *m, int device, tub_error *err)
{
    if (device < 0)
        return tub_fail(err, TUB_ERROR_ARGUMENT, "GPU %d: GPUs count from 0", device);
    if (!find(m))
        return tub_fail(err, TUB_ERROR_DEVICE,
                        "GPU %d can't be watched: NVIDIA's driver isn't there (libnvidia-ml.so.1)", device);
    m->started = m->call.init() == 0;
    if (!m->started)
        return tub_fail(err, TUB_ERROR_DEVICE, "GPU %d can't be watched: NVIDIA's driver doesn't answer", device);
    if (!get_device(m, device))
        return tub_fail(err, TUB_ERROR_DEVICE, "GPU %d can't be watched: there is none of that number", device);
    if (!m->call.name || m->call.name(m->device, m->name, NAME_BYTES) != 0)
        m->name[0] = '\0';
    m->name[NAME_BYTES - 1] = '\0';
    return TUB_OK;
}

tub_status tub_gpu_monitor_open(int device, tub_gpu_monitor **out, tub_error *err)
{
    TUB_TRY(tub_check_given("out", out, err));
    *out = NULL;
    tub_gpu_monitor *m = tub_calloc(1, sizeof *m);
    if (!m)
        return tub_fail_memory(err, "a GPU's monitor");
    tub_status status = start(m, device, err);
    if (status != TUB_OK)
        tub_gpu_monitor_close(&m);
    *out = m;
    return status;
}

const char *tub_gpu_monitor_name(const tub_gpu_monitor *monitor)
{
    return monitor->name;
}

void tub_gpu_monitor_read(tub_gpu_monitor *m, tub_gpu_reading *out)
{
    nvml_use use;
    nvml_memory memory;
    unsigned value, period;
    *out = (tub_gpu_reading){NAN, NAN, NAN, NAN, NAN, NAN, NAN};
    if (m->call.use && m->call.use(m->device, &use) == 0)
        out->use = use.gpu / 100.0;
    if (m->call.decoder_use && m->call.decoder_use(m->device, &value, &period) == 0)
        out->decoder_use = value / 100.0;
    if (m->call.memory && m->call.memory(m->device, &memory) == 0) {
        out->memory_used = (double)memory.used;
        out->memory_total = (double)memory.total;
    }
    if (m->call.power && m->call.power(m->device, &value) == 0)
        out->power = value / 1000.0;
    if (m->call.clock && m->call.clock(m->device, CLOCK_MULTIPROCESSORS, &value) == 0)
        out->clock = value;
    if (m->call.temperature && m->call.temperature(m->device, SENSOR_GPU, &value) == 0)
        out->temperature = value;
}

void tub_gpu_monitor_close(tub_gpu_monitor **monitor)
{
    if (!monitor || !*monitor)
        return;
    tub_gpu_monitor *m = *monitor;
    if (m->started)
        m->call.shutdown();
    if (m->library)
        dlclose(m->library);
    tub_free(m);
    *monitor = NULL;
}
