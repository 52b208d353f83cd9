// A machine from inside: what each finder has found. It is copied out piece by piece.
#ifndef TUB_MACHINE_IMPL_H
#define TUB_MACHINE_IMPL_H

#include <tubelet/machine.h>

enum { TUB_BACKENDS_MOST = 8, TUB_GPUS_MOST = 16, TUB_OPTIMISATIONS_MOST = 16 };

struct tub_machine {
    tub_machine_info info;
    tub_backend_info backends[TUB_BACKENDS_MOST];
    size_t backend_count;
    tub_gpu_info gpus[TUB_GPUS_MOST];
    size_t gpu_count;
    tub_optimisation_info optimisations[TUB_OPTIMISATIONS_MOST];
    size_t optimisation_count;
    tub_folder_info folder;
    char *folder_path; // NULL: no folder was given
};

#define TUB_DRIVER_LIBRARY "libcuda.so.1"
#define TUB_MANAGEMENT_LIBRARY "libnvidia-ml.so.1"

// Each finder fills in its part. They are in machine.c's order: later ones read what earlier ones have found.
void tub_find_processor(tub_machine_info *info);
// `driver`, `management`: the two libraries above (tests give others).
void tub_find_gpus(tub_machine *m, const char *driver, const char *management);
// Computes the hash from the processor and the GPUs.
void tub_name_machine(tub_machine *m);
void tub_find_backends(tub_machine *m);
void tub_find_optimisations(tub_machine *m);
tub_status tub_find_folder(tub_machine *m, const char *path, tub_error *err);

// The entry of a backend by its name; NULL: unknown.
const tub_backend_info *tub_machine_backend(const tub_machine *m, const char *name);

#endif
