// Attention of float32 values on tensor cores, which take factors rounded to TF32 (10 bits of fraction): the
// arithmetic, step by step, for the device (plugin/gpu_flash32.cu) and for the host.
//
// As in gpu_flash_bodies.h, a tile is TUB_GPU_FLASH_QUERIES queries of a head. Its keys come in blocks of
// TUB_GPU_FLASH_KEYS, in order from the first, with an online softmax. If `tf32`, the product of two numbers is that of
// the rounded numbers. Otherwise each number is split into a high part, the rounded number, and a low part, the rounded
// remainder. The product is then high by high, plus low by high, plus high by low; low by low, which is left out, is
// 2^-22 of it.
//
// Tensor cores truncate what a sum can't hold instead of rounding it, so they add up little at a time: a part is
// TUB_GPU_FLASH32_PART steps of TUB_GPU_FLASH32_STEP products, from zero. High by high is summed apart from the others
// (in each of their steps, low by high comes first). The two sums are added, and the part is added to its score or sum.
//
//     scores  = q kT, parts of columns in order, times scale log2 e; past the last key minus infinity
//     high, shrink as in gpu_flash_bodies.h
//     weights = 2^(scores - high), if `tf32` rounded; in this form they are factors below
//     total   = total * shrink + the weights' sum: each lane's in order, then over the four lanes of a row
//     sums    = sums * shrink + weights v: a block is a part; in a step the even keys come before the odd ones
//
// Four lanes have a row of scores. Lane l has keys 2 l and 2 l + 1 of each eight.
#ifndef TUB_GPU_FLASH32_BODIES_H
#define TUB_GPU_FLASH32_BODIES_H

#include "gpu_flash_bodies.h"

enum {
    TUB_GPU_FLASH32_STEP = 8,
    TUB_GPU_FLASH32_PART = TUB_GPU_FLASH_KEYS / TUB_GPU_FLASH32_STEP, // steps
    TUB_GPU_FLASH32_LANE_KEYS = 2 * TUB_GPU_FLASH32_PART,
};

// Rounds to the nearest, ties away from zero.
TUB_GPU_BODY float tub_gpu_tf32(float x)
{
#ifdef __CUDA_ARCH__
    return tub_gpu_round_tf32(x);
#else
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    bits = (bits + 0x1000) & 0xffffe000u;
    memcpy(&x, &bits, sizeof x);
    return x;
#endif
}

// The low part of x as a factor.
TUB_GPU_BODY float tub_gpu_tf32_rest(float x)
{
    return tub_gpu_tf32(x - tub_gpu_tf32(x));
}

// Turns a lane's products for a row into exponents of two; `count` keys of the block exist. Returns the largest.
TUB_GPU_BODY float tub_gpu_flash32_scale(float factor, int count, int lane, float *scores)
{
    float high = -INFINITY;
    TUB_GPU_UNROLL
    for (int i = 0; i < TUB_GPU_FLASH32_LANE_KEYS; i++) {
        const int key = i / 2 * TUB_GPU_FLASH32_STEP + 2 * lane + i % 2;
        scores[i] = key < count ? scores[i] * factor : -INFINITY;
        high = fmaxf(high, scores[i]);
    }
    return high;
}

// Turns exponents into weights, in place. Returns their sum.
TUB_GPU_BODY float tub_gpu_flash32_weigh(bool tf32, float high, float *scores)
{
    float sum = 0.0f;
    TUB_GPU_UNROLL
    for (int i = 0; i < TUB_GPU_FLASH32_LANE_KEYS; i++) {
        scores[i] = exp2f(scores[i] - high);
        scores[i] = tf32 ? tub_gpu_tf32(scores[i]) : scores[i];
        sum += scores[i];
    }
    return sum;
}

#endif
