#include "crc32.h"

enum { POLYNOMIAL = 0xedb88320u };

// The input is taken four bits at a time: these are the remainders of 0 to 15.
static const uint32_t nibbles[16] = {0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac, 0x76dc4190, 0x6b6b51f4,
                                     0x4db26158, 0x5005713c, 0xedb88320, 0xf00f9344, 0xd6d6a3e8, 0xcb61b38c,
                                     0x9b64c2b0, 0x86d3d2d4, 0xa00ae278, 0xbdbdf21c};

uint32_t tub_crc32(uint32_t before, const void *data, size_t bytes)
{
    const uint8_t *at = data;
    uint32_t crc = ~before;
    for (size_t i = 0; i < bytes; i++) {
        crc ^= at[i];
        crc = crc >> 4 ^ nibbles[crc & 15];
        crc = crc >> 4 ^ nibbles[crc & 15];
    }
    return ~crc;
}

// The product of two polynomials over GF(2) modulo CRC-32's, bits mirrored: 1 is 0x80000000.
static uint32_t multiply(uint32_t a, uint32_t b)
{
    uint32_t product = 0;
    for (uint32_t bit = 0x80000000u; bit; bit >>= 1) {
        if (a & bit)
            product ^= b;
        b = b & 1 ? b >> 1 ^ POLYNOMIAL : b >> 1;
    }
    return product;
}

// Each byte after the first piece multiplies its remainder by x^8.
uint32_t tub_crc32_join(uint32_t first, uint32_t second, uint64_t bytes)
{
    uint32_t power = 0x00800000u, factor = 0x80000000u;
    for (; bytes; bytes >>= 1) {
        if (bytes & 1)
            factor = multiply(factor, power);
        power = multiply(power, power);
    }
    return multiply(factor, first) ^ second;
}
