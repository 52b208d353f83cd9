// Attention of float32 values on tensor cores, from 8.0 on; cuDNN has none. gpu_flash32_bodies.h says what is computed
// in which order.
//
// A block is up to four warps over the same keys. A warp has a tile of 16 queries, which stay in its registers with
// their sums. A block of keys and their values goes through shared memory. There rows begin four banks apart, so that a
// warp reads its factors without conflicts. Lane l of a warp has row l / 4 of its tile, and the row eight further down.
// A lane's scores of a row become, in place, factors of the values. For this, keys are in a special order: even ones
// before odd ones.
//
// Occupancy. If exact, ptxas gives 126 to 168 registers for heads of up to 64 columns and 250 to 255 beyond; those of
// 128 columns spill 28 bytes. If rounded, it gives 127 to 162 and 168 to 254. Shared memory is 17 KiB for 64 columns,
// 33 for 128. So a multiprocessor has three or four blocks for 64 columns, two for more.
#include "gpu_flash32.h"

#include "gpu_start.h"
#include "gpu_tensor.h"
// Must come after gpu_tensor.h, whose rounding it uses.
#include "gpu_flash32_bodies.h"

namespace
{

enum {
    QUERIES = TUB_GPU_FLASH_QUERIES,
    KEYS = TUB_GPU_FLASH_KEYS,
    STEP = TUB_GPU_FLASH32_STEP,
    PART = TUB_GPU_FLASH32_PART,
    WARP = 32,
    MOST_WARPS = 4,
};
constexpr unsigned ALL = 0xffffffffu; // lanes

// TILES: steps of a head's columns. EXACT: factors are split in two parts.
template <int TILES> __host__ __device__ constexpr int pitch_of()
{
    return TILES * STEP + 4;
}

struct factor {
    float high[4], low[4];
};

template <int TILES> struct tile {
    float q[TILES][4];              // rounded, unless exact
    float sums[TILES][4];
    float largest[2], total[2];     // of the lane's two rows
};

template <bool EXACT> __device__ void split(float x, float *high, float *low)
{
    *high = tub_gpu_tf32(x);
    *low = EXACT ? tub_gpu_tf32_rest(x) : 0.0f;
}

// Sums of a part: of high by high products, and of the others.
struct part {
    float high[4] = {}, low[4] = {};
};

template <bool EXACT> __device__ void multiply(part &sums, const factor &a, const float (&b)[2])
{
    float high[2], low[2];
    split<EXACT>(b[0], &high[0], &low[0]);
    split<EXACT>(b[1], &high[1], &low[1]);
    if (EXACT) {
        tub_gpu_multiply_add_tf32(sums.low, a.low, high);
        tub_gpu_multiply_add_tf32(sums.low, a.high, low);
    }
    tub_gpu_multiply_add_tf32(sums.high, a.high, high);
}

template <bool EXACT> __device__ void add(float (&to)[4], const part &sums)
{
#pragma unroll
    for (int i = 0; i < 4; i++)
        to[i] += EXACT ? sums.high[i] + sums.low[i] : sums.high[i];
}

// Fills `to` [KEYS, TILES * STEP] from the rows that exist, with zeros after them and after `dim`; copies a PACK at a
// time.
template <int TILES, typename PACK> __device__ void fill_by(float *to, const float *from, int64_t stride, int there, int dim)
{
    const int pack = sizeof(PACK) / sizeof(float), packs = TILES * STEP / pack;
    for (int i = threadIdx.x; i < KEYS * packs; i += blockDim.x) {
        const int row = i / packs, col = i % packs * pack;
        PACK x = {};
        if (row < there && col < dim)
            x = *(const PACK *)(from + row * stride + col);
        *(PACK *)(to + row * pitch_of<TILES>() + col) = x;
    }
}

template <int TILES> __device__ void fill(float *to, const float *from, int64_t stride, int there, int dim, int pack)
{
    if (pack == 4)
        fill_by<TILES, float4>(to, from, stride, there, dim);
    else if (pack == 2)
        fill_by<TILES, float2>(to, from, stride, there, dim);
    else
        fill_by<TILES, float>(to, from, stride, there, dim);
}

template <int TILES, bool EXACT>
__device__ void begin(tile<TILES> &t, const float *q, int64_t stride, int there, int dim, int lane)
{
#pragma unroll
    for (int i = 0; i < TILES; i++)
#pragma unroll
        for (int j = 0; j < 4; j++) {
            const int row = lane / 4 + j % 2 * 8, col = i * STEP + lane % 4 + j / 2 * 4;
            const float x = row < there && col < dim ? q[row * stride + col] : 0.0f;
            t.q[i][j] = EXACT ? x : tub_gpu_tf32(x);
            t.sums[i][j] = 0.0f;
        }
    for (int j = 0; j < 2; j++) {
        t.largest[j] = -INFINITY;
        t.total[j] = 0.0f;
    }
}

template <bool EXACT> __device__ factor query_factor(const float (&x)[4])
{
    factor q;
#pragma unroll
    for (int i = 0; i < 4; i++) {
        q.high[i] = EXACT ? tub_gpu_tf32(x[i]) : x[i];
        q.low[i] = EXACT ? tub_gpu_tf32_rest(x[i]) : 0.0f;
    }
    return q;
}

// Scores of keys 8 j + 2 (l % 4) and the next one, for both rows: scores[row][2 j] and the next one.
template <int TILES, bool EXACT>
__device__ void score(const tile<TILES> &t, const float *keys, float (&scores)[2][2 * PART], int lane)
{
    float sums[PART][4] = {};
    keys += lane / 4 * pitch_of<TILES>() + lane % 4;
#pragma unroll
    for (int first = 0; first < TILES; first += PART) {
        part parts[PART];
#pragma unroll
        for (int i = first; i < first + PART; i++) {
            const factor q = query_factor<EXACT>(t.q[i]);
#pragma unroll
            for (int j = 0; j < PART; j++) {
                const float *key = keys + j * STEP * pitch_of<TILES>() + i * STEP;
                const float b[2] = {key[0], key[4]};
                multiply<EXACT>(parts[j], q, b);
            }
        }
#pragma unroll
        for (int j = 0; j < PART; j++)
            add<EXACT>(sums[j], parts[j]);
    }
#pragma unroll
    for (int j = 0; j < PART; j++)
#pragma unroll
        for (int i = 0; i < 4; i++)
            scores[i / 2][2 * j + i % 2] = sums[j][i];
}

__device__ float most_of_row(float x)
{
    x = fmaxf(x, __shfl_xor_sync(ALL, x, 1));
    return fmaxf(x, __shfl_xor_sync(ALL, x, 2));
}

__device__ float sum_of_row(float x)
{
    x += __shfl_xor_sync(ALL, x, 1);
    return x + __shfl_xor_sync(ALL, x, 2);
}

// Turns scores into weights, and scales the sums so far to the new maximum.
template <int TILES, bool EXACT>
__device__ void weigh(tile<TILES> &t, float by, int count, float (&scores)[2][2 * PART], int lane)
{
#pragma unroll
    for (int row = 0; row < 2; row++) {
        const float high = fmaxf(t.largest[row], most_of_row(tub_gpu_flash32_scale(by, count, lane % 4, scores[row])));
        const float shrink = tub_gpu_flash_shrink(t.largest[row], high);
        t.total[row] = t.total[row] * shrink + sum_of_row(tub_gpu_flash32_weigh(!EXACT, high, scores[row]));
        t.largest[row] = high;
#pragma unroll
        for (int i = 0; i < TILES; i++) {
            t.sums[i][2 * row] *= shrink;
            t.sums[i][2 * row + 1] *= shrink;
        }
    }
}

template <int TILES, bool EXACT>
__device__ void add_values(tile<TILES> &t, const float *values, const float (&weights)[2][2 * PART], int lane)
{
    factor a[PART];
#pragma unroll
    for (int j = 0; j < PART; j++)
#pragma unroll
        for (int i = 0; i < 4; i++) // rows l / 4 and eight further; even key, then odd key
            split<EXACT>(weights[i % 2][2 * j + i / 2], &a[j].high[i], &a[j].low[i]);
    values += lane % 4 * 2 * pitch_of<TILES>() + lane / 4;
#pragma unroll
    for (int i = 0; i < TILES; i++) {
        part sum;
#pragma unroll
        for (int j = 0; j < PART; j++) {
            const float *value = values + j * STEP * pitch_of<TILES>() + i * STEP;
            const float b[2] = {value[0], value[pitch_of<TILES>()]};
            multiply<EXACT>(sum, a[j], b);
        }
        add<EXACT>(t.sums[i], sum);
    }
}

template <int TILES> __device__ void write(const tile<TILES> &t, float *out, int64_t stride, int there, int dim, int lane)
{
#pragma unroll
    for (int i = 0; i < TILES; i++)
#pragma unroll
        for (int j = 0; j < 4; j++) {
            const int row = lane / 4 + j / 2 * 8, col = i * STEP + lane % 4 * 2 + j % 2;
            if (row < there && col < dim)
                out[row * stride + col] = t.sums[i][j] / t.total[j / 2];
        }
}

// All warps of a block reach every barrier, even those without queries.
template <int TILES, bool EXACT> __device__ void attend(const tub_gpu_attention &a, int run, int pack, float *keys)
{
    float *values = keys + KEYS * pitch_of<TILES>();
    const int warp = threadIdx.x / WARP, lane = threadIdx.x % WARP, head = (int)blockIdx.y * a.dim;
    const int query = ((int)blockIdx.x * (int)(blockDim.x / WARP) + warp) * QUERIES, there = a.queries - query;
    tile<TILES> t;
    begin<TILES, EXACT>(t, (const float *)a.q + run * a.q_batch + query * a.q_row + head, a.q_row, there, a.dim, lane);
    for (int first = 0; first < a.keys; first += KEYS) {
        __syncthreads();
        fill<TILES>(keys, (const float *)a.k + run * a.k_batch + first * a.k_row + head, a.k_row, a.keys - first, a.dim,
                    pack);
        fill<TILES>(values, (const float *)a.v + run * a.v_batch + first * a.v_row + head, a.v_row, a.keys - first,
                    a.dim, pack);
        __syncthreads();
        if (there <= 0)
            continue;
        float scores[2][2 * PART];
        score<TILES, EXACT>(t, keys, scores, lane);
        weigh<TILES, EXACT>(t, tub_gpu_flash_factor(&a), a.keys - first, scores, lane);
        add_values<TILES, EXACT>(t, values, scores, lane);
    }
    write(t, (float *)a.out + run * a.out_batch + query * a.out_row + head, a.out_row, there, a.dim, lane);
}

template <int TILES, bool EXACT>
__global__ void __launch_bounds__(MOST_WARPS * WARP) flash32_kernel(tub_gpu_attention a, int pack)
{
    TUB_GPU_DYNAMIC(16, float, memory);
    for (int run = blockIdx.z; run < a.batch; run += gridDim.z)
        attend<TILES, EXACT>(a, run, pack, memory);
}

// How many elements of keys and values can be read at once.
int pack_of(const tub_gpu_attention *t)
{
    const int64_t all = t->dim | t->k_row | t->v_row | t->k_batch | t->v_batch | (int64_t)((uintptr_t)t->k | (uintptr_t)t->v) / 4;
    return all % 4 == 0 ? 4 : all % 2 == 0 ? 2 : 1;
}

template <int TILES> cudaError_t launch(const tub_gpu_attention *t, cudaStream_t stream)
{
    const int wanted = (t->queries + QUERIES - 1) / QUERIES, warps = wanted < MOST_WARPS ? wanted : MOST_WARPS;
    const size_t bytes = 2 * KEYS * (size_t)pitch_of<TILES>() * sizeof(float);
    const dim3 grid((unsigned)((wanted + warps - 1) / warps), (unsigned)t->heads,
                    (unsigned)(t->batch < 65535 ? t->batch : 65535));
    return t->tf32 ? tub_gpu_start(flash32_kernel<TILES, false>, grid, warps * WARP, bytes, stream, *t, pack_of(t))
                   : tub_gpu_start(flash32_kernel<TILES, true>, grid, warps * WARP, bytes, stream, *t, pack_of(t));
}

} // namespace

extern "C" cudaError_t tub_cuda_launch_flash32(const tub_gpu_attention *t, cudaStream_t stream)
{
    if (t->dim <= 4 * STEP)
        return launch<4>(t, stream);
    if (t->dim <= 8 * STEP)
        return launch<8>(t, stream);
    if (t->dim <= 12 * STEP)
        return launch<12>(t, stream);
    return t->dim <= TUB_GPU_FLASH_HEAD ? launch<TUB_GPU_FLASH_HEAD / STEP>(t, stream) : cudaErrorInvalidValue;
}
