// A GPU in host memory behind the device table: our kernels run through their host form, products and the library's
// attention are plain loops. It can be small, fail at a chosen call, and refuse what real cards refuse.
//
// What goes to the copy stream is done only when an event behind it is waited for, so a wait that is missing shows; or, `late`,
// copies are done at once and computing is not, so memory that is used again too early shows.
// While work is recorded, everything that CUDA forbids then is an error; so are two threads at once, and what
// fake_gpu_checks.h finds.
#ifndef FAKE_GPU_H
#define FAKE_GPU_H

#include <stdatomic.h>

#include "gpu.h"

// Set before devices are opened. All zero = defaults.
typedef struct fake_gpu_params {
    int devices;            // (0 = 1)
    int major, minor;       // compute capability (0 = 9.0)
    int code;               // what kernels were compiled for (0 = that)
    size_t memory;          // bytes of each (0 = 1 GiB) ...
    int small_device;       // ... but for this device ...
    size_t small;           // ... which has these (0 = as the others)
    size_t lies_free;       // bytes that each says are free (0 = those that are)
    bool no_graphs;         // recording isn't possible
    int spoiled;            // so many recordings come to nothing (0 = none)
    bool no_attention;      // the library serves no shape
    bool no_fp8;            // the library has no products of e4m3 here ...
    bool no_row_scales;     // ... nor can have any, by its version
    bool near_order;        // the algorithm of other bits differs in the shortness of its first step alone
    bool slow_joined;       // a product with the step behind it takes longer than both
    bool no_joined;         // ... can't be launched
    bool no_wide;           // ... or not by warpgroups
    bool deadly_joined;     // ... and the device is lost by it
    bool other_joined;      // ... gives other bits than both
    int advice_rows;        // the library's advice for many rows serves no product of fewer than these (0 = any)
    int fail_device;        // this device ...
    int fail_call;          // ... fails for good at its n-th kernel, product, attention or replay, from 1 (0 = never)
    int fail_frame;         // likewise, when it makes its n-th frame, from 1; the device goes on (0 = never)
    int short_call;         // each device: its n-th such call finds no memory ... (0 = never)
    int short_times;        // ... and so many from it on (0 = 1)
    bool late;              // what goes to COMPUTE is done only when an event behind it is settled, copies at once
    int fail_upload;        // each device: its n-th upload fails, while those before it are under way (0 = never)
    bool short_upload;      // ... as there is no memory for it
    int slow_device;        // this device ...
    int slow;               // ... sleeps so many microseconds at each settle
    int refuse_call;        // of all devices' calls that can fail this one does, from 1 (0 = none) ...
    unsigned refuse_kinds;  // ... counted are those of these kinds, 1 << fake_gpu_call (0 = all)
    bool refuse_short;      // ... as there is no memory for it
    bool refuse_for_good;   // ... and its device is lost
} fake_gpu_params;

// The table's calls that can be told to fail.
typedef enum fake_gpu_call {
    FAKE_GPU_DESCRIBE,
    FAKE_GPU_OPEN,
    FAKE_GPU_MEMORY_FREE,
    FAKE_GPU_ALLOCATE,
    FAKE_GPU_ALLOCATE_HOST,
    FAKE_GPU_PIN,
    FAKE_GPU_UPLOAD,
    FAKE_GPU_DOWNLOAD,
    FAKE_GPU_LAUNCH,
    FAKE_GPU_RECORD,
    FAKE_GPU_WAIT,
    FAKE_GPU_SETTLE,
    FAKE_GPU_ELAPSED,
    FAKE_GPU_ALGORITHMS,
    FAKE_GPU_SERVES,
    FAKE_GPU_MULTIPLY,
    FAKE_GPU_PLAN_ATTENTION,
    FAKE_GPU_ATTEND,
    FAKE_GPU_CAPTURE,
    FAKE_GPU_CAPTURED,
    FAKE_GPU_REPLAY,
    FAKE_GPU_CALLS
} fake_gpu_call;

typedef struct fake_gpu_counts {
    atomic_int launches, multiplies, attends;   // run or recorded
    atomic_int kinds[TUB_GPU_TASK_KINDS];       // launches by kind
    atomic_int compiled, read;          // plans of attention that were compiled, and made by a text
    atomic_int wide;                    // of TUB_GPU_JOINED, by warpgroups
    atomic_int frames, tiled;           // of TUB_GPU_PIXELS: frames, and launches in tiles
    atomic_int captures, replays, graphs;       // graphs: alive
    atomic_int uploads, copies;         // copies: uploads on the copy stream
    atomic_int pending;                 // of these, those that aren't done yet
    atomic_int blocks, host_blocks, plans, pinned;  // alive
    atomic_int allocated;               // blocks, by now
    _Atomic size_t bytes, most_bytes;   // alive, and the most that were
    uint64_t last_algorithm;
} fake_gpu_counts;

extern fake_gpu_params fake_gpu;
extern fake_gpu_counts fake_gpu_counted[8];     // by device; zeroed by tests
extern atomic_int fake_gpu_calls;       // that could have been told to fail
extern const tub_gpu_ops fake_gpu_ops;

void fake_gpu_reset(void);  // params, counts, and what was lost

#endif
