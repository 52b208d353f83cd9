// A GPU in host memory behind the device table: our kernels run through their host form, products and the library's
// attention are plain loops. It can be small, fail at a chosen call, and refuse what real cards refuse.
//
// Work on the copy stream is done only when somebody waits for an event behind it, so a missing wait shows. If `late`,
// copies are done at once and computing is not, so memory that is used again too early shows. While work is recorded,
// everything that CUDA forbids then is an error; so are two threads at once, and what fake_gpu_checks.h finds.
#ifndef FAKE_GPU_H
#define FAKE_GPU_H

#include <stdatomic.h>

#include "gpu.h"

// Set before devices are opened. All zero = defaults.
typedef struct fake_gpu_params {
    int devices;            // (0 = 1)
    int major, minor;       // compute capability (0 = 9.0)
    int code;               // capability that kernels were compiled for (0 = the same)
    size_t memory;          // bytes on each device (0 = 1 GiB) ...
    int small_device;       // ... but for this device ...
    size_t small;           // ... which has this many (0 = as the others)
    size_t lies_free;       // bytes that each reports as free (0 = those that are)
    bool no_graphs;         // recording isn't possible
    int spoiled;            // this many recordings come to nothing (0 = none)
    bool no_attention;      // the library serves no shape
    bool no_fp8;            // the library has no e4m3 products here ...
    bool no_row_scales;     // ... nor can have any in its version
    bool near_order;        // the algorithm with other bits differs only in its shorter first step
    bool slow_joined;       // a joined product takes longer than the product and its next step apart
    bool no_joined;         // ... can't be launched
    bool no_wide;           // ... or not by warpgroups
    bool deadly_joined;     // ... and it makes the device fail for good
    bool other_joined;      // ... gives other bits than the two apart
    int advice_rows;        // the library's advice for many rows can't run products of fewer rows than this (0 = any)
    int fail_device;        // this device ...
    int fail_call;          // ... fails for good at its n-th kernel, product, attention or replay, from 1 (0 = never)
    int fail_frame;         // likewise when it makes its n-th frame, from 1; the device goes on (0 = never)
    int short_call;         // each device: its n-th such call finds no memory ... (0 = never)
    int short_times;        // ... and this many from it on (0 = 1)
    bool late;              // work on COMPUTE is done only when an event behind it is settled, copies at once
    int fail_upload;        // each device: its n-th upload fails, while those before it are under way (0 = never)
    bool short_upload;      // ... because there is no memory for it
    int slow_device;        // this device ...
    int slow;               // ... sleeps this many microseconds at each settle
    int refuse_call;        // the failing call, from 1, among all devices' calls that can fail (0 = none) ...
    unsigned refuse_kinds;  // ... only calls of these kinds count, 1 << fake_gpu_call (0 = all)
    bool refuse_short;      // ... because there is no memory for it
    bool refuse_for_good;   // ... and its device is lost
} fake_gpu_params;

// The table's calls that can be made to fail.
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
    atomic_int compiled, read;          // attention plans that were compiled, and those made from a text
    atomic_int wide;                    // TUB_GPU_JOINED launches by warpgroups
    atomic_int frames, tiled;           // TUB_GPU_PIXELS: frames, and launches in tiles
    atomic_int captures, replays, graphs;       // graphs: those that exist
    atomic_int uploads, copies;         // copies: uploads on the copy stream
    atomic_int pending;                 // copies that aren't done yet
    atomic_int blocks, host_blocks, plans, pinned;  // that exist
    atomic_int allocated;               // blocks allocated so far
    _Atomic size_t bytes, most_bytes;   // in use, and their peak
    uint64_t last_algorithm;
} fake_gpu_counts;

extern fake_gpu_params fake_gpu;
extern fake_gpu_counts fake_gpu_counted[8];     // by device; zeroed by tests
extern atomic_int fake_gpu_calls;       // calls that could have been made to fail
extern const tub_gpu_ops fake_gpu_ops;

void fake_gpu_reset(void);  // params, counts, and what was lost

#endif
