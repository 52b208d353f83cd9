// Products of a warpgroup (128 threads from a multiple of 128 on) on cards of 9.0, in PTX's terms (wgmma, mbarrier,
// cp.async.bulk.tensor). Factors are in shared memory, to which one thread has whole boxes of a matrix copied.
//
// A box has rows of 64 narrow values, 128 bytes. In row r, the eight chunks of 16 bytes are swapped: chunk c is at c ^
// (r % 8) (128B swizzle). Boxes begin at multiples of 1024 bytes.
//
// Only in files that are compiled for 9.0a.
#ifndef TUB_GPU_WARPGROUP_H
#define TUB_GPU_WARPGROUP_H

#ifdef TUB_GPU_EMULATED
#include <emulated_warpgroup.h>
#else

#include <cuda.h>
#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <stdint.h>

__device__ __forceinline__ unsigned tub_gpu_warpgroup_address(const void *shared)
{
    return (unsigned)__cvta_generic_to_shared(shared);
}

// ---- barriers in shared memory: a phase is over when `arrivals` have arrived and all expected bytes have come ----

// Called by one thread for all barriers; then comes _ready(), and a barrier of the block.
__device__ __forceinline__ void tub_gpu_barrier_init(uint64_t *barrier, unsigned arrivals)
{
    asm volatile("mbarrier.init.shared::cta.b64 [%0], %1;" ::"r"(tub_gpu_warpgroup_address(barrier)), "r"(arrivals)
                 : "memory");
}

__device__ __forceinline__ void tub_gpu_barriers_ready()
{
    asm volatile("fence.mbarrier_init.release.cluster; fence.proxy.async.shared::cta;" ::: "memory");
}

__device__ __forceinline__ void tub_gpu_barrier_arrive(uint64_t *barrier)
{
    asm volatile("mbarrier.arrive.release.cta.shared::cta.b64 _, [%0];" ::"r"(tub_gpu_warpgroup_address(barrier))
                 : "memory");
}

// Arrives at the barrier in the same place of block `rank`, 0 or 1, of the pair: its own block or the other.
__device__ __forceinline__ void tub_gpu_barrier_arrive_at(uint64_t *barrier, unsigned rank)
{
    asm volatile("{ .reg .b32 there; mapa.shared::cluster.u32 there, %0, %1; "
                 "mbarrier.arrive.shared::cluster.b64 _, [there]; }" ::"r"(tub_gpu_warpgroup_address(barrier)),
                 "r"(rank)
                 : "memory");
}

// Arrives; the phase isn't over before this many more bytes have come.
__device__ __forceinline__ void tub_gpu_barrier_expect(uint64_t *barrier, unsigned bytes)
{
    asm volatile("mbarrier.arrive.expect_tx.release.cta.shared::cta.b64 _, [%0], %1;" ::"r"(
                     tub_gpu_warpgroup_address(barrier)),
                 "r"(bytes)
                 : "memory");
}

// Whether the phase with this parity is over (the first phase has 0); may wait for it for a while.
__device__ __forceinline__ bool tub_gpu_barrier_try(uint64_t *barrier, unsigned parity)
{
    unsigned over;
    asm volatile("{ .reg .pred p; mbarrier.try_wait.parity.acquire.cta.shared::cta.b64 p, [%1], %2; selp.u32 %0, 1, 0, p; }"
                 : "=r"(over)
                 : "r"(tub_gpu_warpgroup_address(barrier)), "r"(parity)
                 : "memory");
    return over;
}

__device__ __forceinline__ long long tub_gpu_clock()
{
    return clock64();
}

// Barrier number `id` (1 to 15) for THREADS threads, whole warps of the block.
template <int THREADS> __device__ __forceinline__ void tub_gpu_some_sync(int id)
{
    asm volatile("bar.sync %0, %1;" ::"r"(id), "n"(THREADS) : "memory");
}

// Waits for all threads of both blocks of a pair (tub_gpu_start_pairs()): before either block accesses the other's
// memory, and before one ends whose memory the other may still access.
__device__ __forceinline__ void tub_gpu_pair_sync()
{
    __syncwarp();
    asm volatile("barrier.cluster.arrive.release.aligned; barrier.cluster.wait.acquire.aligned;" ::: "memory");
}

// ---- registers: a kernel keeps the total that it was launched with; whole warpgroups give some back, and others take
// them. COUNT per thread, a multiple of 8; a warpgroup that takes registers waits until they are free. ----

template <int COUNT> __device__ __forceinline__ void tub_gpu_fewer_registers()
{
    asm volatile("setmaxnreg.dec.sync.aligned.u32 %0;" ::"n"(COUNT));
}

template <int COUNT> __device__ __forceinline__ void tub_gpu_more_registers()
{
    asm volatile("setmaxnreg.inc.sync.aligned.u32 %0;" ::"n"(COUNT));
}

// ---- copies ----

// Prefetches a map that will be needed soon.
__device__ __forceinline__ void tub_gpu_fetch_map(const CUtensorMap *map)
{
    asm volatile("prefetch.tensormap [%0];" ::"l"(map) : "memory");
}

// Copies the box of a matrix that begins at [row, col]. The map says how large it is; outside of the matrix there are
// zeros. All bytes of the box count for the barrier. Called by one thread. `map` is a __grid_constant__ parameter of
// the kernel.
__device__ __forceinline__ void tub_gpu_load_box(void *shared, const CUtensorMap *map, int row, int col, uint64_t *barrier)
{
    asm volatile("cp.async.bulk.tensor.2d.shared::cluster.global.tile.mbarrier::complete_tx::bytes [%0], [%1, {%2, %3}], [%4];"
                 ::"r"(tub_gpu_warpgroup_address(shared)), "l"(map), "r"(col), "r"(row),
                 "r"(tub_gpu_warpgroup_address(barrier))
                 : "memory");
}

// The same for both blocks of the pair: to the same place in each; the bytes count for the barrier in the same place.
__device__ __forceinline__ void tub_gpu_load_box_for_pair(void *shared, const CUtensorMap *map, int row, int col,
                                                          uint64_t *barrier)
{
    const uint16_t both = 3;
    asm volatile("cp.async.bulk.tensor.2d.shared::cluster.global.tile.mbarrier::complete_tx::bytes.multicast::cluster "
                 "[%0], [%1, {%2, %3}], [%4], %5;"
                 ::"r"(tub_gpu_warpgroup_address(shared)), "l"(map), "r"(col), "r"(row),
                 "r"(tub_gpu_warpgroup_address(barrier)), "h"(both)
                 : "memory");
}

// ---- asynchronous products: from _begin() on, sums belong to them until the thread has waited for them ----

// To the compiler, fences and waits have nothing to do with sums. Without this it sets sums after the fence, and may
// use them before the wait.
__device__ __forceinline__ void tub_gpu_settle(float (&sums)[64])
{
#pragma unroll
    for (int i = 0; i < 64; i++)
        asm volatile("" : "+f"(sums[i])::"memory");
}

__device__ __forceinline__ void tub_gpu_products_begin(float (&sums)[64])
{
    tub_gpu_settle(sums);
    asm volatile("wgmma.fence.sync.aligned;" ::: "memory");
}

// The products since the last call become a group.
__device__ __forceinline__ void tub_gpu_products_commit()
{
    asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory");
}

// Waits until all groups are done, except the last PENDING.
template <int PENDING> __device__ __forceinline__ void tub_gpu_products_wait()
{
    asm volatile("wgmma.wait_group.sync.aligned %0;" ::"n"(PENDING) : "memory");
}

// The same; afterwards sums that none of the pending groups adds to belong to the thread again.
template <int PENDING> __device__ __forceinline__ void tub_gpu_products_end(float (&sums)[64])
{
    tub_gpu_products_wait<PENDING>();
    tub_gpu_settle(sums);
}

#define TUB_GPU_WGMMA(narrow)                                                                                          \
    asm volatile("wgmma.mma_async.sync.aligned.m64n128k16.f32." narrow "." narrow " "                                  \
                 "{%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, "                             \
                 "%16, %17, %18, %19, %20, %21, %22, %23, %24, %25, %26, %27, %28, %29, %30, %31, "                    \
                 "%32, %33, %34, %35, %36, %37, %38, %39, %40, %41, %42, %43, %44, %45, %46, %47, "                    \
                 "%48, %49, %50, %51, %52, %53, %54, %55, %56, %57, %58, %59, %60, %61, %62, %63}, "                   \
                 "%64, %65, 1, 1, 1, 0, 0;"                                                                            \
                 : "+f"(sums[0]), "+f"(sums[1]), "+f"(sums[2]), "+f"(sums[3]), "+f"(sums[4]), "+f"(sums[5]), "+f"(sums[6]), "+f"(sums[7]),\
                   "+f"(sums[8]), "+f"(sums[9]), "+f"(sums[10]), "+f"(sums[11]), "+f"(sums[12]), "+f"(sums[13]), "+f"(sums[14]), "+f"(sums[15]),\
                   "+f"(sums[16]), "+f"(sums[17]), "+f"(sums[18]), "+f"(sums[19]), "+f"(sums[20]), "+f"(sums[21]), "+f"(sums[22]), "+f"(sums[23]),\
                   "+f"(sums[24]), "+f"(sums[25]), "+f"(sums[26]), "+f"(sums[27]), "+f"(sums[28]), "+f"(sums[29]), "+f"(sums[30]), "+f"(sums[31]),\
                   "+f"(sums[32]), "+f"(sums[33]), "+f"(sums[34]), "+f"(sums[35]), "+f"(sums[36]), "+f"(sums[37]), "+f"(sums[38]), "+f"(sums[39]),\
                   "+f"(sums[40]), "+f"(sums[41]), "+f"(sums[42]), "+f"(sums[43]), "+f"(sums[44]), "+f"(sums[45]), "+f"(sums[46]), "+f"(sums[47]),\
                   "+f"(sums[48]), "+f"(sums[49]), "+f"(sums[50]), "+f"(sums[51]), "+f"(sums[52]), "+f"(sums[53]), "+f"(sums[54]), "+f"(sums[55]),\
                   "+f"(sums[56]), "+f"(sums[57]), "+f"(sums[58]), "+f"(sums[59]), "+f"(sums[60]), "+f"(sums[61]), "+f"(sums[62]), "+f"(sums[63])\
                 : "l"(x), "l"(weight))

// sums[64][128] += x[64][16] weight[128][16]T, with matrices from tub_gpu_matrix_at(). In thread w * 32 + l of the
// warpgroup, sums[4 j] and [4 j + 1] are row 16 w + l / 4, columns 8 j + 2 (l % 4) and the next one; [4 j + 2] and [4 j
// + 3] are eight rows further.
template <typename NARROW>
__device__ __forceinline__ void tub_gpu_multiply_group(float (&sums)[64], uint64_t x, uint64_t weight);

template <>
__device__ __forceinline__ void tub_gpu_multiply_group<__half>(float (&sums)[64], uint64_t x, uint64_t weight)
{
    TUB_GPU_WGMMA("f16");
}

template <>
__device__ __forceinline__ void tub_gpu_multiply_group<__nv_bfloat16>(float (&sums)[64], uint64_t x, uint64_t weight)
{
    TUB_GPU_WGMMA("bf16");
}

#endif

// Describes where a matrix of whole boxes' rows, one after another, begins: at a multiple of 1024 bytes. Adding 2 moves
// 16 columns further.
__device__ __forceinline__ uint64_t tub_gpu_matrix_at(const void *shared)
{
    const uint64_t start = tub_gpu_warpgroup_address(shared) >> 4, eight_rows = 1024 >> 4, swizzle_128 = 1;
    return (start & 0x3fff) | (uint64_t)1 << 16 | eight_rows << 32 | swizzle_128 << 62;
}

#endif
