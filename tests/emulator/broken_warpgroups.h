// A product by a warpgroup, as a producer's warp brings its factors; and the same with a fault each.
#ifndef BROKEN_WARPGROUPS_H
#define BROKEN_WARPGROUPS_H

#include <stdbool.h>
#include <stdint.h>

typedef enum broken_group {
    GROUP_SOUND,
    // What is computed depends on the order, or something is said:
    GROUP_NO_WAIT,       // for boxes
    GROUP_OTHER_PARITY,  // is waited for by consumers
    GROUP_NO_PLACE,      // nobody waits for places to be free
    GROUP_EARLY_RELEASE, // of a place whose product is still pending
    GROUP_SUMS_PENDING,  // are used
    GROUP_ONE_PENDING,   // and the sums are used
    GROUP_SWAPPED,       // rows and columns of a box
    GROUP_OTHER_STRIDE,  // from eight rows to the next
    GROUP_STRAIGHT,      // 16 columns on aren't 32 bytes on
    GROUP_SOME_MISSING,  // a barrier of the consumers, before they read each other's values
    // Something is said in every order:
    GROUP_NO_BARRIER,
    GROUP_NOT_READY,
    GROUP_NOT_MET,
    GROUP_TWICE, // a barrier is made
    GROUP_BARRIER_WRITTEN,
    GROUP_ARRIVALS,    // one more than there are
    GROUP_FEWER_BYTES, // expected than come
    GROUP_MORE_BYTES,
    GROUP_UNDER_WAY, // is a box at the end
    GROUP_UNALIGNED_BOX,
    GROUP_PAST_SHARED,
    GROUP_ON_BARRIER, // lies a box
    GROUP_PAST_MATRIX,
    GROUP_NO_MAP,
    GROUP_LAYOUT, // without swizzle
    GROUP_PATTERN,
    GROUP_PAST_ROW,
    GROUP_PAST_FACTOR,
    GROUP_WRITTEN, // is a factor by a thread
    GROUP_NO_BEGIN,
    GROUP_LATE_SUMS,    // are written after the begin
    GROUP_WRITTEN_SUMS, // between two products, without a begin
    GROUP_TOUCHED_SUMS, // while they are pending
    GROUP_LESS_WARPS,   // come to a product
    GROUP_FEWER_WARPS,  // come at all
    GROUP_MATRICES,     // are others in one of the warps
    GROUP_LANE,         // doesn't come
    GROUP_NO_COMMIT,    // so that nobody waits
    GROUP_SOME_THREADS, // don't come to a barrier
    GROUP_SOME_COUNTS,  // of two warps for it are different
    GROUP_HANGS,
    GROUP_GIVES_UP,       // by the clock
    GROUP_HALF,           // a warpgroup
    GROUP_SHARED,         // more memory than 9.0 has
    GROUP_REGISTERS,      // more than there are
    GROUP_SOME_REGISTERS, // one warp's alone
    GROUP_NO_SUCH_SYNC,   // a barrier of some threads
    BROKEN_GROUPS
} broken_group;

enum { GROUP_ROWS = 64, GROUP_COLS = 128 };

#ifdef __cplusplus
extern "C" {
#endif
// out[GROUP_ROWS, GROUP_COLS] = x[rows, k] weight[cols, k]T, and zeros; of float16 or bfloat16. Returns the launch's
// error.
int broken_group_launch(broken_group which, bool is_half, const void *x, int rows, const void *weight, int cols, int k,
                        float *out);
// What a box of [rows, 64] looks like in shared memory, from byte `at` of it on: out[rows * 64].
int broken_group_box(const void *matrix, int matrix_rows, int matrix_cols, int row, int col, int rows, int at,
                     uint16_t *out);
int broken_group_map(const void *matrix, bool is_narrow, int rows, int cols,
                     int box_rows); // tub_cuda_box_map()'s error
#ifdef __cplusplus
}
#endif
#endif
