// Our kernels on the device: how threads are numbered, and what they exchange. What each computes is in gpu_bodies.h.
//
// The type in memory is a template parameter, so that loads and stores are plain instructions.
#include "gpu_kernels.h"

#include "gpu_bodies.h"
#include "gpu_flash.h"
#include "gpu_fp8_bodies.h"
#include "gpu_frame_kernels.h"
#include "gpu_joined.h"
#include "gpu_joined_wide.h"
#include "gpu_norm_bodies.h"
#include "gpu_start.h"

namespace
{

enum { THREADS = 256, MOST_THREADS = INT32_MAX, MOST_BLOCKS_Y = 65535 };

unsigned blocks_for(int64_t threads)
{
    return (unsigned)((threads + THREADS - 1) / THREADS);
}

// Blocks begin at the end: what the previous kernel wrote last is still in the cache, and so will be what the next
// kernel reads first.
__device__ unsigned block_from_end()
{
    return gridDim.x - 1 - blockIdx.x;
}

// ---- one thread, one body: the task's type is overwritten with the constant, so that the compiler knows it ----

#define PLAIN_KERNEL(kind)                                                              \
    template <tub_gpu_type TYPE> __global__ void kind##_kernel(tub_gpu_##kind t, uint32_t threads) \
    {                                                                                   \
        const uint32_t thread = block_from_end() * THREADS + threadIdx.x;               \
        t.type = TYPE;                                                                  \
        if (thread < threads)                                                           \
            tub_gpu_##kind##_body(&t, thread);                                          \
    }                                                                                   \
    cudaError_t launch(const tub_gpu_##kind *t, cudaStream_t stream)                    \
    {                                                                                   \
        const int64_t threads = tub_gpu_##kind##_threads(t);                            \
        if (threads > MOST_THREADS)                                                     \
            return cudaErrorInvalidValue;                                               \
        if (threads == 0)                                                               \
            return cudaSuccess;                                                         \
        const unsigned blocks = blocks_for(threads);                                    \
        return t->type == TUB_GPU_F32 ? tub_gpu_start(kind##_kernel<TUB_GPU_F32>, blocks, THREADS, 0, stream, *t, threads) \
             : t->type == TUB_GPU_F16 ? tub_gpu_start(kind##_kernel<TUB_GPU_F16>, blocks, THREADS, 0, stream, *t, threads) \
                                      : tub_gpu_start(kind##_kernel<TUB_GPU_BF16>, blocks, THREADS, 0, stream, *t, threads); \
    }

PLAIN_KERNEL(patches)
PLAIN_KERNEL(sum)
PLAIN_KERNEL(gate)
PLAIN_KERNEL(activate)

// MOST: the number of pairs of columns that a thread has.
template <tub_gpu_type TYPE, int MOST>
__global__ void __launch_bounds__(THREADS, 3) rotate_kernel(tub_gpu_rotate t, uint32_t threads)
{
    const uint32_t thread = block_from_end() * THREADS + threadIdx.x;
    t.type = TYPE;
    if (thread < threads)
        tub_gpu_rotate_by(&t, thread, MOST);
}

template <int MOST> cudaError_t launch_rotate(const tub_gpu_rotate *t, uint32_t threads, cudaStream_t stream)
{
    const unsigned blocks = blocks_for(threads);
    return t->type == TUB_GPU_F32   ? tub_gpu_start(rotate_kernel<TUB_GPU_F32, MOST>, blocks, THREADS, 0, stream, *t, threads)
           : t->type == TUB_GPU_F16 ? tub_gpu_start(rotate_kernel<TUB_GPU_F16, MOST>, blocks, THREADS, 0, stream, *t, threads)
                                    : tub_gpu_start(rotate_kernel<TUB_GPU_BF16, MOST>, blocks, THREADS, 0, stream, *t, threads);
}

cudaError_t launch(const tub_gpu_rotate *t, cudaStream_t stream)
{
    const int64_t threads = tub_gpu_rotate_threads(t);
    if (threads > MOST_THREADS)
        return cudaErrorInvalidValue;
    if (threads == 0)
        return cudaSuccess;
    return tub_gpu_rotate_most(t) == TUB_GPU_RUN ? launch_rotate<TUB_GPU_RUN>(t, (uint32_t)threads, stream)
                                                 : launch_rotate<TUB_GPU_PACK>(t, (uint32_t)threads, stream);
}

__global__ void copy_rows_kernel(tub_gpu_copy_rows t, uint32_t threads)
{
    const uint32_t thread = block_from_end() * THREADS + threadIdx.x;
    if (thread < threads)
        tub_gpu_copy_rows_body(&t, thread);
}

cudaError_t launch(const tub_gpu_copy_rows *t, cudaStream_t stream)
{
    const int64_t threads = tub_gpu_copy_rows_threads(t);
    if (threads > MOST_THREADS)
        return cudaErrorInvalidValue;
    if (threads == 0)
        return cudaSuccess;
    return tub_gpu_start(copy_rows_kernel, blocks_for(threads), THREADS, 0, stream, *t, threads);
}

// ---- norms: a warp per slice; its lanes exchange values by butterfly ----

__device__ float sum_of_lanes(float x)
{
    for (int distance = TUB_GPU_LANES / 2; distance > 0; distance /= 2)
        x += __shfl_xor_sync(0xffffffffu, x, distance);
    return x;
}

// HELD: the number of packs of a slice in a lane's registers; 0: each pass reads x.
template <tub_gpu_type TYPE, tub_gpu_type OUT, int HELD> __global__ void norm_kernel(tub_gpu_norm t, uint32_t slices)
{
    const int lane = threadIdx.x % TUB_GPU_LANES, packs = HELD ? HELD : tub_gpu_norm_packs(t.dim);
    const uint32_t slice = block_from_end() * (THREADS / TUB_GPU_LANES) + threadIdx.x / TUB_GPU_LANES;
    if (slice >= slices)
        return;
    t.type = TYPE;
    t.out_type = OUT;
    float held[HELD ? HELD * TUB_GPU_PACK : 1], mean = 0.0f;
    float *x = HELD ? held : NULL;
    const tub_gpu_norm_slice s = tub_gpu_norm_at(&t, slice);
    if (HELD)
        tub_gpu_norm_hold(&t, &s, lane, packs, held);
    if (t.kind == 0)
        mean = sum_of_lanes(tub_gpu_norm_part(&t, &s, lane, packs, x, false, 0.0f)) / (float)t.dim;
    const float factor = tub_gpu_norm_factor(&t, sum_of_lanes(tub_gpu_norm_part(&t, &s, lane, packs, x, true, mean)));
    tub_gpu_norm_write(&t, &s, lane, packs, x, mean, factor);
    tub_gpu_norm_rest(&t, slice, lane);
}

template <tub_gpu_type TYPE, tub_gpu_type OUT, int HELD>
cudaError_t launch_norm(const tub_gpu_norm *t, int64_t slices, cudaStream_t stream)
{
    const int64_t per_block = THREADS / TUB_GPU_LANES;
    const unsigned blocks = (unsigned)((slices + per_block - 1) / per_block);
    return tub_gpu_start(norm_kernel<TYPE, OUT, HELD>, blocks, THREADS, 0, stream, *t, (uint32_t)slices);
}

template <tub_gpu_type TYPE, tub_gpu_type OUT> cudaError_t launch_norm(const tub_gpu_norm *t, cudaStream_t stream)
{
    const int64_t slices = (int64_t)t->rows * t->count;
    if (slices > MOST_THREADS)
        return cudaErrorInvalidValue;
    switch (tub_gpu_norm_held(t)) {
    case 1:
        return launch_norm<TYPE, OUT, 1>(t, slices, stream);
    case 3:
        return launch_norm<TYPE, OUT, 3>(t, slices, stream);
    case 6:
        return launch_norm<TYPE, OUT, 6>(t, slices, stream);
    case 8:
        return launch_norm<TYPE, OUT, 8>(t, slices, stream);
    case 12:
        return launch_norm<TYPE, OUT, 12>(t, slices, stream);
    case TUB_GPU_HELD:
        return launch_norm<TYPE, OUT, TUB_GPU_HELD>(t, slices, stream);
    default:
        return launch_norm<TYPE, OUT, 0>(t, slices, stream);
    }
}

template <tub_gpu_type TYPE> cudaError_t launch_norm(const tub_gpu_norm *t, cudaStream_t stream)
{
    return t->out_type == TUB_GPU_F32   ? launch_norm<TYPE, TUB_GPU_F32>(t, stream)
           : t->out_type == TUB_GPU_F16 ? launch_norm<TYPE, TUB_GPU_F16>(t, stream)
                                        : launch_norm<TYPE, TUB_GPU_BF16>(t, stream);
}

cudaError_t launch(const tub_gpu_norm *t, cudaStream_t stream)
{
    return t->type == TUB_GPU_F32   ? launch_norm<TUB_GPU_F32>(t, stream)
           : t->type == TUB_GPU_F16 ? launch_norm<TUB_GPU_F16>(t, stream)
                                    : launch_norm<TUB_GPU_BF16>(t, stream);
}

// ---- means: a block has neighboring columns of one item; each of its rows of threads sums different rows ----

enum { MEAN_COLUMNS = 32, MEAN_PARTS = 32 };

template <tub_gpu_type TYPE>
__global__ void __launch_bounds__(MEAN_COLUMNS * MEAN_PARTS) mean_kernel(tub_gpu_mean t)
{
    TUB_GPU_SHARED(float, sums, [MEAN_PARTS][MEAN_COLUMNS]);
    const int col = blockIdx.x * MEAN_COLUMNS + threadIdx.x, parts = tub_gpu_mean_parts(&t);
    double total = 0;
    t.type = TYPE;
    for (int first = 0; first < parts; first += MEAN_PARTS) {
        const int part = first + threadIdx.y;
        if (col < t.cols && part < parts)
            sums[threadIdx.y][threadIdx.x] = tub_gpu_mean_part(&t, blockIdx.y, col, part);
        __syncthreads();
        for (int i = 0; threadIdx.y == 0 && col < t.cols && i < MEAN_PARTS && first + i < parts; i++)
            total += sums[i][threadIdx.x];
        __syncthreads();
    }
    if (threadIdx.y == 0 && col < t.cols)
        tub_gpu_mean_write(&t, blockIdx.y, col, total);
}

cudaError_t launch(const tub_gpu_mean *t, cudaStream_t stream)
{
    const int parts = tub_gpu_mean_parts(t);
    const dim3 grid((unsigned)((t->cols + MEAN_COLUMNS - 1) / MEAN_COLUMNS), (unsigned)t->items);
    const dim3 block(MEAN_COLUMNS, (unsigned)(parts < MEAN_PARTS ? parts : MEAN_PARTS));
    if (t->items > MOST_BLOCKS_Y)
        return cudaErrorInvalidValue;
    return t->type == TUB_GPU_F32   ? tub_gpu_start(mean_kernel<TUB_GPU_F32>, grid, block, 0, stream, *t)
           : t->type == TUB_GPU_F16 ? tub_gpu_start(mean_kernel<TUB_GPU_F16>, grid, block, 0, stream, *t)
                                    : tub_gpu_start(mean_kernel<TUB_GPU_BF16>, grid, block, 0, stream, *t);
}

// ---- rows as e4m3: a warp per row ----

__device__ float most_of_lanes(float x)
{
    for (int distance = TUB_GPU_LANES / 2; distance > 0; distance /= 2)
        x = fmaxf(x, __shfl_xor_sync(0xffffffffu, x, distance));
    return x;
}

template <tub_gpu_type TYPE> __global__ void quantise_kernel(tub_gpu_quantise t)
{
    const int lane = threadIdx.x % TUB_GPU_LANES;
    const int64_t row = (int64_t)blockIdx.x * (THREADS / TUB_GPU_LANES) + threadIdx.x / TUB_GPU_LANES;
    if (row >= t.rows)
        return;
    t.type = TYPE;
    tub_gpu_quantise_write(&t, row, lane, most_of_lanes(tub_gpu_quantise_part(&t, row, lane)));
}

cudaError_t launch(const tub_gpu_quantise *t, cudaStream_t stream)
{
    const int per_block = THREADS / TUB_GPU_LANES;
    const unsigned blocks = (unsigned)(((int64_t)t->rows + per_block - 1) / per_block);
    return t->type == TUB_GPU_BF16  ? tub_gpu_start(quantise_kernel<TUB_GPU_BF16>, blocks, THREADS, 0, stream, *t)
           : t->type == TUB_GPU_F16 ? tub_gpu_start(quantise_kernel<TUB_GPU_F16>, blocks, THREADS, 0, stream, *t)
                                    : cudaErrorInvalidValue;
}

// ---- attention: a thread per query, tiles of keys and values in shared memory ----

enum { QUERIES = 128 };

// All threads of a block reach every barrier, even those without a query.
template <tub_gpu_type TYPE, int MOST> __global__ void attention_kernel(tub_gpu_attention t)
{
    TUB_GPU_DYNAMIC(4, float, tile);
    float *keys = tile, *values = tile + TUB_GPU_KEYS * MOST;
    const int query = blockIdx.x * blockDim.x + threadIdx.x, head = blockIdx.y;
    t.type = TYPE;
    for (int run = blockIdx.z; run < t.batch; run += gridDim.z) {
        float q[MOST], sums[MOST], largest = -INFINITY, total = 0.0f;
        for (int j = 0; j < MOST; j++)
            q[j] = sums[j] = 0.0f;
        if (query < t.queries)
            tub_gpu_attention_query(&t, run, head, query, MOST, q);
        for (int first = 0; first < t.keys; first += TUB_GPU_KEYS) {
            const int count = t.keys - first < TUB_GPU_KEYS ? t.keys - first : TUB_GPU_KEYS;
            __syncthreads();
            for (int i = threadIdx.x; i < count * MOST; i += blockDim.x) {
                const int key = i / MOST, j = i % MOST;
                keys[i] = j < t.dim ? tub_gpu_attention_key(&t, run, head, first + key, j) : 0.0f;
                values[i] = j < t.dim ? tub_gpu_attention_value(&t, run, head, first + key, j) : 0.0f;
            }
            __syncthreads();
            tub_gpu_attention_tile(q, keys, values, count, MOST, sums, &largest, &total);
        }
        if (query < t.queries)
            tub_gpu_attention_write(&t, run, head, query, sums, total);
    }
}

template <tub_gpu_type TYPE, int MOST> cudaError_t launch_attention(const tub_gpu_attention *t, cudaStream_t stream)
{
    const int bytes = 2 * TUB_GPU_KEYS * MOST * (int)sizeof(float);
    int threads = (t->queries + 31) / 32 * 32;
    threads = threads < QUERIES ? threads : QUERIES;
    const dim3 grid((unsigned)((t->queries + threads - 1) / threads), (unsigned)t->heads,
                    (unsigned)(t->batch < 65535 ? t->batch : 65535));
    const cudaError_t code = cudaFuncSetAttribute(attention_kernel<TYPE, MOST>,
                                                  cudaFuncAttributeMaxDynamicSharedMemorySize, bytes);
    if (code != cudaSuccess)
        return code;
    return tub_gpu_start(attention_kernel<TYPE, MOST>, grid, threads, (size_t)bytes, stream, *t);
}

template <tub_gpu_type TYPE> cudaError_t launch_typed(const tub_gpu_attention *t, cudaStream_t stream)
{
    if (t->dim <= 32)
        return launch_attention<TYPE, 32>(t, stream);
    if (t->dim <= 64)
        return launch_attention<TYPE, 64>(t, stream);
    if (t->dim <= 96)
        return launch_attention<TYPE, 96>(t, stream);
    if (t->dim <= 128)
        return launch_attention<TYPE, 128>(t, stream);
    return t->dim <= TUB_GPU_MOST_HEAD ? launch_attention<TYPE, TUB_GPU_MOST_HEAD>(t, stream) : cudaErrorInvalidValue;
}

cudaError_t launch(const tub_gpu_attention *t, cudaStream_t stream)
{
    return t->type == TUB_GPU_F32   ? launch_typed<TUB_GPU_F32>(t, stream)
           : t->type == TUB_GPU_F16 ? launch_typed<TUB_GPU_F16>(t, stream)
                                    : launch_typed<TUB_GPU_BF16>(t, stream);
}

// TUB_CUDA_WIDE: whether the build has code for 9.0.
cudaError_t launch(const tub_gpu_joined *t, cudaStream_t stream)
{
#if TUB_CUDA_WIDE
    if (t->wide)
        return tub_cuda_launch_joined_wide(t, stream);
#endif
    return t->wide ? cudaErrorNotSupported : tub_cuda_launch_joined(t, stream);
}

} // namespace

extern "C" cudaError_t tub_cuda_launch_task(const tub_gpu_task *task, cudaStream_t stream)
{
    switch (task->kind) {
    case TUB_GPU_PATCHES:
        return launch(&task->patches, stream);
    case TUB_GPU_NORM:
        return launch(&task->norm, stream);
    case TUB_GPU_ROTATE:
        return launch(&task->rotate, stream);
    case TUB_GPU_SUM:
        return launch(&task->sum, stream);
    case TUB_GPU_COPY_ROWS:
        return launch(&task->copy_rows, stream);
    case TUB_GPU_GATE:
        return launch(&task->gate, stream);
    case TUB_GPU_ACTIVATE:
        return launch(&task->activate, stream);
    case TUB_GPU_MEAN:
        return launch(&task->mean, stream);
    case TUB_GPU_ATTENTION:
        return launch(&task->attention, stream);
    case TUB_GPU_FLASH:
        return tub_cuda_launch_flash(&task->attention, stream);
    case TUB_GPU_PIXELS:
        return tub_cuda_launch_pixels(&task->pixels, stream);
    case TUB_GPU_QUANTISE:
        return launch(&task->quantise, stream);
    case TUB_GPU_JOINED:
        return launch(&task->joined, stream);
    case TUB_GPU_TASK_KINDS:
        break;
    }
    return cudaErrorInvalidValue;
}

// TUB_CUDA_FORMS are the intermediate forms that the build asks for, FORM(90) and so on; -1: the newest card's.
extern "C" tub_gpu_code tub_cuda_code(void)
{
    const int compiled[] = {__CUDA_ARCH_LIST__}; // 750, 800, ..
    tub_gpu_code code = {};
    int newest = 0;
    for (const int capability : compiled) {
        newest = capability / 10 > newest ? capability / 10 : newest;
        if (code.count < (int)(sizeof code.compiled / sizeof *code.compiled))
            code.compiled[code.count++] = capability / 10;
    }
#define FORM(capability) capability,
    for (const int form : {TUB_CUDA_FORMS 0})
        if (form != 0 && code.form_count < (int)(sizeof code.forms / sizeof *code.forms))
            code.forms[code.form_count++] = form < 0 ? newest : form;
    return code;
}

extern "C" cudaError_t tub_cuda_find_code(void)
{
    cudaFuncAttributes found;
    return cudaFuncGetAttributes(&found, copy_rows_kernel);
}
