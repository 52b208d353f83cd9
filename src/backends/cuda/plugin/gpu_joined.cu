// A product with the step after it in its epilogue, by warps on tensor cores. gpu_joined_bodies.h says what is computed
// in which order.
//
// A block is four warps; each has a quarter of the tile, 64 x 64 sums in registers. Rows of x and of the weight come in
// pieces of DEEP columns, through STAGES places in shared memory: while one piece is multiplied, the next two are being
// copied. In a place, the position of a row's four chunks of 16 bytes depends on the row. So eight rows' chunks, which
// are read at once, are in different banks. At the end, the tile of results uses the places' memory.
//
// Occupancy. 48 KiB of shared memory and at most 255 registers per thread: two blocks on a multiprocessor of 8.0 and
// later, one on one of 7.5, where copies don't overlap with computing.
#include "gpu_joined.h"

#include <cuda_bf16.h>
#include <cuda_fp16.h>

#include "gpu_joined_bodies.h"
#include "gpu_start.h"
#include "gpu_tensor.h"

namespace
{

enum {
    SIDE = TUB_GPU_JOINED_SIDE,
    STEP = TUB_GPU_JOINED_STEP,
    WARP = 32,
    THREADS = 128,
    QUARTER = SIDE / 2,         // a warp's rows and columns
    DEEP = 32,
    CHUNK = 8,                  // values in 16 bytes
    CHUNKS = DEEP / CHUNK,
    STAGES = 3,
    PLACE = SIDE * DEEP,        // for one factor
};

template <typename NARROW> constexpr tub_gpu_type type_of = TUB_GPU_BF16;
template <> constexpr tub_gpu_type type_of<__half> = TUB_GPU_F16;

// A warp's sums: tiles of 16 x 8 values each, in the tensor core's layout.
typedef float quarter[QUARTER / 16][QUARTER / 8][4];

// Rows that are a multiple of 2 * CHUNKS apart have the same swaps.
__device__ int place_of(int row, int chunk)
{
    return (row * CHUNKS + (chunk ^ (row / 2 % CHUNKS))) * CHUNK;
}

// What a thread copies of a factor: one chunk of every (THREADS / CHUNKS)th row of the tile.
template <typename NARROW> struct source {
    enum { APART = THREADS / CHUNKS, ROWS = SIDE / APART };
    const NARROW *at[ROWS];     // in the next piece
    bool there[ROWS];
};

template <typename NARROW> __device__ source<NARROW> source_of(const void *factor, int first, int rows, int k)
{
    source<NARROW> s;
    const int row = first + threadIdx.x / CHUNKS, col = threadIdx.x % CHUNKS * CHUNK;
#pragma unroll
    for (int i = 0; i < s.ROWS; i++) {
        s.there[i] = row + i * s.APART < rows;
        s.at[i] = (const NARROW *)factor + (int64_t)(s.there[i] ? row + i * s.APART : 0) * k + col;
    }
    return s;
}

// Copies the next piece, whose first column is `done`; zeros outside of the rows and columns that exist.
template <typename NARROW> __device__ void fetch(source<NARROW> &s, NARROW *to, int k, int done)
{
    const int row = threadIdx.x / CHUNKS, chunk = threadIdx.x % CHUNKS;
#pragma unroll
    for (int i = 0; i < s.ROWS; i++) {
        tub_gpu_copy_16(to + place_of(row, chunk) + i * s.APART * DEEP, s.at[i], s.there[i] && done + chunk * CHUNK < k);
        s.at[i] += DEEP;
    }
}

// `x`, `weight`: the warp's rows of a place.
template <typename NARROW> __device__ void multiply(quarter &sums, const NARROW *x, const NARROW *weight)
{
    const int lane = threadIdx.x % WARP, row = lane % 8, odd = lane / 8 % 2, high = lane / 16;
#pragma unroll
    for (int k = 0; k < CHUNKS; k += STEP / CHUNK) {
        const NARROW *x_row = x + place_of(8 * odd + row, k + high), *weight_row = weight + place_of(8 * high + row, k + odd);
        uint32_t a[QUARTER / 16][4], b[QUARTER / 16][4];
#pragma unroll
        for (int i = 0; i < QUARTER / 16; i++)
            tub_gpu_load_matrices(a[i], x_row + 16 * i * DEEP);
#pragma unroll
        for (int i = 0; i < QUARTER / 16; i++)
            tub_gpu_load_matrices(b[i], weight_row + 16 * i * DEEP);
#pragma unroll
        for (int i = 0; i < QUARTER / 16; i++)
#pragma unroll
            for (int j = 0; j < QUARTER / 8; j++)
                tub_gpu_multiply_add<NARROW>(sums[i][j], a[i], b[j / 2] + 2 * (j % 2));
    }
}

// Sums all k for the tile at `corner`.
template <typename NARROW>
__device__ void add_up(quarter &sums, const tub_gpu_joined &t, tub_gpu_corner corner, NARROW *memory)
{
    source<NARROW> x = source_of<NARROW>(t.x, corner.row, t.m, t.k);
    source<NARROW> weight = source_of<NARROW>(t.weight, corner.col, t.n, t.k);
    const int warp = threadIdx.x / WARP, down = warp / 2 * QUARTER * DEEP, across = warp % 2 * QUARTER * DEEP;
    NARROW *const end = memory + STAGES * 2 * PLACE, *place = memory, *next = memory;
    for (int done = 0; done < (STAGES - 1) * DEEP; done += DEEP, next += 2 * PLACE) {
        fetch(x, next, t.k, done);
        fetch(weight, next + PLACE, t.k, done);
        tub_gpu_copies_commit();
    }
    for (int done = 0; done < t.k; done += DEEP) {
        tub_gpu_copies_wait<STAGES - 2>();
        __syncthreads(); // all copies have arrived, and nobody reads `next` any more
        fetch(x, next, t.k, done + (STAGES - 1) * DEEP);
        fetch(weight, next + PLACE, t.k, done + (STAGES - 1) * DEEP);
        tub_gpu_copies_commit();
        multiply(sums, place + down, place + PLACE + across);
        place = place + 2 * PLACE == end ? memory : place + 2 * PLACE;
        next = next + 2 * PLACE == end ? memory : next + 2 * PLACE;
    }
    tub_gpu_copies_wait<0>();
    __syncthreads();
}

__device__ void put(void *tile, const quarter &sums, const tub_gpu_joined &t, int first_col)
{
    const int warp = threadIdx.x / WARP, lane = threadIdx.x % WARP;
    const int down = warp / 2 * QUARTER + lane / 4, across = warp % 2 * QUARTER + lane % 4 * 2;
#pragma unroll
    for (int j = 0; j < QUARTER / 8; j++) {
        const int col = across + 8 * j;
        const float bias[2] = {tub_gpu_joined_bias(&t, first_col + col), tub_gpu_joined_bias(&t, first_col + col + 1)};
#pragma unroll
        for (int i = 0; i < QUARTER / 8; i++)
            tub_gpu_joined_put(&t, tile, SIDE, down + 8 * i, col, sums[i / 2][j] + 2 * (i % 2), bias);
    }
}

template <typename NARROW> __device__ void compute(tub_gpu_joined &t, NARROW *memory)
{
    const tub_gpu_corner corner = tub_gpu_joined_corner(&t, blockIdx.x, SIDE, SIDE);
    quarter sums = {};
    t.type = type_of<NARROW>;
    add_up(sums, t, corner, memory);
    put(memory, sums, t, corner.col);
    __syncthreads();
    if (t.activation == 0) {
        for (int i = threadIdx.x; i < SIDE * tub_gpu_joined_turns(&t); i += THREADS)
            tub_gpu_joined_turn(&t, memory, SIDE, corner, i);
        __syncthreads();
    }
    for (int i = threadIdx.x; i < SIDE * tub_gpu_joined_writes(SIDE); i += THREADS)
        tub_gpu_joined_write(&t, memory, SIDE, corner, i);
}

template <typename NARROW> __global__ void __launch_bounds__(THREADS, 2) joined_kernel(tub_gpu_joined t)
{
    TUB_GPU_DYNAMIC(128, unsigned char, memory);
    compute<NARROW>(t, (NARROW *)memory);
}

template <typename NARROW> cudaError_t launch(const tub_gpu_joined *t, cudaStream_t stream)
{
    const size_t bytes = STAGES * 2 * PLACE * sizeof(NARROW);
    const int64_t tiles = (int64_t)tub_gpu_joined_tiles(t->m, SIDE) * tub_gpu_joined_tiles(t->n, SIDE);
    static_assert(SIDE * (SIDE + TUB_GPU_JOINED_PAD) <= STAGES * 2 * PLACE, "the tile fits into the place of the factors");
    if (tiles > INT32_MAX)
        return cudaErrorInvalidValue;
    return tub_gpu_start(joined_kernel<NARROW>, (unsigned)tiles, THREADS, bytes, stream, *t);
}

} // namespace

extern "C" cudaError_t tub_cuda_launch_joined(const tub_gpu_joined *t, cudaStream_t stream)
{
    if (t->m == 0)
        return cudaSuccess;
    return t->type == TUB_GPU_F16    ? launch<__half>(t, stream)
           : t->type == TUB_GPU_BF16 ? launch<__nv_bfloat16>(t, stream)
                                     : cudaErrorInvalidValue;
}
