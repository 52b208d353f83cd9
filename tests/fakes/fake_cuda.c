// A driver's library with two GPUs, with only what tub_find_gpus() calls. FAKE_CUDA = "none": it finds none.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int cuInit(unsigned flags);
int cuDriverGetVersion(int *version);
int cuDeviceGetCount(int *count);
int cuDeviceGet(int *device, int ordinal);
int cuDeviceGetName(char *name, int size, int device);
int cuDeviceTotalMem_v2(size_t *bytes, int device);
int cuDeviceGetAttribute(int *value, int attribute, int device);
int nvmlInit_v2(void);
int nvmlSystemGetDriverVersion(char *version, unsigned size);
int nvmlShutdown(void);

int cuInit(unsigned flags)
{
    const char *what = getenv("FAKE_CUDA");
    return flags != 0 || (what && !strcmp(what, "none")) ? 100 : 0;
}

int cuDriverGetVersion(int *version)
{
    *version = 12040;
    return 0;
}

int cuDeviceGetCount(int *count)
{
    *count = 2;
    return 0;
}

int cuDeviceGet(int *device, int ordinal)
{
    *device = ordinal + 7;
    return 0;
}

int cuDeviceGetName(char *name, int size, int device)
{
    snprintf(name, (size_t)size, "Fake %c100", device == 7 ? 'V' : 'A');
    return 0;
}

int cuDeviceTotalMem_v2(size_t *bytes, int device)
{
    *bytes = (size_t)(device == 7 ? 16 : 40) << 30;
    return 0;
}

int cuDeviceGetAttribute(int *value, int attribute, int device)
{
    *value = attribute == 75 ? device : 0;
    return attribute == 75 || attribute == 76 ? 0 : 1;
}

int nvmlInit_v2(void)
{
    return 0;
}

int nvmlSystemGetDriverVersion(char *version, unsigned size)
{
    snprintf(version, size, "550.54.15");
    return 0;
}

int nvmlShutdown(void)
{
    return 0;
}
