// bfloat16, IEEE half and 8-bit floats, to and from float32: round to nearest even, NaN stays NaN.
#ifndef TUB_HALF_H
#define TUB_HALF_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <tubelet/encoder.h>

static inline float tub_from_bf16(uint16_t x)
{
    uint32_t bits = (uint32_t)x << 16;
    float f;
    memcpy(&f, &bits, sizeof f);
    return f;
}

static inline uint16_t tub_to_bf16(float f)
{
    uint32_t bits;
    memcpy(&bits, &f, sizeof bits);
    if ((bits & 0x7fffffffu) > 0x7f800000u)
        return (uint16_t)((bits >> 16) | 0x40);
    return (uint16_t)((bits + 0x7fffu + ((bits >> 16) & 1)) >> 16);
}

float tub_from_f16(uint16_t x);
uint16_t tub_to_f16(float f);

// The 8-bit format e4m3 (no infinities, the largest value is 448): larger values become 448.
float tub_from_e4m3(uint8_t x);
uint8_t tub_to_e4m3(float f);

// Bytes of one element; 0 for TUB_DTYPE_AUTO.
size_t tub_dtype_bytes(tub_dtype dtype);
// Converts `count` elements of type F32, BF16 or F16 to float32.
void tub_to_float(float *out, const void *in, tub_dtype dtype, size_t count);

#endif
