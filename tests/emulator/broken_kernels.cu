#include "broken_kernels.h"

#include <cuda_fp16.h>
#include <mma.h>

#include "emulated_tensor.h"
#include "gpu_start.h"

namespace
{

enum { THREADS = BROKEN_THREAD_COUNT, WARP = 32 };
constexpr unsigned ALL = 0xffffffffu;

__device__ void neighbours(int barrier, float *out)
{
    TUB_GPU_SHARED(float, values, [THREADS]);
    const int i = threadIdx.x;
    values[i] = (float)i;
    if (barrier == 2)
        __syncthreads();
    else if (barrier == 1)
        __syncwarp();
    out[i] = values[(i + 1) % THREADS];
}

__device__ void shuffled(float *out)
{
    const int i = threadIdx.x, from = (i + 1) % WARP;
    out[i] = __shfl_sync(ALL, (float)i, from) + (float)(i % WARP == WARP - 1 && i < WARP ? WARP : 0);
    if (i % WARP == WARP - 1)
        out[i] = (float)((i + 1) % THREADS);
}

// A thread copies 16 bytes in each of two places, one after the other.
__device__ void copied(broken_kernel which, const float *in, float *out)
{
    TUB_GPU_DYNAMIC(16, float, place);
    const int i = threadIdx.x, quarter = THREADS / 4;
    for (int half = 0; half < 2; half++) {
        if (i < quarter / 2)
            tub_gpu_copy_16(place + half * THREADS / 2 + 4 * i, in + half * THREADS / 2 + 4 * i, true);
        tub_gpu_copies_commit();
    }
    if (which == BROKEN_WAIT_TOO_SHORT)
        tub_gpu_copies_wait<1>();
    else if (which != BROKEN_NO_WAIT)
        tub_gpu_copies_wait<0>();
    __syncthreads();
    const float x = place[i];
    if (which == BROKEN_EARLY_COPY && i < quarter)
        tub_gpu_copy_16(place + 4 * ((i + 1) % quarter), in, false);
    const float again = place[i];
    out[i] = which == BROKEN_EARLY_COPY ? again : x;
}

// Somebody waits for a thread that never comes.
__device__ void lonely(broken_kernel which, float *out)
{
    const int i = threadIdx.x;
    if (which == BROKEN_LEAVES && i == 40)
        return;
    if (which == BROKEN_LANE && i == 5)
        return;
    if (which == BROKEN_LANE)
        out[i] = __shfl_xor_sync(ALL, (float)i, 1);
    if (which == BROKEN_MASK)
        out[i] = __shfl_xor_sync(0xffu, (float)i, 1);
    if (which == BROKEN_BRANCHES && i < WARP)
        __syncthreads();
    else
        __syncthreads();
    out[i] = 0;
}

__device__ void astray(broken_kernel which, const float *in, float *out)
{
    TUB_GPU_DYNAMIC(16, float, memory);
    TUB_GPU_SHARED(float, array, [THREADS]);
    const int i = threadIdx.x;
    if (which == BROKEN_PAST_SHARED)
        memory[THREADS + i] = 1;
    if (which == BROKEN_BEFORE_SHARED)
        memory[i - 1] = 1;
    if (which != BROKEN_PAST_ARRAY || i == THREADS - 1)
        array[i + (which == BROKEN_PAST_ARRAY)] = (float)i;
    out[i] = which == BROKEN_PAST_TENSOR ? in[i + 1] : array[i];
}

__device__ void unaligned(broken_kernel which, const float *in, float *out)
{
    TUB_GPU_DYNAMIC(32, float, memory);
    const int i = threadIdx.x;
    uint32_t row[4];
    nvcuda::wmma::fragment<nvcuda::wmma::accumulator, 16, 16, 16, float> tile;
    out[i] = 0;
    if (which == BROKEN_UNALIGNED && i == 3)
        out[i] = ((const float4 *)(in + 2))->x;
    if (which == BROKEN_UNALIGNED_COPY)
        tub_gpu_copy_16(memory + i, in, true);
    if (which == BROKEN_COPY_TO_TENSOR)
        tub_gpu_copy_16(out, in, true);
    if (which == BROKEN_UNALIGNED_ROW)
        tub_gpu_load_matrices(row, memory + 2);
    if (which == BROKEN_UNALIGNED_TILE)
        nvcuda::wmma::load_matrix_sync(tile, memory + 4, 16, nvcuda::wmma::mem_row_major);
}

__device__ __attribute__((noinline)) float deep(const float *in, int depth)
{
    volatile float here[256];
    here[depth % 256] = in[depth % THREADS];
    return depth < 0 ? 0 : here[depth % 256] + deep(in, depth + 1) + here[1];
}

__global__ void kernel(broken_kernel which, const float *in, float *out)
{
    if (which == BROKEN_NOT || which == BROKEN_NO_BARRIER || which == BROKEN_NO_WARP_BARRIER)
        neighbours(which == BROKEN_NOT ? 2 : which == BROKEN_NO_WARP_BARRIER, out);
    else if (which == BROKEN_NOT_WARPS)
        shuffled(out);
    else if (which <= BROKEN_EARLY_COPY)
        copied(which, in, out);
    else if (which <= BROKEN_MASK)
        lonely(which, out);
    else if (which <= BROKEN_PAST_TENSOR)
        astray(which, in, out);
    else if (which <= BROKEN_COPY_TO_TENSOR)
        unaligned(which, in, out);
    else if (which == BROKEN_TRAP)
        __trap();
    else if (which == BROKEN_ENDLESS_STACK)
        out[0] = deep(in, 0);
}

__global__ void multiply_kernel(const __half *a, const __half *b, float *out)
{
    TUB_GPU_SHARED(uint4, memory, [48]);
    __half *rows = (__half *)memory;
    const int lane = threadIdx.x;
    uint32_t left[4], right[4];
    float sums[4];
    for (int i = lane; i < 24 * 16; i += WARP)
        rows[i] = i < 256 ? a[i] : b[i - 256];
    for (int i = 0; i < 4; i++)
        sums[i] = out[(lane / 4 + i / 2 * 8) * 8 + lane % 4 * 2 + i % 2];
    __syncwarp();
    tub_gpu_load_matrices(left, rows + (lane / 8 % 2 * 8 + lane % 8) * 16 + lane / 16 * 8);
    tub_gpu_load_matrices(right, rows + 256 + lane % 8 * 16 + lane / 8 % 2 * 8);
    tub_gpu_multiply_add<__half>(sums, left, right);
    for (int i = 0; i < 4; i++)
        out[(lane / 4 + i / 2 * 8) * 8 + lane % 4 * 2 + i % 2] = sums[i];
}

__global__ void empty_kernel()
{
}

} // namespace

extern "C" int broken_launch(broken_kernel which, const float *in, float *out)
{
    const dim3 grid(1, 1, which == BROKEN_DEPTH ? 65536 : 1), block(which == BROKEN_THREADS ? 1025 : THREADS);
    const size_t bytes = which == BROKEN_SHARED ? (48 << 10) + 16 : THREADS * sizeof(float);
    return (int)tub_gpu_start(kernel, grid, block, bytes, nullptr, which, in, out);
}

extern "C" int broken_multiply(const void *a, const void *b, float *out)
{
    return (int)tub_gpu_start(multiply_kernel, 1, WARP, 0, nullptr, (const __half *)a, (const __half *)b, out);
}

extern "C" int broken_ask_for_shared(int bytes)
{
    const cudaError_t code = cudaFuncSetAttribute(empty_kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, bytes);
    return code ? (int)code : (int)tub_gpu_start(empty_kernel, 1, 1, (size_t)bytes, nullptr);
}
