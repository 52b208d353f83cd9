// A driver's NVML with one GPU and a part of one (MIG), for tests: built as libnvidia-ml.so.1.
#include <string.h>

static int started, part;

int nvmlInit_v2(void);
int nvmlShutdown(void);
int nvmlDeviceGetHandleByIndex_v2(unsigned index, void **out);
int nvmlDeviceGetHandleByPciBusId_v2(const char *bus, void **out);
int nvmlDeviceGetHandleByUUID(const char *uuid, void **out);
int nvmlDeviceGetName(void *device, char *out, unsigned bytes);
int nvmlDeviceGetUtilizationRates(void *device, unsigned *out);
int nvmlDeviceGetMemoryInfo(void *device, unsigned long long *out);
int nvmlDeviceGetPowerUsage(void *device, unsigned *milliwatts);
int nvmlDeviceGetClockInfo(void *device, int which, unsigned *megahertz);

int nvmlInit_v2(void)
{
    started++;
    return 0;
}

int nvmlShutdown(void)
{
    started--;
    return 0;
}

int nvmlDeviceGetHandleByIndex_v2(unsigned index, void **out)
{
    *out = &started;
    return started > 0 && index == 3 ? 0 : 2;
}

int nvmlDeviceGetHandleByPciBusId_v2(const char *bus, void **out)
{
    *out = &started;
    return started > 0 && !strcmp(bus, "0000:65:00.0") ? 0 : 2;
}

int nvmlDeviceGetHandleByUUID(const char *uuid, void **out)
{
    const int is_part = !strcmp(uuid, "MIG-0ddba11");
    *out = is_part ? &part : &started;
    return started > 0 && (is_part || !strcmp(uuid, "GPU-5ca1ab1e")) ? 0 : 2;
}

int nvmlDeviceGetName(void *device, char *out, unsigned bytes)
{
    strncpy(out, device == &part ? "Fake MIG 1g.10gb" : "Fake \"H100\"", bytes - 1);
    return device ? 0 : 1;
}

int nvmlDeviceGetUtilizationRates(void *device, unsigned *out)
{
    out[0] = 87;
    out[1] = 41;
    return device && device != &part ? 0 : 1;
}

int nvmlDeviceGetMemoryInfo(void *device, unsigned long long *out)
{
    out[0] = (device == &part ? 10ull : 80ull) << 30;
    out[1] = 50ull << 30;
    out[2] = 30ull << 30;
    return device ? 0 : 1;
}

int nvmlDeviceGetPowerUsage(void *device, unsigned *milliwatts)
{
    *milliwatts = 412500;
    return device ? 0 : 1;
}

int nvmlDeviceGetClockInfo(void *device, int which, unsigned *megahertz)
{
    *megahertz = which == 1 ? 1755 : 0;
    return device ? 0 : 1;
}
