// Elements in memory and in registers, for what one thread does (gpu_bodies.h): compiled by nvcc for the device and by
// the C compiler for the host.
//
// A thread takes neighboring columns: a pack of four, or a run of eight, which in a narrow type are the sixteen bytes
// that one instruction moves. Values are float32 in registers whatever their type in memory.
#ifndef TUB_GPU_ELEMENT_BODIES_H
#define TUB_GPU_ELEMENT_BODIES_H

#include <math.h>
#include <string.h>

#include "gpu_tasks.h"

#ifdef __CUDACC__
#include <cuda_bf16.h>
#include <cuda_fp16.h>
#define TUB_GPU_BODY static __host__ __device__ __forceinline__
#else
#include "half.h"
#define TUB_GPU_BODY static inline
#endif

#ifdef __CUDA_ARCH__ // the host compiler doesn't know this pragma
#define TUB_GPU_UNROLL _Pragma("unroll")
#else
#define TUB_GPU_UNROLL
#endif

enum {
    TUB_GPU_PACK = 4,   // neighboring columns that a thread handles
    TUB_GPU_RUN = 8,    // the same in kernels that wait only for memory
    TUB_GPU_LANES = 32, // threads that share a row's sum, or read neighboring runs
};

TUB_GPU_BODY float tub_gpu_load(const void *p, int64_t i, tub_gpu_type type)
{
    if (type == TUB_GPU_F32)
        return ((const float *)p)[i];
#ifdef __CUDACC__
    if (type == TUB_GPU_F16)
        return __half2float(((const __half *)p)[i]);
    return __bfloat162float(((const __nv_bfloat16 *)p)[i]);
#else
    const uint16_t bits = ((const uint16_t *)p)[i];
    return type == TUB_GPU_F16 ? tub_from_f16(bits) : tub_from_bf16(bits);
#endif
}

TUB_GPU_BODY void tub_gpu_store(void *p, int64_t i, tub_gpu_type type, float x)
{
    if (type == TUB_GPU_F32) {
        ((float *)p)[i] = x;
        return;
    }
#ifdef __CUDACC__
    if (type == TUB_GPU_F16)
        ((__half *)p)[i] = __float2half_rn(x);
    else
        ((__nv_bfloat16 *)p)[i] = __float2bfloat16_rn(x);
#else
    ((uint16_t *)p)[i] = type == TUB_GPU_F16 ? tub_to_f16(x) : tub_to_bf16(x);
#endif
}

// The value of x in a narrow type.
TUB_GPU_BODY float tub_gpu_rounded(tub_gpu_type type, float x)
{
#ifdef __CUDACC__
    return type == TUB_GPU_F16 ? __half2float(__float2half_rn(x)) : __bfloat162float(__float2bfloat16_rn(x));
#else
    return type == TUB_GPU_F16 ? tub_from_f16(tub_to_f16(x)) : tub_from_bf16(tub_to_bf16(x));
#endif
}

TUB_GPU_BODY int tub_gpu_type_bytes(tub_gpu_type type)
{
    return type == TUB_GPU_F32 ? 4 : 2;
}

// `most` elements, TUB_GPU_PACK or TUB_GPU_RUN, of which `count` exist. Aligned: all exist, and begin at a multiple of
// their bytes (float32: of 16), as in rows whose columns are a multiple of `most`.
TUB_GPU_BODY void tub_gpu_load_some(const void *p, int64_t i, tub_gpu_type type, int most, int count, bool aligned,
                                    float *out)
{
#ifdef __CUDA_ARCH__
    if (aligned && type == TUB_GPU_F32) {
        TUB_GPU_UNROLL
        for (int j = 0; j < most; j += 4) {
            const float4 v = *(const float4 *)((const float *)p + i + j);
            out[j] = v.x;
            out[j + 1] = v.y;
            out[j + 2] = v.z;
            out[j + 3] = v.w;
        }
        return;
    }
    if (aligned) {
        uint16_t half[TUB_GPU_RUN];
        if (most == TUB_GPU_RUN) {
            const uint4 v = *(const uint4 *)((const uint16_t *)p + i);
            memcpy(half, &v, sizeof v);
        } else {
            const uint2 v = *(const uint2 *)((const uint16_t *)p + i);
            memcpy(half, &v, sizeof v);
        }
        TUB_GPU_UNROLL
        for (int j = 0; j < most; j++)
            out[j] = tub_gpu_load(half, j, type);
        return;
    }
#endif
    (void)aligned;
    TUB_GPU_UNROLL
    for (int j = 0; j < most; j++)
        out[j] = j < count ? tub_gpu_load(p, i + j, type) : 0.0f;
}

TUB_GPU_BODY void tub_gpu_store_some(void *p, int64_t i, tub_gpu_type type, int most, int count, bool aligned,
                                     const float *x)
{
#ifdef __CUDA_ARCH__
    if (aligned && type == TUB_GPU_F32) {
        TUB_GPU_UNROLL
        for (int j = 0; j < most; j += 4)
            *(float4 *)((float *)p + i + j) = make_float4(x[j], x[j + 1], x[j + 2], x[j + 3]);
        return;
    }
    if (aligned) {
        uint16_t half[TUB_GPU_RUN];
        TUB_GPU_UNROLL
        for (int j = 0; j < most; j++)
            tub_gpu_store(half, j, type, x[j]);
        if (most == TUB_GPU_RUN) {
            uint4 v;
            memcpy(&v, half, sizeof v);
            *(uint4 *)((uint16_t *)p + i) = v;
        } else {
            uint2 v;
            memcpy(&v, half, sizeof v);
            *(uint2 *)((uint16_t *)p + i) = v;
        }
        return;
    }
#endif
    (void)aligned;
    TUB_GPU_UNROLL
    for (int j = 0; j < most; j++)
        if (j < count)
            tub_gpu_store(p, i + j, type, x[j]);
}

TUB_GPU_BODY void tub_gpu_load_pack(const void *p, int64_t i, tub_gpu_type type, int count, bool aligned, float *out)
{
    tub_gpu_load_some(p, i, type, TUB_GPU_PACK, count, aligned, out);
}

TUB_GPU_BODY void tub_gpu_store_pack(void *p, int64_t i, tub_gpu_type type, int count, bool aligned, const float *x)
{
    tub_gpu_store_some(p, i, type, TUB_GPU_PACK, count, aligned, x);
}

TUB_GPU_BODY int tub_gpu_packs(int cols)
{
    return (cols + TUB_GPU_PACK - 1) / TUB_GPU_PACK;
}

// Columns of a pack; the last pack of a row may have fewer.
TUB_GPU_BODY int tub_gpu_pack_count(int cols, int col)
{
    return cols - col < TUB_GPU_PACK ? cols - col : TUB_GPU_PACK;
}

#endif
