// The fake device as a plug-in (libfake_gpu.so), which the library opens like the real one when TUBELET_CUDA_PLUGIN
// names it: the command and the public API on GPUs that don't exist. Their properties come from the environment:
// FAKE_GPU="devices=3 memory=100000000 fail_device=1 fail_call=40".
#include <stdlib.h>
#include <string.h>

#include "fake_gpu.h"

static long number(const char *text, const char *name)
{
    const char *at = text ? strstr(text, name) : NULL;
    return at && at[strlen(name)] == '=' ? atol(at + strlen(name) + 1) : 0;
}

__attribute__((visibility("default"))) const tub_gpu_ops *tub_gpu_plugin(void);

const tub_gpu_ops *tub_gpu_plugin(void)
{
    const char *text = getenv("FAKE_GPU");
    fake_gpu = (fake_gpu_params){.devices = (int)number(text, "devices"),
                                 .major = (int)number(text, "major"),
                                 .memory = (size_t)number(text, "memory"),
                                 .small_device = (int)number(text, "small_device"),
                                 .small = (size_t)number(text, "small"),
                                 .fail_device = (int)number(text, "fail_device"),
                                 .fail_call = (int)number(text, "fail_call"),
                                 .fail_frame = (int)number(text, "fail_frame"),
                                 .short_call = (int)number(text, "short_call"),
                                 .short_times = (int)number(text, "short_times"),
                                 .slow_device = (int)number(text, "slow_device"),
                                 .slow = (int)number(text, "slow"),
                                 .no_graphs = number(text, "no_graphs"),
                                 .no_row_scales = number(text, "no_row_scales"),
                                 .late = number(text, "late"),
                                 .refuse_call = (int)number(text, "refuse_call"),
                                 .refuse_kinds = (unsigned)number(text, "refuse_kinds"),
                                 .refuse_short = number(text, "refuse_short"),
                                 .refuse_for_good = number(text, "refuse_for_good")};
    return &fake_gpu_ops;
}

// For tests that open it: the counts since the devices started, and how many calls could have failed. Resets
// everything.
__attribute__((visibility("default"))) int fake_gpu_plugin_end(fake_gpu_counts counts[8]);

int fake_gpu_plugin_end(fake_gpu_counts counts[8])
{
    const int calls = fake_gpu_calls;
    memcpy(counts, fake_gpu_counted, sizeof fake_gpu_counted);
    fake_gpu_reset();
    return calls;
}
