#include "broken_pairs.h"

#include "gpu_start.h"
#include "gpu_warpgroup.h"

namespace
{

enum {
    WARP = 32,
    GROUP = 128, // consumers, then as many threads again, one of which loads
    DEEP = 64,
    PLACES = 2,
    ROWS = PAIR_ROWS / 2, // per block
    COLS = PAIR_COLS / 2, // that a block loads
    X_BYTES = ROWS * DEEP * 2,
    HALF_BYTES = COLS * DEEP * 2,
    BYTES = X_BYTES + 2 * HALF_BYTES, // per place
    BARRIERS = PLACES * BYTES,
    SHARED = BARRIERS + 1024
};

struct work {
    broken_pair which;
    int k, rank;
    unsigned char *memory;
    uint64_t *full, *empty;
};

__device__ void await(uint64_t *barrier, unsigned parity)
{
    while (!tub_gpu_barrier_try(barrier, parity))
        ;
}

__device__ void bring(const work &w, const CUtensorMap *x, const CUtensorMap *weight, int turn)
{
    const int place = turn % PLACES, col = turn * DEEP, row = w.rank * COLS;
    const int half = w.which == PAIR_SWAPPED && turn == 1 ? 1 - w.rank : w.rank;
    unsigned char *to = w.memory + place * BYTES;
    if (turn >= PLACES)
        await(w.empty + place, turn / PLACES % 2 ^ 1);
    tub_gpu_barrier_expect(w.full + place, w.which == PAIR_FEWER_BYTES ? X_BYTES + HALF_BYTES : BYTES);
    tub_gpu_load_box(to, x, w.rank * ROWS, col, w.full + place);
    if (w.which == PAIR_NOT_SHARED)
        tub_gpu_load_box(to + X_BYTES + half * HALF_BYTES, weight, row, col, w.full + place);
    else
        tub_gpu_load_box_for_pair(to + X_BYTES + half * HALF_BYTES, weight, row, col, w.full + place);
}

__device__ void leave(const work &w, int place)
{
    const int lane = threadIdx.x % WARP;
    if (w.which == PAIR_OWN_ARRIVALS || w.which == PAIR_OTHER_ARRIVALS) {
        if (lane < 2)
            tub_gpu_barrier_arrive_at(w.empty + place, (unsigned)(w.which == PAIR_OWN_ARRIVALS ? w.rank : 1 - w.rank));
    } else if (lane < 2) {
        tub_gpu_barrier_arrive_at(w.empty + place, (unsigned)lane + (w.which == PAIR_THIRD));
    }
}

__device__ void consume(const work &w, float *out)
{
    const int t = threadIdx.x;
    float sums[64] = {};
    for (int turn = 0; turn * DEEP < w.k; turn++) {
        const int place = turn % PLACES;
        await(w.full + place, turn / PLACES % 2);
        const uint64_t x = tub_gpu_matrix_at(w.memory + place * BYTES),
                       weight = tub_gpu_matrix_at(w.memory + place * BYTES + X_BYTES);
        tub_gpu_products_begin(sums);
        for (int i = 0; i < DEEP / 16; i++)
            tub_gpu_multiply_group<__half>(sums, x + 2 * i, weight + 2 * i);
        tub_gpu_products_commit();
        tub_gpu_products_end<0>(sums);
        leave(w, place);
    }
    for (int i = 0; i < 64; i++)
        out[(w.rank * ROWS + t / WARP * 16 + t % WARP / 4 + i / 2 % 2 * 8) * PAIR_COLS + i / 4 * 8 + t % 4 * 2 +
            i % 2] = sums[i];
}

__global__ void pair_kernel(broken_pair which, int k, float *out, const __grid_constant__ CUtensorMap x,
                            const __grid_constant__ CUtensorMap weight)
{
    TUB_GPU_DYNAMIC(1024, unsigned char, memory);
    uint64_t *const barriers = (uint64_t *)(memory + BARRIERS);
    const work w = {which, k, (int)blockIdx.x % 2, memory, barriers, barriers + PLACES};
    if (threadIdx.x == GROUP) {
        for (int i = 0; i < PLACES; i++) {
            tub_gpu_barrier_init(w.full + i, 1);
            tub_gpu_barrier_init(w.empty + i, 2 * GROUP / WARP);
        }
        tub_gpu_barriers_ready();
    }
    if (which == PAIR_NOT_MET)
        __syncthreads();
    else if (which != PAIR_NO_FIRST_SYNC)
        tub_gpu_pair_sync();
    if (threadIdx.x < GROUP)
        consume(w, out);
    else if (threadIdx.x == GROUP)
        for (int turn = 0; turn * DEEP < k; turn++)
            bring(w, &x, &weight, turn);
    if (which != PAIR_NO_LAST_SYNC && (which != PAIR_SOME_SYNC || w.rank == 0 || threadIdx.x != 77))
        tub_gpu_pair_sync();
}

} // namespace

extern "C" int broken_pair_launch(broken_pair which, const void *x, const void *weight, int k, float *out)
{
    CUtensorMap maps[2];
    const unsigned blocks = which == PAIR_ODD ? 3 : 2, threads = which == PAIR_HALF ? GROUP + WARP : 2 * GROUP;
    cudaError_t code = tub_cuda_box_map(maps, x, TUB_GPU_F16, PAIR_ROWS, k, ROWS);
    if (!code)
        code = tub_cuda_box_map(maps + 1, weight, TUB_GPU_F16, PAIR_COLS, k, COLS);
    if (!code)
        code = cudaFuncSetAttribute(pair_kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, SHARED);
    if (code)
        return (int)code;
    if (which == PAIR_ALONE)
        return (int)tub_gpu_start(pair_kernel, blocks, threads, SHARED, nullptr, which, k, out, maps[0], maps[1]);
    return (int)tub_gpu_start_pairs(pair_kernel, blocks, threads, SHARED, nullptr, which, k, out, maps[0], maps[1]);
}
