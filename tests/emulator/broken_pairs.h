// A product by two blocks that share a factor: each loads half of it into both. Also the same with one fault each.
#ifndef BROKEN_PAIRS_H
#define BROKEN_PAIRS_H

#include <stdint.h>

typedef enum broken_pair {
    PAIR_SOUND,
    // The result depends on the order, or an error is reported:
    PAIR_OWN_ARRIVALS, // arrives at its own barrier only: the other block's places are filled before they are free
    PAIR_OTHER_ARRIVALS,
    PAIR_NO_LAST_SYNC, // blocks end while others still reach into them
    PAIR_SWAPPED,      // the halves are swapped
    // An error is reported in every order:
    PAIR_NO_FIRST_SYNC, // no meeting before they reach into each other
    PAIR_SOME_SYNC,     // one thread doesn't come to the last meeting
    PAIR_NOT_MET,       // only the block's own barrier
    PAIR_FEWER_BYTES,   // fewer bytes are expected than both load
    PAIR_NOT_SHARED,    // each loads its half into itself only
    PAIR_THIRD,         // names a third block
    PAIR_ALONE,         // each block is launched without the other
    PAIR_ODD,           // an odd number of blocks
    PAIR_HALF,          // half a warpgroup
    BROKEN_PAIRS
} broken_pair;

enum { PAIR_ROWS = 128, PAIR_COLS = 128 };

#ifdef __cplusplus
extern "C" {
#endif
// out[PAIR_ROWS, PAIR_COLS] = x[PAIR_ROWS, k] weight[PAIR_COLS, k]T in float16. Returns the launch's error.
int broken_pair_launch(broken_pair which, const void *x, const void *weight, int k, float *out);
#ifdef __cplusplus
}
#endif
#endif
