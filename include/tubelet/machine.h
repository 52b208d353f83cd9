// Machines: what this machine has, what of it is used, and why. `tubelet doctor` prints this.
#ifndef TUBELET_MACHINE_H
#define TUBELET_MACHINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <tubelet/encoder.h>
#include <tubelet/status.h>

#ifdef __cplusplus
extern "C" {
#endif

// What was found at opening. Thread-safety: safe, since it is read-only after opening.
typedef struct tub_machine tub_machine;

// All zero = defaults. Strings are copied.
typedef struct tub_machine_params {
    size_t size;            // sizeof(tub_machine_params)
    const char *out;        // report free space and speed of this folder, which needn't exist yet (NULL = none). To
                            // measure it, a nameless file is written there, of at most 32 MiB and for at most half a
                            // second
} tub_machine_params;

typedef struct tub_machine_info {
    char hash[40];                  // identifies the machine in profiles: hash of what follows, up to `memory`, and the
                                    // GPUs
    char cpu[96];                   // the processor's own name
    char architecture[16];          // "x86_64"
    char features[256];             // its instruction sets that the kernels here ask for, separated by spaces
    char isa[24];                   // instruction-set level in use
    char isa_reason[160];           // why this level
    int online;                     // processors of the machine
    int allowed;                    // processors in the affinity mask
    double quota;                   // processors that the control group grants, 0 = no limit
    int processors;                 // processors used by default, which follows from these three
    uint64_t memory;                // bytes that the process may use: the machine's, or its control group's limit
    uint64_t memory_installed, memory_available;
    char driver[96];                // NVIDIA's driver: "550.54 (CUDA 12.4)", "" = none
    char driver_reason[200];        // why there is no driver
    char libav[48];                 // "5.1.6-0+deb12u1"
    char libav_licence[48];         // "GPL version 2 or later"
    tub_dtype dtype;                // what `auto` means for checkpoints
} tub_machine_info;

// A backend, available or not.
typedef struct tub_backend_info {
    const char *name, *device;      // "onednn", "cpu", static
    char library[64];               // "oneDNN 2.7.3", "" if there is none
    bool found;
    char reason[256];               // why it isn't available
    char dtypes[64];                // types that it computes in on this machine: "f32, bf16"
} tub_backend_info;

// The decoders of a codec.
typedef struct tub_decoder_info {
    const char *codec;              // "h264", static
    char software[64];              // libav's decoders that may be used, best first: "libdav1d, av1"
    char hardware[128];             // devices that this libav could use: "cuda, vaapi"
    bool used_hardware;
} tub_decoder_info;

typedef struct tub_gpu_info {
    char name[96];
    int major, minor;               // compute capability
    uint64_t memory;                // bytes
    bool used;
    char reason[200];               // why it is used or not
} tub_gpu_info;

// An optimization that is on or off on this machine.
typedef struct tub_optimisation_info {
    const char *name;               // "bf16", static
    bool on;
    char reason[256];
} tub_optimisation_info;

typedef struct tub_folder_info {
    const char *path;               // the folder, or the nearest existing one above it; borrowed from the machine
    uint64_t free_bytes;
    double bytes_per_second;        // writing and syncing, 0 = not writable
    char reason[200];               // why it isn't writable
} tub_folder_info;

// Examines the machine. With `out` this takes tenths of a second. What isn't available is no error; the results say so.
// Ownership: the caller closes *out. Errors: TUB_ERROR_ARGUMENT, TUB_ERROR_MEMORY.
TUB_API tub_status tub_machine_open(const tub_machine_params *params, tub_machine **out, tub_error *err);
// Borrowed from the machine.
TUB_API const tub_machine_info *tub_machine_get_info(const tub_machine *m);
// The i-th; false past the last.
TUB_API bool tub_machine_backend_at(const tub_machine *m, size_t i, tub_backend_info *out);
TUB_API bool tub_machine_decoder_at(const tub_machine *m, size_t i, tub_decoder_info *out);
TUB_API bool tub_machine_gpu_at(const tub_machine *m, size_t i, tub_gpu_info *out);
TUB_API bool tub_machine_optimisation_at(const tub_machine *m, size_t i, tub_optimisation_info *out);
// False if params.out was NULL.
TUB_API bool tub_machine_folder(const tub_machine *m, tub_folder_info *out);
// Accepts NULL and a pointer to NULL.
TUB_API void tub_machine_close(tub_machine **m);

#ifdef __cplusplus
}
#endif
#endif
