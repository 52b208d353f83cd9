// A block of threads: who may go on, who waits where, and what is wrong.
#ifndef EMULATED_BLOCK_H
#define EMULATED_BLOCK_H

#include <functional>

#include "cuda_runtime_api.h"

enum { EMULATED_CLUSTER = 2 }; // blocks at most

// Runs `thread` as every thread of a block, or of the `count` that are a cluster, beside each other. False: it failed,
// and emulator_said() says why.
bool emulated_blocks_run(const uint3 *blocks, int count, dim3 block, const std::function<void()> &thread);

// Of the thread that runs: its block's number in the cluster, and its own in that block.
int emulated_rank();
int emulated_thread();
int emulated_block_threads();
int emulated_blocks(); // of the cluster

// Of the order that holds: a number below `count`.
unsigned emulated_any(unsigned count);
int emulated_order();

// ---- what the parts of the emulator tell each other about the launch that runs ----

// Notes the first thing that went wrong, with kernel, block, thread and order.
void emulated_say(const char *format, ...) __attribute__((format(printf, 1, 2)));
bool emulated_failed();
// Of each block of a cluster: whether a kernel may be launched with so much of it, and what is in order at the end.
bool emulated_shared_fits(const void *kernel, size_t bytes);
void emulated_shared_begin(int blocks);
bool emulated_shared_end(int blocks);
// A thread begins and ends: its copies.
void emulated_copies_begin(int thread);
void emulated_copies_end(int thread);
void emulated_conflicts_forget();

// ---- waiting for what others or copies do ----

// What a thread waits for; `tell` goes on after "waits in .. at ..".
struct emulated_want {
    emulated_place at;
    const void *what;
    void (*tell)(const void *what, char *out, size_t bytes);
};

// Until something has happened that threads wait for, or nobody else can go on.
void emulated_wait(const emulated_want &want);
void emulated_happened();
// Until nobody else can go on: what isn't done before it must be is done late.
void emulated_put_off(const emulated_want &want);
uint64_t emulated_meetings(bool cluster);   // of the whole block, or of the cluster, so far
bool emulated_has_ended(int rank);          // all threads of a block
long long emulated_clock(long long passed); // after so many clocks more

// ---- warpgroups' parts (emulated_warpgroup.h) of a block ----

enum { EMULATED_WINDOW = 1 << 18 };
unsigned char *emulated_window(int rank); // of shared memory that launches ask for, at a multiple of its size
bool emulated_is_copied(const void *at, size_t bytes); // as the last box left it
void emulated_use_groups();                            // the kernel is one for 9.0
void emulated_boxes_begin();
bool emulated_boxes_bring(); // one of those under way; false: none is
void emulated_boxes_end();
void emulated_products_begin(int threads);
void emulated_products_end(int threads);

// What lies at an address, in words: of emulator_memory(), of shared memory as well (until the next call).
void emulated_describe(const void *at, char *out, size_t bytes);
const char *emulated_where(const void *at);

#endif
