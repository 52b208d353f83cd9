// A block of threads: who may go on, who waits where, and what is wrong.
#ifndef EMULATED_BLOCK_H
#define EMULATED_BLOCK_H

#include <functional>

#include "cuda_runtime_api.h"

// Runs `thread` as every thread of the block. False: it failed, and emulator_said() says why.
bool emulated_block_run(dim3 block, const std::function<void()> &thread);

// Of the order that holds: a number below `count`.
unsigned emulated_any(unsigned count);
int emulated_order();

// ---- what the parts of the emulator tell each other about the launch that runs ----

// Notes the first thing that went wrong, with kernel, block, thread and order.
void emulated_say(const char *format, ...) __attribute__((format(printf, 1, 2)));
bool emulated_failed();
// A thread begins and ends: its copies.
void emulated_copies_begin(int thread);
void emulated_copies_end(int thread);
// What lies at an address, in words.
void emulated_describe(const void *at, char *out, size_t bytes);

#endif
