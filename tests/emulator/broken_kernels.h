// Kernels with one fault each, which the emulator must find; and sound ones beside them.
#ifndef BROKEN_KERNELS_H
#define BROKEN_KERNELS_H

typedef enum broken_kernel {
    BROKEN_NOT,             // neighbors exchange values through shared memory: out[i] = (i + 1) % THREADS
    BROKEN_NOT_WARPS,       // the same within a warp, by shuffles
    BROKEN_NOT_COPIES,      // out[i] = in[i], by asynchronous copies
    BROKEN_NO_BARRIER,      // as the first, without a barrier
    BROKEN_NO_WARP_BARRIER, // as the first, with a barrier of the warp only
    BROKEN_NO_WAIT,         // copies aren't waited for
    BROKEN_WAIT_TOO_SHORT,  // or not for the last one
    BROKEN_EARLY_COPY,      // copies to a place that is still being read
    BROKEN_LEAVES,          // a thread ends before a barrier
    BROKEN_BRANCHES,        // threads wait at different barriers
    BROKEN_LANE,            // a lane doesn't come to a shuffle
    BROKEN_MASK,            // a lane isn't in its own mask
    BROKEN_PAST_SHARED,
    BROKEN_BEFORE_SHARED,
    BROKEN_PAST_ARRAY,
    BROKEN_PAST_TENSOR,
    BROKEN_UNALIGNED, // an unaligned vector
    BROKEN_UNALIGNED_COPY,
    BROKEN_UNALIGNED_ROW,  // likewise a row for ldmatrix
    BROKEN_UNALIGNED_TILE, // likewise a tile for wmma
    BROKEN_COPY_TO_TENSOR,
    BROKEN_TRAP,
    BROKEN_ENDLESS_STACK,
    BROKEN_THREADS, // 1025 threads
    BROKEN_DEPTH,   // 65536 blocks deep
    BROKEN_SHARED,  // more than 48 KiB of shared memory, without asking for it
    BROKEN_KERNELS
} broken_kernel;

enum { BROKEN_THREAD_COUNT = 64 };

#ifdef __cplusplus
extern "C" {
#endif
// `in`, `out`: [BROKEN_THREAD_COUNT]. Returns the launch's error.
int broken_launch(broken_kernel which, const float *in, float *out);
// out[16, 8] += a[16, 16] b[8, 16]T, in float16, on tensor cores.
int broken_multiply(const void *a, const void *b, float *out);
int broken_ask_for_shared(int bytes); // asks for that much, then launches with it
#ifdef __cplusplus
}
#endif
#endif
