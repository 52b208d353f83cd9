// Activations; their numbers are tub_activation's. Results in float32 use PyTorch's formulas. Narrow results use forms
// with few instructions and no branch, so that their kernels wait only for memory. These are so exact that only the
// rounding matters: erf-GELU is far more exact than 0.5 x (1 + erf(..)), whose sum loses most of its digits for
// negative x.
#ifndef TUB_GPU_ACTIVATION_BODIES_H
#define TUB_GPU_ACTIVATION_BODIES_H

#include "gpu_element_bodies.h"

#if defined(__CUDA_ARCH__) && !defined(TUB_GPU_EMULATED)
#define TUB_GPU_APPROXIMATES
#endif

TUB_GPU_BODY float tub_gpu_sigmoid(float x)
{
    return 1.0f / (1.0f + expf(-x));
}

TUB_GPU_BODY float tub_gpu_act(int activation, float x)
{
    switch (activation) {
    case 1:
        return 0.5f * x * (1.0f + erff(x * 0.70710678118654752440f));
    case 2:
        return 0.5f * x * (1.0f + tanhf(0.79788456080286535588f * (x + 0.044715f * x * x * x)));
    case 3:
        return x * tub_gpu_sigmoid(1.702f * x);
    case 4:
        return x * tub_gpu_sigmoid(x);
    case 5:
        return tanhf(x);
    default:
        return x;
    }
}

// Exact to about 2^-22 on the device; 0 below 2^-126.
TUB_GPU_BODY float tub_gpu_exp2(float x)
{
#ifdef TUB_GPU_APPROXIMATES
    float y;
    asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
    return y;
#else
    return exp2f(x);
#endif
}

TUB_GPU_BODY float tub_gpu_reciprocal(float x)
{
#ifdef TUB_GPU_APPROXIMATES
    float y;
    asm("rcp.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
    return y;
#else
    return 1.0f / x;
#endif
}

// -0 for negative values, so that both zeros and NaN stay what they are.
TUB_GPU_BODY float tub_gpu_positive_part(float x)
{
#if defined(TUB_GPU_APPROXIMATES) && __CUDA_ARCH__ >= 800
    float y;
    asm("max.NaN.f32 %0, %1, 0f80000000;" : "=f"(y) : "f"(x));
    return y;
#else
    return x < 0.0f ? -0.0f : x;
#endif
}

// GELU is max(x, 0) - |x| erfc(|x| / sqrt 2) / 2. The logarithm of erfc(..) / 2 is nearly a parabola. We approximate it
// with a polynomial (minimax, weighted by its effect on the result), up to where |x| erfc(..) / 2 rounds to 0. It is -1
// at 0, so that small x are halved exactly. bfloat16 goes down to 2^-133, where erfc(..) / 2 itself would be 0 on the
// device: there its square root is used.
TUB_GPU_BODY float tub_gpu_gelu_f16(float x)
{
    const float z = fminf(fabsf(x), 5.8f);
    float p = 3.26082591e-05f;
    p = fmaf(p, z, -0.000750885985f);
    p = fmaf(p, z, 0.00795671064f);
    p = fmaf(p, z, -0.0530930534f);
    p = fmaf(p, z, -0.45911172f);
    p = fmaf(p, z, -1.15107417f);
    p = fmaf(p, z, -1.0f);
    return fmaf(-z, tub_gpu_exp2(p), tub_gpu_positive_part(x));
}

TUB_GPU_BODY float tub_gpu_gelu_bf16(float x)
{
    const float z = fminf(fabsf(x), 13.6f);
    float p = -9.8126951e-10f;
    p = fmaf(p, z, 7.13215371e-08f);
    p = fmaf(p, z, -2.28001045e-06f);
    p = fmaf(p, z, 4.24406353e-05f);
    p = fmaf(p, z, -0.000515177322f);
    p = fmaf(p, z, 0.00435515121f);
    p = fmaf(p, z, -0.0270371158f);
    p = fmaf(p, z, -0.22930795f);
    p = fmaf(p, z, -0.575553179f);
    p = fmaf(p, z, -0.5f);
    const float root = tub_gpu_exp2(p);
    return fmaf(-(z * root), root, tub_gpu_positive_part(x));
}

// x / (1 + e^-..), with the exponent times log2 e. tanh-GELU has this form, too, since 1 + tanh u = 2 / (1 + e^-2u).
TUB_GPU_BODY float tub_gpu_gated(float x, float exponent)
{
    return x * tub_gpu_reciprocal(1.0f + tub_gpu_exp2(exponent));
}

TUB_GPU_BODY float tub_gpu_act_narrow(tub_gpu_type type, int activation, float x)
{
    switch (activation) {
    case 1:
        return type == TUB_GPU_F16 ? tub_gpu_gelu_f16(x) : tub_gpu_gelu_bf16(x);
    case 2:
        return tub_gpu_gated(x, x * fmaf(x * x, -0.10294323964f, -2.3022081983f));
    case 3:
        return tub_gpu_gated(x, x * -2.4554669596f);
    case 4:
        return tub_gpu_gated(x, x * -1.4426950409f);
    default:
        return tub_gpu_act(activation, x);
    }
}

TUB_GPU_BODY void tub_gpu_act_each(tub_gpu_type type, int activation, float *x, int count)
{
    TUB_GPU_UNROLL
    for (int i = 0; i < count; i++)
        x[i] = type == TUB_GPU_F32 ? tub_gpu_act(activation, x[i]) : tub_gpu_act_narrow(type, activation, x[i]);
}

// For values that are stored as `type`. The activation is looked up once, not for each value.
TUB_GPU_BODY void tub_gpu_act_all(tub_gpu_type type, int activation, float *x, int count)
{
    switch (activation) {
    case 1:
        tub_gpu_act_each(type, 1, x, count);
        break;
    case 2:
        tub_gpu_act_each(type, 2, x, count);
        break;
    case 3:
        tub_gpu_act_each(type, 3, x, count);
        break;
    case 4:
        tub_gpu_act_each(type, 4, x, count);
        break;
    case 5:
        tub_gpu_act_each(type, 5, x, count);
        break;
    default:
        break;
    }
}

#endif
