// The kernels that compute pixels from decoded frames on the device. What each computes is in gpu_frame_bodies.h.
#include "gpu_frame_kernels.h"

#include "gpu_frame_bodies.h"
#include "gpu_frame_cores.h"
#include "gpu_frame_pairs.h"
#include "gpu_start.h"

namespace
{

enum { THREADS = TUB_GPU_TILE_COLUMNS * TUB_GPU_TILE_ROWS };

// The task stays in constant memory: a copy for each thread would cost more than computing the pixels.
template <tub_gpu_layout LAYOUT, bool FLOATS>
__global__ void single_kernel(const __grid_constant__ tub_gpu_pixels t, uint32_t threads)
{
    const uint32_t thread = blockIdx.x * THREADS + threadIdx.x;
    const tub_gpu_way way = {LAYOUT, FLOATS, (int)blockIdx.y};
    if (thread < threads)
        tub_gpu_pixels_body(&t, way, thread);
}

template <tub_gpu_layout LAYOUT, bool FLOATS> __global__ void tiled_kernel(const __grid_constant__ tub_gpu_pixels t)
{
    TUB_GPU_DYNAMIC(4, uint32_t, staged);
    uint32_t *passed = staged + tub_gpu_staged_values(&t);
    const int most = tub_gpu_staged_rows(&t);
    const tub_gpu_tile tile = tub_gpu_tile_at(&t, (int)blockIdx.x);
    const tub_gpu_way way = {LAYOUT, FLOATS, (int)blockIdx.y};
    for (int first = 0; first < tile.height; first += most) {
        const int left = tile.height - first, rows = left < most ? left : most;
        for (int unit = threadIdx.x; unit < rows * tile.packs; unit += THREADS)
            tub_gpu_tile_stage(&t, way, &tile, first, unit, staged);
        __syncthreads();
        for (int unit = threadIdx.x; unit < tub_gpu_passed_units(&t, rows); unit += THREADS)
            tub_gpu_tile_across(&t, way, &tile, first, unit, staged, passed);
        __syncthreads();
    }
    tub_gpu_tile_down(&t, way, &tile, (int)threadIdx.x, passed);
}

template <tub_gpu_layout LAYOUT, bool FLOATS> cudaError_t launch_as(const tub_gpu_pixels *t, cudaStream_t stream)
{
    const int64_t threads = tub_gpu_pixels_threads(t), blocks = (threads + THREADS - 1) / THREADS;
    const dim3 grid(t->tile_rows ? (unsigned)tub_gpu_tiles(t) : (unsigned)blocks, (unsigned)t->count);
    const size_t bytes = (size_t)tub_gpu_shared_values(t) * 4;
    return t->tile_rows ? tub_gpu_start(tiled_kernel<LAYOUT, FLOATS>, grid, THREADS, bytes, stream, *t)
                        : tub_gpu_start(single_kernel<LAYOUT, FLOATS>, grid, THREADS, 0, stream, *t, threads);
}

template <tub_gpu_layout LAYOUT> cudaError_t launch(const tub_gpu_pixels *t, cudaStream_t stream)
{
    return t->recipe.is_float ? launch_as<LAYOUT, true>(t, stream) : launch_as<LAYOUT, false>(t, stream);
}

} // namespace

extern "C" cudaError_t tub_cuda_launch_pixels(const tub_gpu_pixels *t, cudaStream_t stream)
{
    if (tub_gpu_pixels_threads(t) > INT32_MAX)
        return cudaErrorInvalidValue;
    if (tub_gpu_pixels_by_cores(t))
        return tub_cuda_launch_frame_cores(t, stream);
    if (tub_gpu_pixels_by_pairs(t))
        return tub_cuda_launch_frame_pairs(t, stream);
    if (tub_gpu_pixels_layout(t) == TUB_GPU_NV12)
        return launch<TUB_GPU_NV12>(t, stream);
    return launch<TUB_GPU_ANY_LAYOUT>(t, stream);
}
