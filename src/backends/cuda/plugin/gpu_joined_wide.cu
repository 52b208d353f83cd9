// A product with the step after it in its epilogue, by warpgroups, for cards of 9.0: what gpu_joined.cu does, with the
// instructions that are fast on their tensor cores. gpu_joined_bodies.h says what is computed in which order.
//
//   - two warpgroups multiply. Each computes half of the tile's rows, with 64 x 256 sums in its registers. It adds
//     their bias, rounds them, puts them into the tile in shared memory, and continues with the next tile;
//   - seven warps finish these values: they rotate and write them, or apply the activation while writing;
//   - one thread issues copies. Rows of x and of the weight come in pieces of DEEP columns through STAGES places.
//     Blocks come in pairs, with tiles one below the other at the same time: each block copies its own rows of x, and
//     half of the weight's rows to both.
// They wait for each other at barriers. A place has `full`, when its boxes have arrived, and `empty`, when the eight
// warps that multiply are done with it in both blocks. A half of the tile has `put`, when its sums are there, and
// `gone`, when they are written. The products of one piece run while those of the next one are issued; for a tile's
// last piece, the products of the right half run while the left half's sums are put.
//
// Waiting takes as long as it takes, as in any kernel. In a trial, it ends after a while, so that a mistake here gives
// wrong values, which are rejected (gpu_algorithms.h), and not a GPU that hangs. A thread that has given up doesn't
// wait any more, but still multiplies all pieces: the warps of a warpgroup must execute the same code. Copies that were
// issued must have arrived when a pair ends; otherwise they would go to another block's memory.
//
// Occupancy. One block on a multiprocessor, 216 KiB of its shared memory and all of its registers: 168 for each thread
// that multiplies, 88 for the others. In the 1024 clocks of its products, a piece needs 32 KiB from the L2 cache, 48
// KiB of writes to shared memory, and 96 KiB of reads from it by tensor cores: 32, 48 and 96 bytes per clock for each
// multiprocessor.
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
    PAIR = 2,                           // blocks
    ROWS = 128,
    COLS = 256,
    PITCH = COLS + TUB_GPU_JOINED_PAD,
    WARP = 32,
    GROUP = 128,                        // threads of a warpgroup
    HALF = ROWS / 2,                    // its rows
    MULTIPLIERS = 2 * GROUP,            // threads that multiply
    FINISHERS = 7 * WARP,               // threads that finish the results
    THREADS = MULTIPLIERS + FINISHERS + WARP,
    MULTIPLIERS_REGISTERS = 168,
    OTHERS_REGISTERS = 88,
    DEEP = TUB_GPU_BOX_COLUMNS,
    STEP = TUB_GPU_JOINED_STEP,
    STAGES = 3,
    X_BOX = ROWS * DEEP,
    PLACE = X_BOX + COLS * DEEP,        // for x, then for the weight
    ALIGNMENT = 1024,                   // of boxes, in bytes
    AT_ONCE = 8,                        // pairs of columns
    BIAS = 2 * COLS,                    // for a warpgroup; two tiles take turns
    BYTES = ALIGNMENT + (STAGES * PLACE + ROWS * PITCH) * 2 + 2 * BIAS * 4 + (2 * STAGES + 4) * 8,
};
// Barriers for some of the threads. The warpgroups that multiply have one each.
enum { FINISHERS_BARRIER = 1, GROUP_BARRIER = 2 };
constexpr long long PATIENCE = 1ll << 29; // cycles: a third of a second

template <typename NARROW> constexpr tub_gpu_type type_of = TUB_GPU_BF16;
template <> constexpr tub_gpu_type type_of<__half> = TUB_GPU_F16;

// A warpgroup's sums for the left and the right half of the tile's columns.
typedef float half_sums[2][64];

// A block's shared memory.
template <typename NARROW> struct memory {
    NARROW *places;             // [STAGES][PLACE]
    NARROW *tile;               // [ROWS][PITCH]
    float *bias;                // [2 warpgroups][BIAS]
    uint64_t *full, *empty;     // [STAGES]
    uint64_t *put, *gone;       // [2 warpgroups]
};

template <typename NARROW> __device__ memory<NARROW> divide(unsigned char *bytes)
{
    memory<NARROW> m;
    const unsigned past = tub_gpu_warpgroup_address(bytes) % ALIGNMENT;
    m.places = (NARROW *)(bytes + (past ? ALIGNMENT - past : 0));
    m.tile = m.places + STAGES * PLACE;
    m.bias = (float *)(m.tile + ROWS * PITCH);
    m.full = (uint64_t *)(m.bias + 2 * BIAS);
    m.empty = m.full + STAGES;
    m.put = m.empty + STAGES;
    m.gone = m.put + 2;
    return m;
}

__device__ void make_barriers(uint64_t *full, uint64_t *empty, uint64_t *put, uint64_t *gone)
{
    for (int i = 0; i < STAGES; i++) {
        tub_gpu_barrier_init(&full[i], 1);
        tub_gpu_barrier_init(&empty[i], PAIR * MULTIPLIERS / WARP);
    }
    for (int i = 0; i < 2; i++) {
        tub_gpu_barrier_init(&put[i], GROUP / WARP);
        tub_gpu_barrier_init(&gone[i], FINISHERS / WARP);
    }
    tub_gpu_barriers_ready();
}

// How a thread waits: in a trial, only for PATIENCE.
struct patience {
    bool trial, over;

    __device__ void wait_for(uint64_t *barrier, unsigned parity)
    {
        const long long began = trial ? tub_gpu_clock() : 0;
        while (!over && !tub_gpu_barrier_try(barrier, parity))
            over = trial && tub_gpu_clock() - began > PATIENCE;
    }
};

// Goes round through the places.
struct place {
    int stage;
    unsigned turn;              // parity

    __device__ void next()
    {
        stage = stage + 1 == STAGES ? 0 : stage + 1;
        turn ^= stage == 0;
    }
};

// The tiles of a block, one after another. A pair takes two tiles at a time, one below the other; each of its blocks
// computes one. A tile below all rows is multiplied, too, but nothing of it is written.
struct tiles {
    uint32_t number, count, apart;
    unsigned turn;              // parity

    __device__ explicit tiles(const tub_gpu_joined &t)
        : number(blockIdx.x / PAIR),
          count((uint32_t)tub_gpu_joined_tiles(t.m, PAIR * ROWS) * tub_gpu_joined_tiles(t.n, COLS)),
          apart(gridDim.x / PAIR), turn(0)
    {
    }

    __device__ bool there() const
    {
        return number < count;
    }

    __device__ void next()
    {
        number += apart;
        turn ^= 1;
    }

    __device__ tub_gpu_corner corner(const tub_gpu_joined &t) const
    {
        tub_gpu_corner corner = tub_gpu_joined_corner(&t, number, PAIR * ROWS, COLS);
        corner.row += blockIdx.x % PAIR * ROWS;
        return corner;
    }
};

// A warp has done what this barrier waits for.
__device__ void warp_arrives(uint64_t *barrier)
{
    __syncwarp();
    if (threadIdx.x % WARP == 0)
        tub_gpu_barrier_arrive(barrier);
}

// A warp is done with a place: tells both blocks, since both fill it.
__device__ void warp_leaves(uint64_t *empty)
{
    __syncwarp();
    if (threadIdx.x % WARP < PAIR)
        tub_gpu_barrier_arrive_at(empty, threadIdx.x % WARP);
}

// ---- copies, by one thread: the block's rows of x, and half of the weight's rows for both blocks ----

template <typename NARROW>
__device__ void order_copies(const tub_gpu_joined &t, const CUtensorMap *x, const CUtensorMap *weight,
                             const memory<NARROW> &m)
{
    patience p = {t.trial, false};
    place at = {0, 0};
    uint32_t ordered = 0;
    const int half = blockIdx.x % PAIR * (COLS / PAIR);
    for (tiles all(t); all.there() && !p.over; all.next()) {
        const tub_gpu_corner corner = all.corner(t);
        for (int done = 0; done < t.k; done += DEEP, at.next(), ordered++) {
            NARROW *const to = m.places + at.stage * PLACE;
            if (ordered >= STAGES)
                p.wait_for(&m.empty[at.stage], at.turn ^ 1);
            if (p.over)
                break;
            tub_gpu_barrier_expect(&m.full[at.stage], PLACE * 2);
            tub_gpu_load_box(to, x, corner.row, done, &m.full[at.stage]);
            tub_gpu_load_box_for_pair(to + X_BOX + half * DEEP, weight, corner.col + half, done, &m.full[at.stage]);
        }
    }
    // Waits until they have arrived. The next place here is the one whose copy was issued first.
    patience last = {t.trial, false};
    for (int i = 0; i < STAGES; i++, at.next())
        if (ordered >= STAGES || at.stage < (int)ordered)
            last.wait_for(&m.full[at.stage], ordered >= STAGES ? at.turn ^ 1 : 0);
}

// ---- sums, by two warpgroups ----

// The warpgroup's products for one piece and half of its columns.
template <typename NARROW>
__device__ void multiply_half(float (&sums)[64], const NARROW *x_rows, const NARROW *weight_rows)
{
    const uint64_t x = tub_gpu_matrix_at(x_rows), weight = tub_gpu_matrix_at(weight_rows);
#pragma unroll
    for (int i = 0; i < DEEP / STEP; i++)
        tub_gpu_multiply_group<NARROW>(sums, x + 2 * i, weight + 2 * i);
}

// A warpgroup's position among the pieces.
template <typename NARROW> struct reader {
    const NARROW *x, *left, *right;     // its rows of x, and either half of the weight's, in the first place
    uint64_t *full, *empty;
    place at;
    patience waits;

    __device__ reader(const memory<NARROW> &m, bool trial)
        : x(m.places + threadIdx.x / GROUP * HALF * DEEP), left(m.places + X_BOX), right(left + COLS / 2 * DEEP),
          full(m.full), empty(m.empty), at{0, 0}, waits{trial, false}
    {
    }

    // Issues the products of the next piece once it has arrived. For the last piece, the left half's products are their
    // own group.
    __device__ void multiply(half_sums &sums, bool last)
    {
        const int offset = at.stage * PLACE;
        waits.wait_for(&full[at.stage], at.turn);
        tub_gpu_products_begin(sums[0]);
        tub_gpu_products_begin(sums[1]);
        multiply_half(sums[0], x + offset, left + offset);
        if (last)
            tub_gpu_products_commit();
        multiply_half(sums[1], x + offset, right + offset);
        tub_gpu_products_commit();
    }
};

// Sums all k of the warpgroup's half of a tile, except the first piece, unless that is the last one too. On return, the
// products of the last piece are still running.
template <typename NARROW> __device__ void add_up(half_sums &sums, int k, reader<NARROW> &r)
{
    for (int done = DEEP; done < k - DEEP; done += DEEP) {
        uint64_t *const before = &r.empty[r.at.stage];
        r.at.next();
        r.multiply(sums, false);
        tub_gpu_products_wait<1>(); // those of the previous piece
        warp_leaves(before);
    }
    uint64_t *const before = &r.empty[r.at.stage];
    if (k > DEEP)
        r.at.next();
    r.multiply(sums, true);
    tub_gpu_products_wait<2>();
    if (k > DEEP)
        warp_leaves(before);
}

// Puts half of the columns, from `first` on. Reads several biases at a time; otherwise it would wait for each.
template <typename NARROW>
__device__ void put(NARROW *tile, const float (&sums)[64], const tub_gpu_joined &t, const float *bias, int first)
{
    const int lane = threadIdx.x % WARP, row = threadIdx.x / WARP * 16 + lane / 4;
#pragma unroll
    for (int i = 0; i < COLS / 16; i += AT_ONCE) {
        const int col = first + 8 * i + lane % 4 * 2;
        float pairs[AT_ONCE][2];
#pragma unroll
        for (int j = 0; j < AT_ONCE; j++) {
            pairs[j][0] = bias[col + 8 * j];
            pairs[j][1] = bias[col + 8 * j + 1];
        }
#pragma unroll
        for (int j = 0; j < AT_ONCE; j++) {
            tub_gpu_joined_put(&t, tile, COLS, row, col + 8 * j, sums + 4 * (i + j), pairs[j]);
            tub_gpu_joined_put(&t, tile, COLS, row + 8, col + 8 * j, sums + 4 * (i + j) + 2, pairs[j]);
        }
    }
}

template <typename NARROW> __device__ void multiply_tiles(const tub_gpu_joined &t, const memory<NARROW> &m)
{
    const int group = threadIdx.x / GROUP, thread = threadIdx.x % GROUP;
    reader<NARROW> r(m, t.trial);
    bool first = true;
    for (tiles all(t); all.there(); all.next(), first = false) {
        half_sums sums = {};
        if (t.k > DEEP)
            r.multiply(sums, false);
        // The tensor cores are busy: there is time for everything else.
        const int col = all.corner(t).col + thread;
        float *const bias = m.bias + group * BIAS + all.turn * COLS;
        const float own[] = {tub_gpu_joined_bias(&t, col), tub_gpu_joined_bias(&t, col + GROUP)};
        add_up(sums, t.k, r);
        bias[thread] = own[0];
        bias[thread + GROUP] = own[1];
        tub_gpu_some_sync<GROUP>(GROUP_BARRIER + group);
        if (!first)
            r.waits.wait_for(&m.gone[group], all.turn ^ 1);
        tub_gpu_products_end<1>(sums[0]);
        put(m.tile, sums[0], t, bias, 0);
        tub_gpu_products_end<0>(sums[1]);
        warp_leaves(&m.empty[r.at.stage]);
        r.at.next();
        put(m.tile, sums[1], t, bias, COLS / 2);
        warp_arrives(&m.put[group]);
    }
}

// ---- the step after the product, by the finishing threads ----

template <typename NARROW> __device__ void finish(const tub_gpu_joined &t, NARROW *half, tub_gpu_corner corner)
{
    const int thread = threadIdx.x - MULTIPLIERS;
    if (t.activation == 0) {
        for (int i = thread; i < HALF * tub_gpu_joined_turns(&t); i += FINISHERS)
            tub_gpu_joined_turn(&t, half, COLS, corner, i);
        tub_gpu_some_sync<FINISHERS>(FINISHERS_BARRIER);
    }
    for (int i = thread; i < HALF * tub_gpu_joined_writes(COLS); i += FINISHERS)
        tub_gpu_joined_write(&t, half, COLS, corner, i);
}

template <typename NARROW> __device__ void finish_tiles(const tub_gpu_joined &t, const memory<NARROW> &m)
{
    patience p = {t.trial, false};
    for (tiles all(t); all.there(); all.next()) {
        tub_gpu_corner corner = all.corner(t);
        for (int group = 0; group < 2; group++, corner.row += HALF) {
            p.wait_for(&m.put[group], all.turn);
            finish(t, m.tile + group * HALF * PITCH, corner);
            warp_arrives(&m.gone[group]);
        }
    }
}

template <typename NARROW>
__global__ void __launch_bounds__(THREADS, 1)
    wide_kernel(tub_gpu_joined t, const __grid_constant__ CUtensorMap x, const __grid_constant__ CUtensorMap weight)
{
    TUB_GPU_DYNAMIC(1024, unsigned char, bytes);
    const memory<NARROW> m = divide<NARROW>(bytes);
    t.type = type_of<NARROW>;
    if (threadIdx.x == MULTIPLIERS + FINISHERS) {
        tub_gpu_fetch_map(&x);
        tub_gpu_fetch_map(&weight);
        make_barriers(m.full, m.empty, m.put, m.gone);
    }
    tub_gpu_pair_sync();
    if (threadIdx.x < MULTIPLIERS) {
        tub_gpu_more_registers<MULTIPLIERS_REGISTERS>();
        multiply_tiles(t, m);
    } else {
        tub_gpu_fewer_registers<OTHERS_REGISTERS>();
        if (threadIdx.x < MULTIPLIERS + FINISHERS)
            finish_tiles(t, m);
        else if (threadIdx.x == MULTIPLIERS + FINISHERS)
            order_copies(t, &x, &weight, m);
    }
    tub_gpu_pair_sync();
}

template <typename NARROW> cudaError_t launch(const tub_gpu_joined *t, cudaStream_t stream)
{
    const int64_t count = (int64_t)tub_gpu_joined_tiles(t->m, PAIR * ROWS) * tub_gpu_joined_tiles(t->n, COLS);
    CUtensorMap x, weight;
    int device, processors;
    if (count > INT32_MAX / PAIR)
        return cudaErrorInvalidValue;
    cudaError_t code = cudaGetDevice(&device);
    if (code == cudaSuccess)
        code = cudaDeviceGetAttribute(&processors, cudaDevAttrMultiProcessorCount, device);
    if (code == cudaSuccess)
        code = tub_cuda_box_map(&x, t->x, t->type, t->m, t->k, ROWS);
    if (code == cudaSuccess)
        code = tub_cuda_box_map(&weight, t->weight, t->type, t->n, t->k, COLS / PAIR);
    if (code == cudaSuccess)
        code = cudaFuncSetAttribute(wide_kernel<NARROW>, cudaFuncAttributeMaxDynamicSharedMemorySize, BYTES);
    if (code != cudaSuccess)
        return code;
    const unsigned pairs = (unsigned)(count < processors / PAIR ? count : processors / PAIR);
    return tub_gpu_start_pairs(wide_kernel<NARROW>, PAIR * pairs, THREADS, BYTES, stream, *t, x, weight);
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
