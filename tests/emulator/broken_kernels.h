// Kernels with a fault each, for which the emulator is there; and sound ones beside them.
#ifndef BROKEN_KERNELS_H
#define BROKEN_KERNELS_H

typedef enum broken_kernel {
    BROKEN_NOT,             // neighbours exchange values through shared memory: out[i] = (i + 1) % THREADS
    BROKEN_NOT_WARPS,       // the same within a warp, by shuffles
    BROKEN_NOT_COPIES,      // out[i] = in[i], by copies beside computing
    BROKEN_NO_BARRIER,      // as the first, without one
    BROKEN_NO_WARP_BARRIER, // as the first, with one of the warp alone
    BROKEN_NO_WAIT,         // copies aren't waited for
    BROKEN_WAIT_TOO_SHORT,  // or not for the last
    BROKEN_EARLY_COPY,      // copies to a place that is still read
    BROKEN_LEAVES,          // a thread ends before a barrier
    BROKEN_BRANCHES,        // threads wait at different barriers
    BROKEN_LANE,            // a lane isn't there for a shuffle
    BROKEN_MASK,            // a lane that isn't in its mask
    BROKEN_PAST_SHARED,
    BROKEN_BEFORE_SHARED,
    BROKEN_PAST_ARRAY,
    BROKEN_PAST_TENSOR,
    BROKEN_UNALIGNED, // a vector
    BROKEN_UNALIGNED_COPY,
    BROKEN_UNALIGNED_ROW,  // of ldmatrix
    BROKEN_UNALIGNED_TILE, // of wmma
    BROKEN_COPY_TO_TENSOR,
    BROKEN_TRAP,
    BROKEN_ENDLESS_STACK,
    BROKEN_THREADS, // 1025 of them
    BROKEN_DEPTH,   // 65536 blocks deep
    BROKEN_SHARED,  // more than 48 KiB of shared memory, without asking
    BROKEN_KERNELS
} broken_kernel;

enum { BROKEN_THREAD_COUNT = 64 };

#ifdef __cplusplus
extern "C" {
#endif
// `in`, `out`: [BROKEN_THREAD_COUNT]. Returns the launch's error.
int broken_launch(broken_kernel which, const float *in, float *out);
// out[16, 8] += a[16, 16] b[8, 16]T, of float16, by tensor cores.
int broken_multiply(const void *a, const void *b, float *out);
int broken_ask_for_shared(int bytes); // then launches with it
#ifdef __cplusplus
}
#endif
#endif
