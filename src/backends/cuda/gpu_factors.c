#include "gpu_factors.h"

#include <math.h>

#include "half.h"

enum {
    // Exponents of x and of weights, [from, from + count): for float16; types with more exponents begin X_HIGHER
    // higher.
    X_FROM = -2,
    X_COUNT = 12,
    X_HIGHER = 4,
    WEIGHT_FROM = -8,
    WEIGHT_COUNT = 11,
};
static const uint64_t seed = 0x9e3779b97f4a7c15u;

size_t tub_gpu_factor_bytes(tub_gpu_type type)
{
    return type == TUB_GPU_F32 ? sizeof(float) : type == TUB_GPU_E4M3 ? 1 : sizeof(uint16_t);
}

static uint64_t next(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

static float random_value(uint64_t *state)
{
    return (float)((double)(next(state) >> 40) / (1 << 23) - 1.0);
}

static float random_size(uint64_t *state, int from, int count)
{
    const int exponent = from + (int)((next(state) >> 33) % (uint64_t)count);
    return ldexpf(random_value(state), exponent);
}

static void put(void *out, tub_gpu_type type, size_t i, float x)
{
    if (type == TUB_GPU_F32)
        ((float *)out)[i] = x;
    else
        ((uint16_t *)out)[i] = type == TUB_GPU_F16 ? tub_to_f16(x) : tub_to_bf16(x);
}

void tub_gpu_fill_random(float *out, size_t count)
{
    uint64_t state = seed;
    for (size_t i = 0; i < count; i++)
        out[i] = random_value(&state);
}

// If the number of columns is odd, the last column has no partner, and is small.
static void fill_twice(void *out, tub_gpu_type type, size_t at, size_t cols, int from, int count, float sign,
                       uint64_t *state)
{
    const size_t half = cols / 2;
    for (size_t j = 0; j < half; j++) {
        const float x = random_size(state, from, count);
        put(out, type, at + j, x);
        put(out, type, at + half + j, sign * x);
    }
    if (cols % 2)
        put(out, type, at + cols - 1, ldexpf(random_value(state), -8));
}

void tub_gpu_fill_rows(void *out, tub_gpu_type type, size_t rows, size_t cols, size_t sizes)
{
    uint64_t state = seed;
    const int from = X_FROM + (type == TUB_GPU_F16 ? 0 : X_HIGHER);
    for (size_t i = 0; i < rows; i++)
        if (i % 2 == 0)
            fill_twice(out, type, i * cols, cols, from, X_COUNT, 1, &state);
        else
            for (size_t j = 0; j < cols; j++)
                put(out, type, i * cols + j, (float)(1 << i / 2 % sizes) * random_value(&state));
}

void tub_gpu_fill_opposed(void *out, tub_gpu_type type, size_t rows, size_t cols)
{
    uint64_t state = ~seed;
    for (size_t i = 0; i < rows; i++)
        fill_twice(out, type, i * cols, cols, WEIGHT_FROM, WEIGHT_COUNT, -1, &state);
}

void tub_gpu_fill_codes(uint8_t *out, size_t rows, size_t cols)
{
    uint64_t state = seed;
    for (size_t i = 0; i < rows * cols; i++) {
        const float x = random_value(&state);
        out[i] = (uint8_t)((x < 0 ? 0x80 : 0) | (int)(fabsf(x) * 126.0f));
    }
}
