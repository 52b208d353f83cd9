// A product by a warpgroup whose factors a producer warp loads. Also the same with one fault each.
#ifndef BROKEN_WARPGROUPS_H
#define BROKEN_WARPGROUPS_H

#include <stdbool.h>
#include <stdint.h>

typedef enum broken_group {
    GROUP_SOUND,
    // The result depends on the order, or an error is reported:
    GROUP_NO_WAIT,       // nobody waits for boxes
    GROUP_OTHER_PARITY,  // consumers wait for the other parity
    GROUP_NO_PLACE,      // nobody waits for places to be free
    GROUP_EARLY_RELEASE, // a place is released while its product is still pending
    GROUP_SUMS_PENDING,  // sums are used while they are pending
    GROUP_ONE_PENDING,   // waits while one may be pending, and uses the sums
    GROUP_SWAPPED,       // rows and columns of a box are swapped
    GROUP_OTHER_STRIDE,  // a wrong stride from eight rows to the next
    GROUP_STRAIGHT,      // ignores swizzling: 16 columns on aren't 32 bytes on
    GROUP_SOME_MISSING,  // the consumers' barrier is missing before they read each other's values
    // An error is reported in every order:
    GROUP_NO_BARRIER,
    GROUP_NOT_READY,
    GROUP_NOT_MET,
    GROUP_TWICE, // a barrier is made twice
    GROUP_BARRIER_WRITTEN,
    GROUP_ARRIVALS,    // one arrival more than there are
    GROUP_FEWER_BYTES, // fewer bytes are expected than come
    GROUP_MORE_BYTES,
    GROUP_UNDER_WAY, // a box is still under way at the end
    GROUP_UNALIGNED_BOX,
    GROUP_PAST_SHARED,
    GROUP_ON_BARRIER, // a box lies on a barrier
    GROUP_PAST_MATRIX,
    GROUP_NO_MAP,
    GROUP_LAYOUT, // a layout without swizzle
    GROUP_PATTERN,
    GROUP_PAST_ROW,
    GROUP_PAST_FACTOR,
    GROUP_WRITTEN, // a factor is written by a thread
    GROUP_NO_BEGIN,
    GROUP_LATE_SUMS,    // sums are written after the begin
    GROUP_WRITTEN_SUMS, // sums are written between two products, without a begin
    GROUP_TOUCHED_SUMS, // sums are touched while they are pending
    GROUP_LESS_WARPS,   // fewer warps come to one product
    GROUP_FEWER_WARPS,  // fewer warps come at all
    GROUP_MATRICES,     // one of the warps has other matrices
    GROUP_LANE,         // a lane doesn't come
    GROUP_NO_COMMIT,    // products aren't committed, so nobody waits for them
    GROUP_SOME_THREADS, // some threads don't come to a barrier
    GROUP_SOME_COUNTS,  // two warps give different counts for a barrier
    GROUP_HANGS,
    GROUP_GIVES_UP,       // after a time on the clock
    GROUP_HALF,           // half a warpgroup
    GROUP_SHARED,         // more memory than 9.0 has
    GROUP_REGISTERS,      // more registers than there are
    GROUP_SOME_REGISTERS, // only one warp changes its registers
    GROUP_NO_SUCH_SYNC,   // a barrier of some threads that doesn't exist
    BROKEN_GROUPS
} broken_group;

enum { GROUP_ROWS = 64, GROUP_COLS = 128 };

#ifdef __cplusplus
extern "C" {
#endif
// out[GROUP_ROWS, GROUP_COLS] = x[rows, k] weight[cols, k]T, the rest zeros; in float16 or bfloat16. Returns the
// launch's error.
int broken_group_launch(broken_group which, bool is_half, const void *x, int rows, const void *weight, int cols, int k,
                        float *out);
// A box of [rows, 64] as it lies in shared memory, from byte `at` on: out[rows * 64].
int broken_group_box(const void *matrix, int matrix_rows, int matrix_cols, int row, int col, int rows, int at,
                     uint16_t *out);
int broken_group_map(const void *matrix, bool is_narrow, int rows, int cols,
                     int box_rows); // returns tub_cuda_box_map()'s error
#ifdef __cplusplus
}
#endif
#endif
