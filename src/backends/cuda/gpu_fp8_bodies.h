// Converts rows to factors of products in e4m3, for the device and for the host: TUB_GPU_LANES threads have one row.
#ifndef TUB_GPU_FP8_BODIES_H
#define TUB_GPU_FP8_BODIES_H

#include "gpu_bodies.h"

#ifdef __CUDACC__
#include <cuda_fp8.h>
#endif

TUB_GPU_BODY uint8_t tub_gpu_to_e4m3(float x)
{
#ifdef __CUDACC__
    return __nv_cvt_float_to_fp8(x, __NV_SATFINITE, __NV_E4M3);
#else
    return tub_to_e4m3(x);
#endif
}

// The largest magnitude of the lane's part of a row.
TUB_GPU_BODY float tub_gpu_quantise_part(const tub_gpu_quantise *t, int64_t row, int lane)
{
    float most = 0.0f;
    for (int j = lane * TUB_GPU_PACK; j < t->cols; j += TUB_GPU_LANES * TUB_GPU_PACK) {
        float x[TUB_GPU_PACK];
        tub_gpu_load_pack(t->x, row * t->cols + j, t->type, TUB_GPU_PACK, true, x);
        for (int i = 0; i < TUB_GPU_PACK; i++)
            most = fmaxf(most, fabsf(x[i]));
    }
    return most;
}

// The factor that scales a row to the largest number of e4m3. A row of tiny values becomes zeros; one that isn't finite
// makes every sum so.
TUB_GPU_BODY float tub_gpu_quantise_factor(float most)
{
    return most < 1e-30f ? 0.0f : 448.0f / most;
}

TUB_GPU_BODY void tub_gpu_quantise_write(const tub_gpu_quantise *t, int64_t row, int lane, float most)
{
    const float factor = tub_gpu_quantise_factor(most);
    for (int j = lane * TUB_GPU_PACK; j < t->cols; j += TUB_GPU_LANES * TUB_GPU_PACK) {
        float x[TUB_GPU_PACK];
        uint8_t out[TUB_GPU_PACK];
        uint32_t all;
        tub_gpu_load_pack(t->x, row * t->cols + j, t->type, TUB_GPU_PACK, true, x);
        for (int i = 0; i < TUB_GPU_PACK; i++)
            out[i] = tub_gpu_to_e4m3(x[i] * factor);
        memcpy(&all, out, sizeof all);
        *(uint32_t *)(void *)(t->out + row * t->cols + j) = all;
    }
    if (lane == 0)
        t->scales[row] = most / 448.0f;
}

#endif
