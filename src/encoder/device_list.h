// Which devices: "auto", "cpu", "cuda" (all that are visible) or "cuda:0,2".
//
// A process that was started as one of several on a machine (LOCAL_RANK of torchrun, SLURM_LOCALID, where there are more
// than one of them) takes one GPU of its own for "auto" and "cuda": the one of its number, counted round. What
// CUDA_VISIBLE_DEVICES hides is not counted.
#ifndef TUB_DEVICE_LIST_H
#define TUB_DEVICE_LIST_H

#include <stdbool.h>
#include <tubelet/status.h>

enum { TUB_DEVICES_MOST = 16 };

typedef struct tub_device_list {
    bool is_auto, is_cpu;           // neither: GPUs
    int count;                      // of index; 0: all, or this process's own
    int index[TUB_DEVICES_MOST];
} tub_device_list;

// NULL: auto. Errors: TUB_ERROR_DEVICE: what may be said instead.
tub_status tub_device_list_parse(const char *text, tub_device_list *out, tub_error *err);

// Fills in which of `there` devices of a kind are meant. Errors: TUB_ERROR_DEVICE: one that isn't there.
tub_status tub_device_list_resolve(tub_device_list *list, int there, tub_error *err);

#endif
