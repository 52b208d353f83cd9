// Attention on tensor cores: the arithmetic, step by step, for the device (plugin/gpu_flash.cu) and for the host.
//
// A tile is TUB_GPU_FLASH_QUERIES queries of one head. Its keys come in blocks of TUB_GPU_FLASH_KEYS, in order from the
// first. The number of other queries or runs makes no difference. For each block:
//
//     scores  = q kT          factors in the narrow type, sums in float32: dim in steps of TUB_GPU_FLASH_STEP, the
//                             steps in order. How the tensor core adds up the 16 products of a step isn't documented;
//                             dim is padded with zeros to whole steps
//     scores *= scale log2 e  past the last key: minus infinity
//     high    = the largest so far, shrink = 2^(the largest before - high)
//     weights = 2^(scores - high), rounded to the narrow type; in this form they are factors below
//     total   = total * shrink + the weights' sum: over each lane's keys in order, then over the lanes
//     sums    = sums * shrink + weights v: keys in steps of TUB_GPU_FLASH_STEP, in order
//
// and at the end sums / total, rounded once. Two lanes have a row of scores, each half of the block's keys.
#ifndef TUB_GPU_FLASH_BODIES_H
#define TUB_GPU_FLASH_BODIES_H

#include "gpu_bodies.h"

enum {
    TUB_GPU_FLASH_STEP = 16,        // products that a tensor core adds up at once
    TUB_GPU_FLASH_QUERIES = 16,     // of a tile
    TUB_GPU_FLASH_KEYS = 32,        // of a block
    TUB_GPU_FLASH_LANE_KEYS = 16,   // of a block, per lane
};

// The factor that turns a product of q and k into an exponent of two.
TUB_GPU_BODY float tub_gpu_flash_factor(const tub_gpu_attention *t)
{
    return t->scale * 1.44269504088896340736f;
}

// Turns a lane's scores into exponents; `count` of them belong to keys. Returns the largest.
TUB_GPU_BODY float tub_gpu_flash_scale(float factor, int count, float *scores)
{
    float high = -INFINITY;
    for (int i = 0; i < TUB_GPU_FLASH_LANE_KEYS; i++) {
        scores[i] = i < count ? scores[i] * factor : -INFINITY;
        high = fmaxf(high, scores[i]);
    }
    return high;
}

TUB_GPU_BODY float tub_gpu_flash_shrink(float before, float high)
{
    return exp2f(before - high);
}

// Turns exponents into weights, in place. Returns their sum.
TUB_GPU_BODY float tub_gpu_flash_weigh(tub_gpu_type type, float high, float *scores)
{
    float sum = 0.0f;
    for (int i = 0; i < TUB_GPU_FLASH_LANE_KEYS; i++) {
        scores[i] = tub_gpu_rounded(type, exp2f(scores[i] - high));
        sum += scores[i];
    }
    return sum;
}

#endif
