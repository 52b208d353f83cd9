// CUDA's narrow floating-point types, with the conversions of half.h: to nearest, ties to even.
#ifndef EMULATED_NARROW_H
#define EMULATED_NARROW_H

extern "C" {
#include "half.h"
}

struct __half {
    uint16_t bits;
    __half() = default;
    __half(float x) : bits(tub_to_f16(x))
    {
    }
    operator float() const
    {
        return tub_from_f16(bits);
    }
};

struct __nv_bfloat16 {
    uint16_t bits;
    __nv_bfloat16() = default;
    __nv_bfloat16(float x) : bits(tub_to_bf16(x))
    {
    }
    operator float() const
    {
        return tub_from_bf16(bits);
    }
};

inline __half __float2half_rn(float x)
{
    return x;
}

inline float __half2float(__half x)
{
    return x;
}

inline __nv_bfloat16 __float2bfloat16_rn(float x)
{
    return x;
}

inline float __bfloat162float(__nv_bfloat16 x)
{
    return x;
}

enum __nv_saturation_t { __NV_SATFINITE };
enum __nv_fp8_interpretation_t { __NV_E4M3 };

inline uint8_t __nv_cvt_float_to_fp8(float x, __nv_saturation_t, __nv_fp8_interpretation_t)
{
    return tub_to_e4m3(x);
}

#endif
