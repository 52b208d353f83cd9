#include "half.h"

#include <math.h>

float tub_from_f16(uint16_t x)
{
    uint32_t sign = (uint32_t)(x & 0x8000) << 16, exponent = (x >> 10) & 0x1f, fraction = x & 0x3ff, bits;
    if (exponent == 0x1f) {
        bits = sign | 0x7f800000u | fraction << 13;
    } else if (exponent) {
        bits = sign | (exponent + 112) << 23 | fraction << 13;
    } else {
        // Subnormal: fraction * 2^-24, exact in float32.
        float f = (float)fraction * 0x1p-24f;
        memcpy(&bits, &f, sizeof bits);
        bits |= sign;
    }
    float out;
    memcpy(&out, &bits, sizeof out);
    return out;
}

uint16_t tub_to_f16(float f)
{
    uint32_t bits;
    memcpy(&bits, &f, sizeof bits);
    uint16_t sign = (uint16_t)((bits >> 16) & 0x8000);
    bits &= 0x7fffffffu;
    if (bits > 0x7f800000u)
        return sign | 0x7e00 | (uint16_t)((bits >> 13) & 0x3ff);
    if (bits >= 0x477ff000u) // 65520 and more round to infinity
        return sign | 0x7c00;
    if (bits < 0x38800000u) {
        // Subnormal: adding 0.5 leaves the value's multiple of 2^-24, rounded to even, in the low bits.
        float magnitude, rounded;
        memcpy(&magnitude, &bits, sizeof magnitude);
        rounded = magnitude + 0.5f;
        memcpy(&bits, &rounded, sizeof bits);
        return sign | (uint16_t)(bits - 0x3f000000u);
    }
    bits += 0xfff + ((bits >> 13) & 1);
    return sign | (uint16_t)((bits - 0x38000000u) >> 13);
}

float tub_from_e4m3(uint8_t x)
{
    const int exponent = x >> 3 & 15, fraction = x & 7;
    const float size = exponent == 15 && fraction == 7 ? NAN
                       : exponent              ? ldexpf((float)(8 + fraction), exponent - 10)
                                               : ldexpf((float)fraction, -9);
    return x & 0x80 ? -size : size;
}

uint8_t tub_to_e4m3(float f)
{
    uint32_t bits;
    memcpy(&bits, &f, sizeof bits);
    const uint8_t sign = (uint8_t)(bits >> 24 & 0x80);
    bits &= 0x7fffffffu;
    if (bits > 0x7f800000u)
        return sign | 0x7f;
    if (bits >= 0x43e00000u) // 448 and more
        return sign | 0x7e;
    if (bits < 0x3c800000u) {
        // Below 2^-6: adding 2^14 leaves the multiple of 2^-9, rounded to even, in the low bits.
        float magnitude, rounded;
        memcpy(&magnitude, &bits, sizeof magnitude);
        rounded = magnitude + 0x1p14f;
        memcpy(&bits, &rounded, sizeof bits);
        return sign | (uint8_t)(bits - 0x46800000u);
    }
    bits += 0x7ffff + ((bits >> 20) & 1);
    return sign | (uint8_t)((bits - 0x3c000000u) >> 20);
}

size_t tub_dtype_bytes(tub_dtype dtype)
{
    switch (dtype) {
    case TUB_F32:
    case TUB_TF32:
        return 4;
    case TUB_BF16:
    case TUB_F16:
        return 2;
    case TUB_I64:
        return 8;
    case TUB_U8:
    case TUB_INT8:
    case TUB_FP8:
        return 1;
    case TUB_DTYPE_AUTO:
        break;
    }
    return 0;
}

void tub_to_float(float *out, const void *in, tub_dtype dtype, size_t count)
{
    const unsigned char *bytes = in; // may be unaligned: weights are read where they lie in the file
    if (dtype == TUB_F32) {
        memcpy(out, in, count * sizeof *out);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        uint16_t x;
        memcpy(&x, bytes + 2 * i, sizeof x);
        out[i] = dtype == TUB_BF16 ? tub_from_bf16(x) : tub_from_f16(x);
    }
}
