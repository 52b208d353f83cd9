// A product with the step behind it in its epilogue, by warpgroups, for cards of 9.0: gpu_joined.cu's in the instructions that
// their tensor cores are fast by. gpu_joined_bodies.h says what is computed in which order.
//
// A block is two warpgroups, with half of the tile's rows each and its 64 x 128 sums in registers, and a warp whose first
// lane orders the copies. Rows of x and of the weight come in pieces of DEEP columns, a box each, through STAGES places in
// shared memory, each with two barriers: `full`, when its boxes have come, and `empty`, when the eight warps that multiply
// are through with it. The products of a piece are under way while the next one's are ordered. At the end the places hold
// the tile of results.
//
// What waits does so for as long as it takes, as in any kernel; on trial it gives up after a while, so that a mistake here
// ends as wrong values, which nobody takes (gpu_algorithms.h), and not as a GPU that hangs. Who has given up multiplies all
// pieces all the same: a warpgroup's warps may not differ in what they come to.
//
// Occupancy. 97 KiB of shared memory and at most 112 registers a thread: two blocks on a multiprocessor, of which one
// writes its results while the other multiplies.
#include "gpu_joined_wide.h"

#include <cuda_bf16.h>
#include <cuda_fp16.h>

#include "gpu_boxes.h"
#include "gpu_joined_bodies.h"
#include "gpu_start.h"
#include "gpu_warpgroup.h"

namespace
{

enum {
    SIDE = TUB_GPU_JOINED_SIDE,
    WARP = 32,
    GROUP = 128,                // threads of a warpgroup
    HALF = SIDE / 2,            // its rows
    MULTIPLIERS = 2 * GROUP,    // threads that multiply; the warp behind them orders copies
    THREADS = MULTIPLIERS + WARP,
    DEEP = TUB_GPU_BOX_COLUMNS,
    STEP = TUB_GPU_JOINED_STEP,
    STAGES = 3,
    BOX = SIDE * DEEP,          // of one factor
    ALIGNMENT = 1024,           // bytes, of boxes
    STAGE_BYTES = 2 * BOX * 2,
    BYTES = ALIGNMENT + STAGES * STAGE_BYTES + 2 * STAGES * 8,
};
constexpr long long PATIENCE = 1ll << 29; // cycles: a third of a second

template <typename NARROW> constexpr tub_gpu_type type_of = TUB_GPU_BF16;
template <> constexpr tub_gpu_type type_of<__half> = TUB_GPU_F16;

// A block's shared memory.
template <typename NARROW> struct memory {
    NARROW *places;             // [STAGES][x, weight][BOX]
    uint64_t *full, *empty;     // [STAGES]
};

template <typename NARROW> __device__ memory<NARROW> divide(unsigned char *bytes)
{
    memory<NARROW> m;
    const unsigned past = tub_gpu_warpgroup_address(bytes) % ALIGNMENT;
    bytes += past ? ALIGNMENT - past : 0;
    m.places = (NARROW *)bytes;
    m.full = (uint64_t *)(bytes + STAGES * STAGE_BYTES);
    m.empty = m.full + STAGES;
    return m;
}

__device__ bool wait_for(uint64_t *barrier, unsigned parity, bool trial)
{
    const long long began = trial ? tub_gpu_clock() : 0;
    while (!tub_gpu_barrier_try(barrier, parity))
        if (trial && tub_gpu_clock() - began > PATIENCE)
            return false;
    return true;
}

// One thread's part: a place is filled again when it is empty.
template <typename NARROW>
__device__ void order_copies(const tub_gpu_joined &t, const CUtensorMap *x, const CUtensorMap *weight,
                             tub_gpu_corner corner, const memory<NARROW> &m)
{
    for (int done = 0, step = 0; done < t.k; done += DEEP, step++) {
        const int stage = step % STAGES, turn = step / STAGES;
        NARROW *place = m.places + stage * 2 * BOX;
        if (turn > 0 && !wait_for(&m.empty[stage], (turn - 1) % 2, t.trial))
            return;
        tub_gpu_barrier_expect(&m.full[stage], STAGE_BYTES);
        tub_gpu_load_box(place, x, corner.row, done, &m.full[stage]);
        tub_gpu_load_box(place + BOX, weight, corner.col, done, &m.full[stage]);
    }
}

// Its products of one piece, as a group that is under way.
template <typename NARROW> __device__ void multiply(float (&sums)[64], const NARROW *x_rows, const NARROW *weight_rows)
{
    const uint64_t x = tub_gpu_matrix_at(x_rows), weight = tub_gpu_matrix_at(weight_rows);
    tub_gpu_products_begin(sums);
#pragma unroll
    for (int i = 0; i < DEEP / STEP; i++)
        tub_gpu_multiply_group<NARROW>(sums, x + 2 * i, weight + 2 * i);
    tub_gpu_products_commit();
}

// All k of the warpgroup's half of the tile.
template <typename NARROW> __device__ void add_up(float (&sums)[64], const tub_gpu_joined &t, const memory<NARROW> &m)
{
    const int half = threadIdx.x / GROUP * HALF * DEEP;
    bool come = wait_for(&m.full[0], 0, t.trial);
    multiply(sums, m.places + half, m.places + BOX);
    for (int done = DEEP, step = 1; done < t.k; done += DEEP, step++) {
        const NARROW *place = m.places + step % STAGES * 2 * BOX;
        come = come && wait_for(&m.full[step % STAGES], step / STAGES % 2, t.trial);
        multiply(sums, place + half, place + BOX);
        tub_gpu_products_wait<1>(); // those of the piece before
        if (threadIdx.x % WARP == 0)
            tub_gpu_barrier_arrive(&m.empty[(step - 1) % STAGES]);
    }
    tub_gpu_products_end(sums);
}

__device__ void put(void *tile, const float (&sums)[64], const tub_gpu_joined &t, int first_col)
{
    const int lane = threadIdx.x % WARP, row = threadIdx.x / WARP * 16 + lane / 4;
#pragma unroll
    for (int j = 0; j < SIDE / 8; j++) {
        const int col = 8 * j + lane % 4 * 2;
        const float bias[2] = {tub_gpu_joined_bias(&t, first_col + col), tub_gpu_joined_bias(&t, first_col + col + 1)};
        tub_gpu_joined_put(&t, tile, row, col, sums + 4 * j, bias);
        tub_gpu_joined_put(&t, tile, row + 8, col, sums + 4 * j + 2, bias);
    }
}

// By the threads that multiply.
__device__ void finish(const tub_gpu_joined &t, void *tile, tub_gpu_corner corner)
{
    tub_gpu_some_sync<1, MULTIPLIERS>();
    if (t.activation == 0) {
        for (int i = threadIdx.x; i < tub_gpu_joined_turns(&t); i += MULTIPLIERS)
            tub_gpu_joined_turn(&t, tile, corner, i);
        tub_gpu_some_sync<1, MULTIPLIERS>();
    }
    for (int i = threadIdx.x; i < TUB_GPU_JOINED_WRITES; i += MULTIPLIERS)
        tub_gpu_joined_write(&t, tile, corner, i);
}

template <typename NARROW>
__global__ void __launch_bounds__(THREADS, 2)
    wide_kernel(tub_gpu_joined t, const __grid_constant__ CUtensorMap x, const __grid_constant__ CUtensorMap weight)
{
    TUB_GPU_DYNAMIC(1024, unsigned char, bytes);
    const memory<NARROW> m = divide<NARROW>(bytes);
    const tub_gpu_corner corner = tub_gpu_joined_corner(&t, blockIdx.x);
    t.type = type_of<NARROW>;
    if (threadIdx.x == 0) {
        for (int i = 0; i < STAGES; i++) {
            tub_gpu_barrier_init(&m.full[i], 1);
            tub_gpu_barrier_init(&m.empty[i], MULTIPLIERS / WARP);
        }
        tub_gpu_barriers_ready();
    }
    __syncthreads();
    if (threadIdx.x >= MULTIPLIERS) {
        if (threadIdx.x == MULTIPLIERS)
            order_copies(t, &x, &weight, corner, m);
        return;
    }
    float sums[64] = {};
    add_up(sums, t, m);
    tub_gpu_some_sync<1, MULTIPLIERS>(); // the other half reads the places no more either
    put(m.places, sums, t, corner.col);
    finish(t, m.places, corner);
}

template <typename NARROW> cudaError_t launch(const tub_gpu_joined *t, cudaStream_t stream)
{
    const int64_t tiles = (int64_t)tub_gpu_joined_tiles(t->m) * tub_gpu_joined_tiles(t->n);
    static_assert(SIDE * TUB_GPU_JOINED_PITCH * 2 <= STAGES * STAGE_BYTES, "the tile fits into the place of the factors");
    CUtensorMap x, weight;
    if (tiles > INT32_MAX)
        return cudaErrorInvalidValue;
    cudaError_t code = tub_cuda_box_map(&x, t->x, t->type, t->m, t->k, SIDE);
    if (code == cudaSuccess)
        code = tub_cuda_box_map(&weight, t->weight, t->type, t->n, t->k, SIDE);
    if (code == cudaSuccess)
        code = cudaFuncSetAttribute(wide_kernel<NARROW>, cudaFuncAttributeMaxDynamicSharedMemorySize, BYTES);
    return code == cudaSuccess ? tub_gpu_start(wide_kernel<NARROW>, (unsigned)tiles, THREADS, BYTES, stream, *t, x, weight)
                               : code;
}

} // namespace

extern "C" cudaError_t tub_cuda_launch_joined_wide(const tub_gpu_joined *t, cudaStream_t stream)
{
    if (t->m == 0)
        return cudaSuccess;
    return t->type == TUB_GPU_F16    ? launch<__half>(t, stream)
           : t->type == TUB_GPU_BF16 ? launch<__nv_bfloat16>(t, stream)
                                     : cudaErrorInvalidValue;
}
