// The plug-in's kernels on the host, unchanged: the .cu files compiled by the C++ compiler, for tests only.
//
// A thread of a block is a fibre with its own stack; blocks run one after the other. A thread runs until it meets
// others: at a barrier, in a shuffle, in a product on tensor cores (of warpgroups: emulated_warpgroup.h). The order
// chooses who goes on then. So work that no barrier puts in order is done in different sequences in turn, and
// asynchronous copies are done early or late.
//
// What is found, and reported with kernel, block and thread:
//   - threads that never come where others wait, or meet at different places
//   - addresses outside shared memory and emulator_memory(), which end at pages that nobody may touch
//   - what C++ leaves undefined: unaligned vectors, indices outside arrays, numbers that don't fit into an integer
//   - launches that a card refuses: too many threads or blocks, more shared memory than was asked for, or than 7.5 has
//     (9.0, where warpgroups multiply)
//   - tiles, rows and copies that aren't aligned as tensor cores and copies need them
//   - threads that touch the same memory, one of them writing, without a barrier that puts this in order, and memory
//     that a copy is under way to (emulated_races.h; not for warpgroups' kernels)
// Shared memory is NaN at the beginning of a block, and locals aren't zero. Missing barriers also show as results that
// differ from order to order.
//
// Not emulated: time, caches, banks, registers; how a tensor core rounds the last bits of a product (a step's 16
// products are summed as in gpu_host.h); thread counts that __launch_bounds__ forbids.
//
// Only one thread at a time may use any of it.
#ifndef EMULATOR_H
#define EMULATOR_H

#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

// Which of the threads that can go on is next: the first, the last, or any.
enum { EMULATOR_FORWARD, EMULATOR_BACKWARD, EMULATOR_ANY, EMULATOR_ANY_OTHER, EMULATOR_ORDERS };

// The order of all launches from here on. Forgets what was reported.
void emulator_order(int order);
const char *emulator_order_name(int order);
// Whether it is an error if threads touch the same memory, one of them writing, without a barrier between. It is at the
// start, if kernels were compiled for it.
void emulator_watch(bool races);
// From here on, launches run only blocks with a smaller blockIdx.z, if many are alike. 0: all.
void emulator_depth(unsigned depth);
// The first thing that went wrong; the launch then returned an error. "": nothing.
const char *emulator_said(void);

// How many kernels have run so far; each instance of a template counts.
int emulator_kernels(void);
// Rows for ldmatrix, since emulator_order(), that are in the banks of another row of their matrix. They only cost time.
int emulator_bank_conflicts(void);

// Stands in for a device's memory: `bytes` that end where nobody may read, at a multiple of 16, filled with NaN.
void *emulator_memory(size_t bytes);
void emulator_forget(void);         // frees all of it
size_t emulator_memory_bytes(void); // size of all of it
void emulator_save(void *to);       // its contents, emulator_memory_bytes()
void emulator_restore(const void *from);
// Whether it is the same as when it was saved. If not, `where` says what differs first.
bool emulator_is(const void *saved, char *where, size_t bytes);

#ifdef __cplusplus
}
#endif
#endif
