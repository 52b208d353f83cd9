// Finds threads that touch the same memory without a barrier between them, which a device may do in any order. The
// barriers are those of the block, and __syncwarp() within a warp. Shuffles and tensor cores bring lanes together, but
// put nothing in order.
//
// The compiler reports the kernels' accesses: with -fsanitize=thread it calls a function for each (whose own library
// isn't linked). Kernels of warpgroups have other kinds of barriers, and aren't watched.
#ifndef EMULATED_RACES_H
#define EMULATED_RACES_H

#include <stddef.h>

// Memory to watch. `shared`: accesses by earlier blocks are forgotten.
void emulated_watch_area(const void *begin, size_t bytes, bool shared);
void emulated_unwatch_area(const void *begin);

void emulated_watch_launch();
void emulated_watch_block(unsigned number); // the block's number in the launch
void emulated_watch_nothing();              // for the rest of this block
void emulated_order_block();                // all have met at a barrier
void emulated_order_warp(int first_thread);
void emulated_access(const void *at, size_t bytes, bool writes); // by the running thread
// A copy by the running thread to that place is under way, or has been waited for.
void emulated_access_copy(const void *at, size_t bytes, bool under_way);

#endif
