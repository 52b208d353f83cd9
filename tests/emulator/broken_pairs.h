// A product by two blocks that share a factor, each of which brings half of it to both; and the same with a fault each.
#ifndef BROKEN_PAIRS_H
#define BROKEN_PAIRS_H

#include <stdint.h>

typedef enum broken_pair {
    PAIR_SOUND,
    // What is computed depends on the order, or something is said:
    PAIR_OWN_ARRIVALS, // at its own barrier alone: the other block's places are filled before they are free
    PAIR_OTHER_ARRIVALS,
    PAIR_NO_LAST_SYNC, // blocks end while others reach into them
    PAIR_SWAPPED,      // halves
    // Something is said in every order:
    PAIR_NO_FIRST_SYNC, // before they reach into each other
    PAIR_SOME_SYNC,     // one thread doesn't come in the end
    PAIR_NOT_MET,       // the block's own barrier alone
    PAIR_FEWER_BYTES,   // expected than both bring
    PAIR_NOT_SHARED,    // each brings its half to itself
    PAIR_THIRD,         // block
    PAIR_ALONE,         // blocks are launched, without the other
    PAIR_ODD,           // number of blocks
    PAIR_HALF,          // a warpgroup
    BROKEN_PAIRS
} broken_pair;

enum { PAIR_ROWS = 128, PAIR_COLS = 128 };

#ifdef __cplusplus
extern "C" {
#endif
// out[PAIR_ROWS, PAIR_COLS] = x[PAIR_ROWS, k] weight[PAIR_COLS, k]T of float16. Returns the launch's error.
int broken_pair_launch(broken_pair which, const void *x, const void *weight, int k, float *out);
#ifdef __cplusplus
}
#endif
#endif
