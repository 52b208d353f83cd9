// What an NVIDIA GPU is doing at the moment. The driver's NVML tells it, which is loaded at run time.
#ifndef TUBELET_GPU_MONITOR_H
#define TUBELET_GPU_MONITOR_H

#include <tubelet/status.h>

#ifdef __cplusplus
extern "C" {
#endif

// Thread-safety: one thread at a time per object.
typedef struct tub_gpu_monitor tub_gpu_monitor;

// A figure that the GPU doesn't report is NaN.
typedef struct tub_gpu_reading {
    double use;             // share of the recent time in which a kernel ran: 0 to 1
    double decoder_use;     // likewise for the video decoder (NVDEC)
    double memory_used, memory_total;   // bytes
    double power;           // watts
    double clock;           // clock of the multiprocessors, MHz
    double temperature;     // degrees Celsius
} tub_gpu_reading;

// `device`: CUDA's number of the GPU (CUDA_VISIBLE_DEVICES is obeyed).
// Ownership: the caller closes *out. Errors: TUB_ERROR_DEVICE (no driver, no such GPU).
TUB_API tub_status tub_gpu_monitor_open(int device, tub_gpu_monitor **out, tub_error *err);

// The GPU's name; borrowed from the monitor.
TUB_API const char *tub_gpu_monitor_name(const tub_gpu_monitor *monitor);
TUB_API void tub_gpu_monitor_read(tub_gpu_monitor *monitor, tub_gpu_reading *out);

// Accepts NULL and a pointer to NULL.
TUB_API void tub_gpu_monitor_close(tub_gpu_monitor **monitor);

#ifdef __cplusplus
}
#endif
#endif
