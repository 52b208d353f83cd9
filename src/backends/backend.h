// Compute backends: the table of functions behind which a device hides.
//
// A backend compiles a program once for a device and runs it on batches of items. What a run writes for an item
// depends on the item alone: not on the batch, its position, the number of threads.
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
    int device;             // which one of a kind, from 0; of the processor there is one
    size_t memory;          // most bytes of the device's memory (0 = what is free)
    unsigned without;       // TUB_GPU_WITHOUT_..., of GPUs
    tub_log log;            // what is given up and what is done instead, said once
    uint64_t group;         // a number that devices which are opened together have alone, or 0
} tub_open_params;

// A place for what a backend makes of a program's weights, from one process to the next. `key`: a word that differs
// where these bytes do, but for the checkpoint and our build, which the place knows. What is handed over either way stays unchanged
// where it is for as long as the executable lives, aligned to 64 bytes.
typedef struct tub_weight_store {
    void *context;
    const void *(*take)(void *context, const char *key, size_t bytes);   // NULL: they aren't there
    void (*keep)(void *context, const char *key, const void *data, size_t bytes);
} tub_weight_store;

typedef struct tub_compile_params {
    tub_dtype dtype;        // one that supports() accepted
    int max_items;          // most items of a run
    bool tokens;            // runs may ask for the last hidden state
    bool shares;            // runs may be given frames that other devices have made
    const tub_weight_store *weights;    // borrowed while compiling, of backends with `stores_weights`; NULL: none
} tub_compile_params;

typedef struct tub_batch {
    int items;
    const void *const *frames;  // items * program->input.frames pointers to one frame's pixels, or to a made frame
    const bool *made;           // [items, frames]: which of them make_frame() has left; NULL: none
    const int *positions;       // [items, frames], 0 .. TUB_POSITIONS_COUNT - 1, where the program wants them
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
    // Whether the backend can run here at all, and in this type. Errors: TUB_ERROR_DEVICE naming the alternative.
    tub_status (*supports)(tub_dtype dtype, tub_error *err);
    // Which type AUTO means here.
    tub_dtype (*best_dtype)(void);
    tub_status (*open)(const tub_open_params *params, tub_backend **out, tub_error *err);
    // The program and its constants are not needed after, unless `keeps_program`.
    tub_status (*compile)(tub_backend *backend, const tub_program *program, const tub_compile_params *params,
                          tub_executable **out, tub_error *err);
    tub_status (*run)(tub_executable *executable, const tub_batch *batch, tub_error *err);
    // Runs that overlap: begin() may return before the batch is computed, whose arrays stay as they are until its end();
    // end() waits for the one that was begun first, and tells its errors. At most TUB_RUNS_BEGUN, and no run() between.
    // NULL: each waits for the one before.
    tub_status (*begin)(tub_executable *executable, const tub_batch *batch, tub_error *err);
    tub_status (*end)(tub_executable *executable, tub_error *err);
    void (*release)(tub_executable **executable);   // accepts NULL
    void (*close)(tub_backend **backend);           // accepts NULL
    const char *(*isa)(void);                       // instruction set in use, for reports
    void (*library)(char *out, size_t bytes);       // "oneDNN 2.7.3", for reports; NULL: none of others
    bool stores_weights;                            // what is made of weights can be kept
    bool keeps_program;                             // program and constants must outlive the executable
    // Of backends with several devices of a kind; NULL: there is one, which isa() names.
    tub_status (*count)(int *out, tub_error *err);  // errors: TUB_ERROR_DEVICE, why there is none
    tub_status (*name_device)(int device, char *out, size_t bytes, tub_error *err);
    // How many devices of the kind the machine shows, whether or not this backend can use them; NULL: not known.
    int (*shown)(void);
    // Memory that many runs' frames will lie in, until unpin(): copies from it may be faster. NULL: it makes no difference.
    tub_status (*pin)(tub_backend *backend, void *memory, size_t bytes, tub_error *err);
    void (*unpin)(tub_backend *backend, void *memory);
    // Frames that are made on the device, as this executable's program takes them in, of so many bytes each. Memory for
    // them, until drop_frames() or close; its addresses are the device's, numbers to the host. NULL: there are none. Errors:
    // TUB_ERROR_MEMORY, TUB_ERROR_DEVICE.
    size_t (*frame_bytes)(const tub_executable *executable);
    tub_status (*hold_frames)(tub_executable *executable, size_t bytes, void **out, tub_error *err);
    void (*drop_frames)(tub_backend *backend);      // also where none are held
    // A decoded frame is made at `at` of that memory, a multiple of 64 bytes, and, unless NULL, copied to `host`; the planes
    // are free after. From any thread, also while the device runs. Either copy may be in a run's batch of this device, and
    // the host's in one of another that has the same program and type.
    tub_status (*make_frame)(tub_backend *backend, const tub_frame_recipe *recipe, const tub_frame_planes *planes,
                             void *at, void *host, tub_error *err);
    // The densest loop that the device has for a type, `turns` times, by one thread on registers alone: returns the
    // operations done. NULL: not known. Asked for types that supports() accepts.
    double (*roof)(tub_dtype dtype, long turns);
    // What a program would need of memory, before it is compiled. Bytes of a LINEAR's weight as it is kept, scales
    // included; NULL: the narrow type's. And how many items of a batch lie in the workspace at once; NULL: all.
    size_t (*weight_bytes)(const tub_program *program, const tub_op *op, tub_dtype dtype);
    int (*items_at_once)(const tub_program *program, int threads, int max_items);
} tub_backend_ops;

extern const tub_backend_ops tub_backend_reference;
extern const tub_backend_ops tub_backend_native;
#ifdef TUB_WITH_ONEDNN
extern const tub_backend_ops tub_backend_onednn;
#endif

extern const tub_backend_ops tub_backend_cuda;

// The backends of this build, best first; NULL past the last. What needs a device may be there without one.
const tub_backend_ops *tub_backend_at(size_t i);
// "3f09ac51b2d4": other where the backends' sources or their compiler are. Static.
const char *tub_backends_identity(void);

#endif
