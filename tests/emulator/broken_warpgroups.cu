#include "broken_warpgroups.h"

#include "gpu_start.h"
#include "gpu_warpgroup.h"

namespace
{

enum {
    WARP = 32, // the producer's, after the consumers
    GROUP = 128,
    DEEP = 64,
    PLACES = 2,
    X_BYTES = GROUP_ROWS * DEEP * 2,
    BYTES = X_BYTES + GROUP_COLS * DEEP * 2, // per place
    BARRIERS = PLACES * BYTES,
    SHARED = BARRIERS + 1024
};

struct work {
    broken_group which;
    int k;
    float *out;
    unsigned char *memory;
    uint64_t *full, *empty;
};

__device__ void await(const work &w, uint64_t *barrier, unsigned parity)
{
    const long long begin = tub_gpu_clock();
    while (!tub_gpu_barrier_try(barrier, parity))
        if (w.which == GROUP_GIVES_UP && tub_gpu_clock() - begin > 1LL << 34)
            __trap();
}

__device__ void bring(const work &w, const CUtensorMap *x, const CUtensorMap *weight, int turn)
{
    const int place = turn % PLACES, col = turn * DEEP, swapped = w.which == GROUP_SWAPPED && turn;
    unsigned char *to = w.memory + place * BYTES;
    uint64_t *const full = w.full + place;
    int bytes = BYTES, first = w.which == GROUP_PAST_MATRIX ? GROUP_ROWS : 0;
    if (turn >= PLACES && w.which != GROUP_NO_PLACE)
        await(w, w.empty + place, turn / PLACES % 2 ^ 1);
    bytes -= w.which == GROUP_FEWER_BYTES ? X_BYTES : 0;
    bytes += w.which == GROUP_MORE_BYTES || w.which == GROUP_HANGS || w.which == GROUP_GIVES_UP ? 16 : 0;
    tub_gpu_barrier_expect(full, (unsigned)bytes);
    if (w.which == GROUP_ARRIVALS)
        tub_gpu_barrier_expect(full, 16);
    if (w.which == GROUP_BARRIER_WRITTEN)
        *full = 0;
    if (w.which == GROUP_UNALIGNED_BOX)
        to += 64;
    if (w.which == GROUP_PAST_SHARED)
        to = w.memory + BARRIERS + 1024;
    if (w.which == GROUP_ON_BARRIER)
        to = w.memory + BARRIERS + 1024 - X_BYTES;
    tub_gpu_load_box(to, x, swapped ? col : first, swapped ? 0 : col, full);
    tub_gpu_load_box(to + X_BYTES, weight, 0, col, full);
}

template <typename NARROW> __device__ void multiply(const work &w, float (&sums)[64], int turn)
{
    const int warp = threadIdx.x / WARP;
    const unsigned char *at = w.memory + turn % PLACES * BYTES;
    const uint64_t pitch = w.which == GROUP_OTHER_STRIDE ? (uint64_t)64 << 32 : 0; // twice the right stride
    uint64_t x = tub_gpu_matrix_at(at), weight = tub_gpu_matrix_at(at + X_BYTES) + pitch;
    if (w.which == GROUP_LAYOUT)
        x &= ~(UINT64_C(3) << 62);
    if (w.which == GROUP_PATTERN)
        x += 8;
    if (w.which == GROUP_PAST_FACTOR)
        weight += 0xb00;
    if (w.which == GROUP_WRITTEN && threadIdx.x == 1)
        w.memory[turn % PLACES * BYTES + 77] = 1;
    if (w.which != GROUP_NO_BEGIN && (w.which != GROUP_WRITTEN_SUMS || turn == 0))
        tub_gpu_products_begin(sums);
    if (w.which == GROUP_LATE_SUMS)
        sums[7] += 1;
    for (int i = 0; i < DEEP / 16; i++) {
        if (w.which == GROUP_LESS_WARPS && warp == 2 && i == 1)
            continue;
        if (w.which == GROUP_LANE && threadIdx.x == 70)
            continue;
        const int forth = w.which == GROUP_STRAIGHT ? i : 2 * i + (w.which == GROUP_PAST_ROW && i == 3);
        tub_gpu_multiply_group<NARROW>(sums, x + forth, weight + 2 * i + (w.which == GROUP_MATRICES && warp == 1));
        if (w.which == GROUP_TOUCHED_SUMS && i == 2)
            sums[5] += 1;
    }
    if (w.which != GROUP_NO_COMMIT)
        tub_gpu_products_commit();
    if (w.which == GROUP_ONE_PENDING || w.which == GROUP_EARLY_RELEASE)
        tub_gpu_products_wait<1>();
    else if (w.which != GROUP_SUMS_PENDING)
        tub_gpu_products_end<0>(sums);
    if (w.which == GROUP_WRITTEN_SUMS)
        sums[0] += 1;
}

// Goes through shared memory, so that threads write what others have computed.
__device__ void put(const work &w, const float (&sums)[64])
{
    const int t = threadIdx.x;
    float *const tile = (float *)w.memory; // [GROUP_ROWS][GROUP_COLS]
    for (int i = 0; i < 64; i++)
        tile[(t / WARP * 16 + t % WARP / 4 + i / 2 % 2 * 8) * GROUP_COLS + i / 4 * 8 + t % 4 * 2 + i % 2] = sums[i];
    if (w.which == GROUP_SOME_THREADS && t / WARP == 1)
        return;
    if (w.which == GROUP_SOME_COUNTS && t / WARP == 1)
        tub_gpu_some_sync<GROUP / 2>(1);
    else if (w.which != GROUP_SOME_MISSING)
        tub_gpu_some_sync<GROUP>(w.which == GROUP_NO_SUCH_SYNC ? 16 : 1);
    for (int i = t; i < GROUP_ROWS * GROUP_COLS; i += GROUP)
        w.out[i] = tile[i];
}

template <typename NARROW> __device__ void consume(const work &w)
{
    float sums[64] = {};
    if (w.which == GROUP_REGISTERS)
        tub_gpu_more_registers<256>();
    if (w.which == GROUP_SOME_REGISTERS && threadIdx.x / WARP == 2)
        tub_gpu_more_registers<168>();
    for (int turn = 0; turn * DEEP < w.k; turn++) {
        const int place = turn % PLACES;
        if (w.which != GROUP_NO_WAIT)
            await(w, w.full + place, (turn / PLACES % 2) ^ (w.which == GROUP_OTHER_PARITY));
        multiply<NARROW>(w, sums, turn);
        if (threadIdx.x % WARP == 0)
            tub_gpu_barrier_arrive(w.empty + place);
    }
    if (w.which == GROUP_EARLY_RELEASE)
        tub_gpu_products_end<0>(sums);
    put(w, sums);
}

__device__ void make_barriers(const work &w)
{
    for (int i = 0; i < PLACES && w.which != GROUP_NO_BARRIER; i++) {
        tub_gpu_barrier_init(w.full + i, 1);
        tub_gpu_barrier_init(w.empty + i, GROUP / WARP);
    }
    if (w.which == GROUP_TWICE)
        tub_gpu_barrier_init(w.full, 1);
    if (w.which != GROUP_NOT_READY)
        tub_gpu_barriers_ready();
}

template <typename NARROW>
__global__ void group_kernel(broken_group which, int k, float *out, const __grid_constant__ CUtensorMap x,
                             const __grid_constant__ CUtensorMap weight)
{
    TUB_GPU_DYNAMIC(1024, unsigned char, memory);
    const work w = {which, k, out, memory, (uint64_t *)(memory + BARRIERS), (uint64_t *)(memory + BARRIERS) + PLACES};
    const unsigned consumers = blockDim.x - WARP;
    const bool produces = threadIdx.x == consumers;
    CUtensorMap own = x;
    own.opaque[0] ^= which == GROUP_NO_MAP;
    if (produces)
        make_barriers(w);
    if (which != GROUP_NOT_MET)
        __syncthreads();
    if (which == GROUP_FEWER_WARPS && threadIdx.x / WARP == 3)
        return;
    if (threadIdx.x < consumers && which != GROUP_UNDER_WAY)
        consume<NARROW>(w);
    else if (produces)
        for (int turn = 0; turn * DEEP < (which == GROUP_UNDER_WAY ? DEEP : k); turn++)
            bring(w, which == GROUP_NO_MAP ? &own : &x, &weight, turn);
}

__global__ void box_kernel(const __grid_constant__ CUtensorMap map, int row, int col, int rows, int at, uint16_t *out)
{
    TUB_GPU_DYNAMIC(1024, unsigned char, memory);
    uint64_t *const barrier = (uint64_t *)memory;
    const uint16_t *const box = (const uint16_t *)(memory + at);
    if (threadIdx.x == 0) {
        tub_gpu_barrier_init(barrier, 1);
        tub_gpu_barriers_ready();
        tub_gpu_barrier_expect(barrier, (unsigned)(rows * DEEP * 2));
        tub_gpu_load_box(memory + at, &map, row, col, barrier);
    }
    __syncthreads();
    while (!tub_gpu_barrier_try(barrier, 0))
        ;
    for (int i = threadIdx.x; i < rows * DEEP; i += WARP)
        out[i] = box[i];
}

template <typename NARROW>
cudaError_t launch(broken_group which, tub_gpu_type type, const void *x, int rows, const void *weight, int cols, int k,
                   float *out)
{
    CUtensorMap maps[2];
    const int more = which == GROUP_PAST_MATRIX ? 300 : 0, bytes = which == GROUP_SHARED ? (227 << 10) + 16 : SHARED;
    cudaError_t code = tub_cuda_box_map(maps, x, type, rows + more, k, GROUP_ROWS);
    if (!code)
        code = tub_cuda_box_map(maps + 1, weight, type, cols, k, GROUP_COLS);
    if (!code)
        code = cudaFuncSetAttribute(group_kernel<NARROW>, cudaFuncAttributeMaxDynamicSharedMemorySize, bytes);
    if (code)
        return code;
    const int consumers = which == GROUP_HALF ? GROUP / 2 : which == GROUP_REGISTERS ? 3 * GROUP : GROUP;
    return tub_gpu_start(group_kernel<NARROW>, 1, (unsigned)(consumers + WARP), (size_t)bytes, nullptr, which, k, out,
                         maps[0], maps[1]);
}

} // namespace

extern "C" int broken_group_launch(broken_group which, bool is_half, const void *x, int rows, const void *weight,
                                   int cols, int k, float *out)
{
    return (int)(is_half ? launch<__half>(which, TUB_GPU_F16, x, rows, weight, cols, k, out)
                         : launch<__nv_bfloat16>(which, TUB_GPU_BF16, x, rows, weight, cols, k, out));
}

extern "C" int broken_group_box(const void *matrix, int matrix_rows, int matrix_cols, int row, int col, int rows,
                                int at, uint16_t *out)
{
    CUtensorMap map;
    const cudaError_t code = tub_cuda_box_map(&map, matrix, TUB_GPU_F16, matrix_rows, matrix_cols, rows);
    const size_t bytes = (size_t)(at + rows * DEEP * 2);
    return (int)(code ? code : tub_gpu_start(box_kernel, 1, WARP, bytes, nullptr, map, row, col, rows, at, out));
}

extern "C" int broken_group_map(const void *matrix, bool is_narrow, int rows, int cols, int box_rows)
{
    CUtensorMap map;
    return (int)tub_cuda_box_map(&map, matrix, is_narrow ? TUB_GPU_F16 : TUB_GPU_F32, rows, cols, box_rows);
}
