// The plug-in's kernels on the host, as they are: the .cu files compiled by the C++ compiler, for tests alone.
//
// A thread of a block is a fibre with a stack of its own; blocks run one after the other. A thread runs until it meets
// others: at a barrier, in a shuffle, in a product of tensor cores (of warpgroups: emulated_warpgroup.h). Who goes on
// then is the order's choice, so that what isn't ordered by a barrier is done in different orders in turn, and copies
// beside computing early or late.
//
// What is found, and said with kernel, block and thread:
//   - threads that never come where others wait, or meet at different places
//   - addresses outside of shared memory and of emulator_memory(), which end at pages that nobody may touch
//   - what C++ leaves undefined: unaligned vectors, indices outside of arrays, numbers that an integer has no room for
//   - launches that a card refuses: too many threads or blocks, more shared memory than was asked for, or than 7.5 has
//     (9.0, where warpgroups multiply)
//   - tiles, rows and copies that aren't aligned as tensor cores and copies want them
//   - threads that touch the same memory, one of them writing, where no barrier puts that in order, and memory that a
//     copy is under way to (emulated_races.h; not of warpgroups' kernels)
// Shared memory is NaN in the beginning of a block, and locals aren't zero. Missing barriers also show as results that
// differ from order to order.
//
// Not emulated: time, caches, banks, registers; what a product of a tensor core does to its last bits (a step's 16
// products are summed as in gpu_host.h); numbers of threads that __launch_bounds__ forbids.
//
// One thread at a time uses all of it.
#ifndef EMULATOR_H
#define EMULATOR_H

#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

// In each the first of those that can go on, or the last, or any.
enum { EMULATOR_FORWARD, EMULATOR_BACKWARD, EMULATOR_ANY, EMULATOR_ANY_OTHER, EMULATOR_ORDERS };

// Of all launches from here on. Forgets what was said.
void emulator_order(int order);
const char *emulator_order_name(int order);
// Whether it is an error that threads touch the same memory, one of them writing, without a barrier between: so it is
// in the beginning, where kernels were compiled for it.
void emulator_watch(bool races);
// Of launches from here on only blocks whose blockIdx.z is less are run: of many that are alike. 0: all.
void emulator_depth(unsigned depth);
// What went wrong first: the launch has answered an error then. "": nothing.
const char *emulator_said(void);

// How many kernels were run by now, each instance of a template for itself.
int emulator_kernels(void);
// Rows for ldmatrix, since emulator_order(), in the banks of another row of their matrix: they cost time and nothing
// else.
int emulator_bank_conflicts(void);

// What stands for a device's memory: `bytes` that end where nobody may read, at a multiple of 16, filled with NaN.
void *emulator_memory(size_t bytes);
void emulator_forget(void);         // all of it
size_t emulator_memory_bytes(void); // of all of it
void emulator_save(void *to);       // its contents, emulator_memory_bytes()
void emulator_restore(const void *from);
// Whether it is as when it was saved. If not, `where` says what differs first.
bool emulator_is(const void *saved, char *where, size_t bytes);

#ifdef __cplusplus
}
#endif
#endif
