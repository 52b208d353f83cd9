// Attention on tensor cores where cuDNN can't be used: heads whose columns aren't a multiple of 8, cards before 8.0,
// machines without cuDNN. gpu_flash_bodies.h says what is computed in which order.
//
// A block is up to four warps over the same keys. A warp has a tile of 16 queries, which stay in its registers with
// their sums. A block of keys and their values goes through shared memory. There each warp has a corner for its scores,
// which become weights in place. In shared memory only, the columns of a head are padded with zeros to a multiple of
// 16.
//
// The library doesn't say which element of a tile a lane's registers hold. So scores go through shared memory to become
// weights. To find the row of an accumulator's element, by which it is scaled down, we read a tile that contains its
// row numbers.
//
// Occupancy. A block of four warps uses 2 * 32 rows of (columns + 8) * 2 bytes of shared memory, and 16 * 36 floats per
// warp: 18 KiB for heads of 64 columns, 26 for 128. ptxas gives 72 to 126 registers up to 64 columns, 128 up to 96, 160
// to 168 up to 128; no tile is spilled. So for 64 columns on 7.5, which has 64 KiB of shared memory, three blocks (12
// warps) fit on a multiprocessor. From 8.0 on registers are the limit: four blocks of bfloat16 and five of float16; for
// 128 columns two and three blocks. Warps of other blocks compute while those of one wait for memory; that is why
// blocks of keys are as small as 32, and why nothing is prefetched.
#include "gpu_flash.h"

#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <mma.h>

#include "gpu_flash32.h"
#include "gpu_flash_bodies.h"
#include "gpu_start.h"

namespace
{

using namespace nvcuda;

enum {
    STEP = TUB_GPU_FLASH_STEP,
    KEYS = TUB_GPU_FLASH_KEYS,
    LANE_KEYS = TUB_GPU_FLASH_LANE_KEYS,
    WARP = 32,
    MOST_WARPS = 4,
    SCORES_PITCH = KEYS + 4,            // floats: rows begin four banks apart
    WEIGHTS_PITCH = 2 * SCORES_PITCH,   // narrow: a row of weights begins where its scores did
    SCORES = STEP * SCORES_PITCH,       // of a warp
};
constexpr unsigned ALL = 0xffffffffu; // lanes

#ifdef __CUDA_ARCH__
enum { CAPABILITY = __CUDA_ARCH__ };
#else
enum { CAPABILITY = 0 };
#endif

template <typename NARROW> constexpr bool is_half = false;
template <> constexpr bool is_half<__half> = true;

// Rows in shared memory are padded by 16 bytes: neighboring rows begin four banks apart.
__host__ __device__ int pitch_of(int tiles)
{
    return tiles * STEP + 8;
}

// Fills `to` [rows, tiles * STEP] from the rows that exist, with zeros after them and after `dim`; copies a PACK at a
// time.
template <typename NARROW, typename PACK>
__device__ void fill_by(NARROW *to, const NARROW *from, int64_t stride, int rows, int there, int dim, int tiles)
{
    const int pack = sizeof(PACK) / sizeof(NARROW), packs = tiles * STEP / pack, pitch = pitch_of(tiles);
    for (int i = threadIdx.x; i < rows * packs; i += blockDim.x) {
        const int row = i / packs, col = i % packs * pack;
        PACK x = {};
        if (row < there && col < dim)
            x = *(const PACK *)(from + row * stride + col);
        *(PACK *)(to + row * pitch + col) = x;
    }
}

template <typename NARROW>
__device__ void fill(NARROW *to, const NARROW *from, int64_t stride, int rows, int there, int dim, int tiles, int pack)
{
    if (pack == 8)
        fill_by<NARROW, uint4>(to, from, stride, rows, there, dim, tiles);
    else if (pack == 4)
        fill_by<NARROW, uint2>(to, from, stride, rows, there, dim, tiles);
    else if (pack == 2)
        fill_by<NARROW, uint32_t>(to, from, stride, rows, there, dim, tiles);
    else
        fill_by<NARROW, uint16_t>(to, from, stride, rows, there, dim, tiles);
}

// A tile of queries in a warp's registers. A lane has half of the scores of row lane / 2.
template <typename NARROW, int TILES> struct tile {
    wmma::fragment<wmma::matrix_a, STEP, STEP, STEP, NARROW, wmma::row_major> q[TILES];
    wmma::fragment<wmma::accumulator, STEP, STEP, STEP, float> sums[TILES];
    int lane_of[wmma::fragment<wmma::accumulator, STEP, STEP, STEP, float>::num_elements]; // a lane with the same row
    float largest, total;
};

template <typename NARROW, int TILES>
__device__ void begin(tile<NARROW, TILES> *t, const NARROW *q, float *corner, int tiles, int lane)
{
    wmma::fragment<wmma::accumulator, STEP, STEP, STEP, float> rows;
    for (int i = 0; i < STEP / 2; i++)
        corner[lane / 2 * SCORES_PITCH + lane % 2 * (STEP / 2) + i] = (float)(lane / 2);
    __syncwarp();
    wmma::load_matrix_sync(rows, corner, SCORES_PITCH, wmma::mem_row_major);
#pragma unroll
    for (int i = 0; i < rows.num_elements; i++)
        t->lane_of[i] = 2 * (int)rows.x[i];
#pragma unroll
    for (int i = 0; i < TILES; i++) {
        wmma::fill_fragment(t->sums[i], 0.0f);
        if (i < tiles)
            wmma::load_matrix_sync(t->q[i], q + i * STEP, pitch_of(tiles));
    }
    t->largest = -INFINITY;
    t->total = 0.0f;
    __syncwarp();
}

template <typename NARROW, int TILES>
__device__ void score(const tile<NARROW, TILES> *t, const NARROW *keys, float *corner, int tiles)
{
    wmma::fragment<wmma::accumulator, STEP, STEP, STEP, float> scores[KEYS / STEP];
    wmma::fragment<wmma::matrix_b, STEP, STEP, STEP, NARROW, wmma::col_major> k;
    for (int n = 0; n < KEYS / STEP; n++)
        wmma::fill_fragment(scores[n], 0.0f);
#pragma unroll
    for (int i = 0; i < TILES; i++)
        if (i < tiles)
#pragma unroll
            for (int n = 0; n < KEYS / STEP; n++) {
                wmma::load_matrix_sync(k, keys + n * STEP * pitch_of(tiles) + i * STEP, pitch_of(tiles));
                wmma::mma_sync(scores[n], t->q[i], k, scores[n]);
            }
#pragma unroll
    for (int n = 0; n < KEYS / STEP; n++)
        wmma::store_matrix_sync(corner + n * STEP, scores[n], SCORES_PITCH, wmma::mem_row_major);
    __syncwarp();
}

// Turns scores into weights, and scales the sums so far to the new maximum.
template <typename NARROW, int TILES>
__device__ void weigh(tile<NARROW, TILES> *t, float factor, int count, float *corner, int lane)
{
    float scores[LANE_KEYS];
    const float *row = corner + lane / 2 * SCORES_PITCH + lane % 2 * LANE_KEYS;
#pragma unroll
    for (int i = 0; i < LANE_KEYS; i += 4) {
        const float4 x = *(const float4 *)(row + i);
        scores[i] = x.x;
        scores[i + 1] = x.y;
        scores[i + 2] = x.z;
        scores[i + 3] = x.w;
    }
    float high = tub_gpu_flash_scale(factor, count - lane % 2 * LANE_KEYS, scores);
    high = fmaxf(high, __shfl_xor_sync(ALL, high, 1));
    high = fmaxf(high, t->largest);
    const float shrink = tub_gpu_flash_shrink(t->largest, high);
    float sum = tub_gpu_flash_weigh(is_half<NARROW> ? TUB_GPU_F16 : TUB_GPU_BF16, high, scores);
    sum += __shfl_xor_sync(ALL, sum, 1);
    t->total = t->total * shrink + sum;
    t->largest = high;
    __syncwarp(); // all scores have been read
    __align__(16) NARROW weights[LANE_KEYS];
#pragma unroll
    for (int i = 0; i < LANE_KEYS; i++)
        weights[i] = (NARROW)scores[i];
    uint4 *out = (uint4 *)((NARROW *)corner + lane / 2 * WEIGHTS_PITCH + lane % 2 * LANE_KEYS);
    out[0] = ((const uint4 *)weights)[0];
    out[1] = ((const uint4 *)weights)[1];
    __syncwarp();
#pragma unroll
    for (int i = 0; i < t->sums[0].num_elements; i++) {
        const float by = __shfl_sync(ALL, shrink, t->lane_of[i]);
#pragma unroll
        for (int j = 0; j < TILES; j++)
            t->sums[j].x[i] *= by;
    }
}

template <typename NARROW, int TILES>
__device__ void add_values(tile<NARROW, TILES> *t, const NARROW *values, const float *corner, int tiles)
{
    wmma::fragment<wmma::matrix_a, STEP, STEP, STEP, NARROW, wmma::row_major> weights;
    wmma::fragment<wmma::matrix_b, STEP, STEP, STEP, NARROW, wmma::row_major> v;
#pragma unroll
    for (int n = 0; n < KEYS / STEP; n++) {
        wmma::load_matrix_sync(weights, (const NARROW *)corner + n * STEP, WEIGHTS_PITCH);
#pragma unroll
        for (int i = 0; i < TILES; i++)
            if (i < tiles) {
                wmma::load_matrix_sync(v, values + n * STEP * pitch_of(tiles) + i * STEP, pitch_of(tiles));
                wmma::mma_sync(t->sums[i], weights, v, t->sums[i]);
            }
    }
}

// Writes 16 columns at a time through the warp's corner; a lane writes eight of them.
template <typename NARROW, int TILES>
__device__ void write(const tile<NARROW, TILES> *t, NARROW *out, bool there, float *corner, int dim, int tiles, int pack,
                      int lane)
{
#pragma unroll
    for (int i = 0; i < TILES; i++) {
        if (i >= tiles)
            break;
        __syncwarp();
        wmma::store_matrix_sync(corner, t->sums[i], SCORES_PITCH, wmma::mem_row_major);
        __syncwarp();
        const int col = i * STEP + lane % 2 * 8;
        const float *sums = corner + lane / 2 * SCORES_PITCH + lane % 2 * 8;
        __align__(16) NARROW x[8];
#pragma unroll
        for (int j = 0; j < 8; j++)
            x[j] = (NARROW)(sums[j] / t->total);
        if (there && pack == 8 && col < dim)
            *(uint4 *)(out + col) = *(const uint4 *)x;
        else if (there)
            for (int j = 0; j < 8; j++)
                if (col + j < dim)
                    out[col + j] = x[j];
    }
}

// All warps of a block reach every barrier, even those without queries.
template <typename NARROW, int TILES>
__device__ void attend(const tub_gpu_attention &a, int run, int pack, NARROW *memory)
{
    const int tiles = (a.dim + STEP - 1) / STEP, pitch = pitch_of(tiles), head = (int)blockIdx.y * a.dim;
    const int warp = threadIdx.x / WARP, lane = threadIdx.x % WARP, rows = blockDim.x / WARP * STEP;
    const int block = (int)blockIdx.x * rows, query = block + warp * STEP + lane / 2;
    const bool works = block + warp * STEP < a.queries;
    NARROW *keys = memory, *values = memory + KEYS * pitch;
    float *corner = (float *)(memory + 2 * KEYS * pitch) + warp * SCORES;
    tile<NARROW, TILES> t;
    // The queries reach the registers through the memory that keys and values will use.
    __syncthreads();
    fill(memory, (const NARROW *)a.q + run * a.q_batch + block * a.q_row + head, a.q_row, rows, a.queries - block, a.dim,
         tiles, pack);
    __syncthreads();
    begin(&t, memory + warp * STEP * pitch, corner, tiles, lane);
    for (int first = 0; first < a.keys; first += KEYS) {
        __syncthreads();
        fill(keys, (const NARROW *)a.k + run * a.k_batch + first * a.k_row + head, a.k_row, KEYS, a.keys - first, a.dim,
             tiles, pack);
        fill(values, (const NARROW *)a.v + run * a.v_batch + first * a.v_row + head, a.v_row, KEYS, a.keys - first,
             a.dim, tiles, pack);
        __syncthreads();
        if (!works)
            continue;
        score(&t, keys, corner, tiles);
        weigh(&t, tub_gpu_flash_factor(&a), a.keys - first, corner, lane);
        add_values(&t, values, corner, tiles);
    }
    if (works)
        write(&t, (NARROW *)a.out + run * a.out_batch + query * a.out_row + head, query < a.queries, corner, a.dim, tiles,
              pack, lane);
}

template <typename NARROW, int TILES>
__global__ void __launch_bounds__(MOST_WARPS * WARP) flash_kernel(tub_gpu_attention a, int pack)
{
    TUB_GPU_DYNAMIC(32, unsigned char, memory);
    if constexpr (CAPABILITY >= (is_half<NARROW> ? 700 : 800))
        for (int run = blockIdx.z; run < a.batch; run += gridDim.z)
            attend<NARROW, TILES>(a, run, pack, (NARROW *)memory);
    else
        __trap(); // never launched there
}

// How many elements can be read at once: heads and rows begin at multiples of that number.
int pack_of(const tub_gpu_attention *t)
{
    const int64_t all = t->dim | t->q_row | t->k_row | t->v_row | t->out_row | t->q_batch | t->k_batch | t->v_batch |
                        t->out_batch | (int64_t)((uintptr_t)t->q | (uintptr_t)t->k | (uintptr_t)t->v | (uintptr_t)t->out) / 2;
    return all % 8 == 0 ? 8 : all % 4 == 0 ? 4 : all % 2 == 0 ? 2 : 1;
}

template <typename NARROW, int TILES> cudaError_t launch(const tub_gpu_attention *t, cudaStream_t stream)
{
    const int tiles = (t->dim + STEP - 1) / STEP, wanted = (t->queries + STEP - 1) / STEP;
    const int warps = wanted < MOST_WARPS ? wanted : MOST_WARPS;
    const size_t bytes = 2 * KEYS * (size_t)pitch_of(tiles) * sizeof(NARROW) + (size_t)warps * SCORES * sizeof(float);
    const dim3 grid((unsigned)((wanted + warps - 1) / warps), (unsigned)t->heads,
                    (unsigned)(t->batch < 65535 ? t->batch : 65535));
    static_assert(MOST_WARPS * STEP <= 2 * KEYS, "the queries fit into the place of keys and values");
    return tub_gpu_start(flash_kernel<NARROW, TILES>, grid, warps * WARP, bytes, stream, *t, pack_of(t));
}

template <typename NARROW> cudaError_t launch_typed(const tub_gpu_attention *t, cudaStream_t stream)
{
    if (t->dim <= 2 * STEP)
        return launch<NARROW, 2>(t, stream);
    if (t->dim <= 4 * STEP)
        return launch<NARROW, 4>(t, stream);
    if (t->dim <= 6 * STEP)
        return launch<NARROW, 6>(t, stream);
    return t->dim <= TUB_GPU_FLASH_HEAD ? launch<NARROW, TUB_GPU_FLASH_HEAD / STEP>(t, stream) : cudaErrorInvalidValue;
}

} // namespace

extern "C" cudaError_t tub_cuda_launch_flash(const tub_gpu_attention *t, cudaStream_t stream)
{
    if (t->queries == 0 || t->batch == 0)
        return cudaSuccess;
    return t->type == TUB_GPU_F16    ? launch_typed<__half>(t, stream)
           : t->type == TUB_GPU_BF16 ? launch_typed<__nv_bfloat16>(t, stream)
           : t->type == TUB_GPU_F32  ? tub_cuda_launch_flash32(t, stream)
                                     : cudaErrorInvalidValue;
}
