// Which threads touch the same memory without a barrier between: what a device may do in any order. Barriers are those
// of the block, and __syncwarp() within a warp; shuffles and tensor cores bring lanes together, but put nothing in
// order.
//
// Kernels' accesses are told by the compiler, which calls for each what -fsanitize=thread wants to be called (and whose
// own library isn't there). Of warpgroups' kernels, which have barriers of their own kinds, nothing is looked at.
#ifndef EMULATED_RACES_H
#define EMULATED_RACES_H

#include <stddef.h>

// Memory that is watched. `shared`: what another block did there is gone.
void emulated_watch_area(const void *begin, size_t bytes, bool shared);
void emulated_unwatch_area(const void *begin);

void emulated_watch_launch();
void emulated_watch_block(unsigned number); // of the launch
void emulated_watch_nothing();              // of this block from here on
void emulated_order_block();                // all have met at a barrier
void emulated_order_warp(int first_thread);
void emulated_access(const void *at, size_t bytes, bool writes); // by the thread that runs
// A copy of its is under way to there, or has been waited for.
void emulated_access_copy(const void *at, size_t bytes, bool under_way);

#endif
