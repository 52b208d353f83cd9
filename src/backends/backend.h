// Compute backends: the table of functions that hides a device.
//
// A backend compiles a program once for a device and runs it on batches of items. What a run writes for an item depends
// only on the item: not on the batch, the item's place in it, or the number of threads.
//
// The wrappers in the encoder validate; a backend trusts.
#ifndef TUB_BACKEND_H
#define TUB_BACKEND_H

#include <stdatomic.h>

#include "frame_recipe.h"
#include "program.h"
#include "team.h"

typedef struct tub_backend tub_backend;         // a device, opened
typedef struct tub_executable tub_executable;   // a program, compiled

typedef struct tub_open_params {
    tub_team *team;         // borrowed: the threads to compute with
    int device;             // number of the device of its kind, from 0; there is one processor
    size_t memory;          // most bytes of the device's memory (0 = what is free)
    unsigned without;       // TUB_GPU_WITHOUT_..., for GPUs
    tub_log log;            // told once of whatever can't be done, and what is done instead
    uint64_t group;         // a number shared only by devices that are opened together, or 0
} tub_open_params;

// Stores what a backend makes from a program's weights for later processes. `key`: a word that differs if these bytes
// differ, except for the checkpoint and our build, which the store knows. What is handed over in either direction is
// aligned to 64 bytes, and stays unchanged where it is for as long as the executable lives.
typedef struct tub_weight_store {
    void *context;
    const void *(*take)(void *context, const char *key, size_t bytes);   // NULL: not stored
    void (*keep)(void *context, const char *key, const void *data, size_t bytes);
} tub_weight_store;

typedef struct tub_compile_params {
    tub_dtype dtype;        // a type that supports() accepted
    int max_items;          // most items of a run
    bool tokens;            // runs may ask for the last hidden state
    bool shares;            // runs may get frames that other devices have made
    const tub_weight_store *weights;    // borrowed while compiling, for backends with `stores_weights`; NULL: none
} tub_compile_params;

typedef struct tub_batch {
    int items;
    const void *const *frames;  // items * program->input.frames pointers to one frame's pixels, or to a made frame
    const bool *made;           // [items, frames]: which of them come from make_frame(); NULL: none
    const int *positions;       // [items, frames], 0 .. TUB_POSITIONS_COUNT - 1, if the program wants them
    float *rows;                // [items, dim] of the feature
    float *tokens;              // [items, tokens, token_dim] or NULL
    const atomic_int *stop;     // non-zero: end early with TUB_ERROR_CANCELLED; NULL: never
} tub_batch;

enum { TUB_RUNS_BEGUN = 2 };

static inline bool tub_batch_stopped(const tub_batch *batch)
{
    return batch->stop && atomic_load_explicit(batch->stop, memory_order_relaxed);
}

typedef struct tub_backend_ops {
    const char *name;           // "reference"
    const char *device;         // "cpu"
    // Checks that the backend can run here, and in this type. Errors: TUB_ERROR_DEVICE naming the alternative.
    tub_status (*supports)(tub_dtype dtype, tub_error *err);
    // Which type AUTO means here.
    tub_dtype (*best_dtype)(void);
    tub_status (*open)(const tub_open_params *params, tub_backend **out, tub_error *err);
    // The program and its constants aren't needed afterwards, unless `keeps_program`.
    tub_status (*compile)(tub_backend *backend, const tub_program *program, const tub_compile_params *params,
                          tub_executable **out, tub_error *err);
    tub_status (*run)(tub_executable *executable, const tub_batch *batch, tub_error *err);
    // Overlapping runs: begin() may return before its batch is computed; the batch's arrays must stay as they are until
    // its end(). end() waits for the run that began first, and returns its errors. At most TUB_RUNS_BEGUN runs at a
    // time, and no run() in between. NULL: each run waits for the one before.
    tub_status (*begin)(tub_executable *executable, const tub_batch *batch, tub_error *err);
    tub_status (*end)(tub_executable *executable, tub_error *err);
    void (*release)(tub_executable **executable);   // accepts NULL
    void (*close)(tub_backend **backend);           // accepts NULL
    const char *(*isa)(void);                       // instruction set in use, for reports
    void (*library)(char *out, size_t bytes);       // "oneDNN 2.7.3", for reports; NULL: no third-party library
    bool stores_weights;                            // packed weights can be stored
    bool keeps_program;                             // program and constants must outlive the executable
    // For backends with several devices of a kind; NULL: there is one, which isa() names.
    tub_status (*count)(int *out, tub_error *err);  // errors: TUB_ERROR_DEVICE, why there is none
    tub_status (*name_device)(int device, char *out, size_t bytes, tub_error *err);
    // How many devices of the kind the machine shows, whether or not this backend can use them; NULL: unknown.
    int (*shown)(void);
    // Pins memory that will hold the frames of many runs, until unpin(): copies from it may be faster. NULL: it makes
    // no difference.
    tub_status (*pin)(tub_backend *backend, void *memory, size_t bytes, tub_error *err);
    void (*unpin)(tub_backend *backend, void *memory);
    // Frames that are made on the device, in the form that this executable's program takes: bytes of a frame, and
    // memory for frames, until drop_frames() or close. Its addresses are the device's, and only numbers to the host.
    // NULL: there are none. Errors: TUB_ERROR_MEMORY, TUB_ERROR_DEVICE.
    size_t (*frame_bytes)(const tub_executable *executable);
    tub_status (*hold_frames)(tub_executable *executable, size_t bytes, void **out, tub_error *err);
    void (*drop_frames)(tub_backend *backend);      // even if none are held
    // Makes a decoded frame at `at` in that memory, a multiple of 64 bytes, and copies it to `host` unless that is
    // NULL. The planes aren't needed afterwards. From any thread, even while the device runs. Batches of this device
    // may contain either copy; those of another device with the same program and type may contain the host's.
    tub_status (*make_frame)(tub_backend *backend, const tub_frame_recipe *recipe, const tub_frame_planes *planes,
                             void *at, void *host, tub_error *err);
    // Runs the device's densest loop for a type `turns` times, in one thread and only on registers. Returns the number
    // of operations. NULL: unknown. Called only with types that supports() accepts.
    double (*roof)(tub_dtype dtype, long turns);
    // The memory that a program would need, before it is compiled: bytes of a LINEAR's weight as it is stored,
    // including scales (NULL: as in the narrow type), and how many items of a batch are in the workspace at once (NULL:
    // all).
    size_t (*weight_bytes)(const tub_program *program, const tub_op *op, tub_dtype dtype);
    int (*items_at_once)(const tub_program *program, int threads, int max_items);
} tub_backend_ops;

extern const tub_backend_ops tub_backend_reference;
extern const tub_backend_ops tub_backend_native;
#ifdef TUB_WITH_ONEDNN
extern const tub_backend_ops tub_backend_onednn;
#endif

extern const tub_backend_ops tub_backend_cuda;

// The backends of this build, best first; NULL past the last. A backend is listed even if its device doesn't exist.
const tub_backend_ops *tub_backend_at(size_t i);
// "3f09ac51b2d4": differs if the backends' sources or their compiler differ. Static.
const char *tub_backends_identity(void);

#endif
