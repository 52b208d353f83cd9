// A block of threads: which threads may go on, which wait where, and what is wrong.
#ifndef EMULATED_BLOCK_H
#define EMULATED_BLOCK_H

#include <functional>

#include "cuda_runtime_api.h"

enum { EMULATED_CLUSTER = 2 }; // blocks at most

// Runs `thread` as every thread of a block, or of the `count` blocks of a cluster, concurrently. False: it failed, and
// emulator_said() says why.
bool emulated_blocks_run(const uint3 *blocks, int count, dim3 block, const std::function<void()> &thread);

// For the running thread: its block's number in the cluster, and its own number in that block.
int emulated_rank();
int emulated_thread();
int emulated_block_threads();
int emulated_blocks(); // in the cluster

// A number below `count`, chosen by the current order.
unsigned emulated_any(unsigned count);
int emulated_order();

// ---- what the parts of the emulator tell each other about the running launch ----

// Records the first thing that went wrong, with kernel, block, thread and order.
void emulated_say(const char *format, ...) __attribute__((format(printf, 1, 2)));
bool emulated_failed();
// For each block of a cluster: whether a kernel may be launched with this much, and whether all is in order at the end.
bool emulated_shared_fits(const void *kernel, size_t bytes);
void emulated_shared_begin(int blocks);
bool emulated_shared_end(int blocks);
// A thread's copies, when it begins and when it ends.
void emulated_copies_begin(int thread);
void emulated_copies_end(int thread);
void emulated_conflicts_forget();

// ---- waiting for other threads or copies ----

// What a thread waits for; `tell` writes what follows "waits in .. at ..".
struct emulated_want {
    emulated_place at;
    const void *what;
    void (*tell)(const void *what, char *out, size_t bytes);
};

// Waits until something has happened that threads wait for, or nobody else can go on.
void emulated_wait(const emulated_want &want);
void emulated_happened();
// Waits until nobody else can go on: what needn't be done early is done late.
void emulated_put_off(const emulated_want &want);
uint64_t emulated_meetings(bool cluster);   // of the whole block, or of the cluster, so far
bool emulated_has_ended(int rank);          // all threads of a block have ended
long long emulated_clock(long long passed); // advances the clock by so much

// ---- a block's parts of warpgroups (emulated_warpgroup.h) ----

enum { EMULATED_WINDOW = 1 << 18 };
unsigned char *emulated_window(int rank); // of the shared memory that launches ask for, at a multiple of its size
bool emulated_is_copied(const void *at, size_t bytes); // still as the last box left it
void emulated_use_groups();                            // the kernel is for 9.0
void emulated_boxes_begin();
bool emulated_boxes_bring(); // completes one that is under way; false: there is none
void emulated_boxes_end();
void emulated_products_begin(int threads);
void emulated_products_end(int threads);

// Describes an address in words: in emulator_memory() or in shared memory (valid until the next call).
void emulated_describe(const void *at, char *out, size_t bytes);
const char *emulated_where(const void *at);

#endif
