// Which devices to use: "auto", "cpu", "cuda" (all visible GPUs) or "cuda:0,2".
//
// If several processes were started on a machine (LOCAL_RANK of torchrun, SLURM_LOCALID, with more than one of them),
// each takes one GPU of its own for "auto" and "cuda": its local rank modulo the number of GPUs. GPUs that
// CUDA_VISIBLE_DEVICES hides don't count.
#ifndef TUB_DEVICE_LIST_H
#define TUB_DEVICE_LIST_H

#include <stdbool.h>
#include <tubelet/status.h>

enum { TUB_DEVICES_MOST = 16 };

typedef struct tub_device_list {
    bool is_auto, is_cpu;           // neither: GPUs
    int count;                      // entries of `index`; 0: all GPUs, or this process's own
    int index[TUB_DEVICES_MOST];
} tub_device_list;

// NULL: auto. Errors: TUB_ERROR_DEVICE naming the valid forms.
tub_status tub_device_list_parse(const char *text, tub_device_list *out, tub_error *err);

// Fills in which of the `there` existing devices of a kind are meant. Errors: TUB_ERROR_DEVICE: one doesn't exist.
tub_status tub_device_list_resolve(tub_device_list *list, int there, tub_error *err);

#endif
