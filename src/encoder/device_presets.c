#include <string.h>
#include <tubelet/encoder.h>

static const tub_device_preset presets[] = {
    {"8xa100-40", "A100 with 40 GB, eight a machine", 64, 64, 8},
    {"8xv100-16", "V100 with 16 GB, eight a machine", 32, 64, 6},
    {"4xa100-80", "A100 with 80 GB, four a machine", 96, 64, 12},
    {"l4", "L4 with 24 GB", 32, 64, 8},
    {"h100", "H100 with 80 GB", 64, 128, 16},
    {"h200", "H200 with 141 GB", 96, 128, 16},
};

const tub_device_preset *tub_device_preset_at(size_t i)
{
    return i < sizeof presets / sizeof *presets ? &presets[i] : NULL;
}

const tub_device_preset *tub_device_preset_find(const char *name)
{
    for (size_t i = 0; name && i < sizeof presets / sizeof *presets; i++)
        if (strcmp(presets[i].name, name) == 0)
            return &presets[i];
    return NULL;
}
