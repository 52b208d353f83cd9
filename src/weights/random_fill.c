#include "random_fill.h"

#include <math.h>

// Steele, Lea and Flood's splitmix64.
static uint64_t next(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

// FNV-1a, so that each name has its own sequence.
static uint64_t hash_name(const char *name)
{
    uint64_t h = 0xcbf29ce484222325u;
    for (; *name; name++)
        h = (h ^ (uint8_t)*name) * 0x100000001b3u;
    return h;
}

static uint32_t sum_of_quarters(uint64_t x)
{
    return (uint32_t)((x & 0xffff) + (x >> 16 & 0xffff) + (x >> 32 & 0xffff) + (x >> 48));
}

// Normal to a good approximation: the sum of eight uniform 16-bit numbers, centered and divided by its deviation.
// Logarithms and cosines aren't used, since other libraries round them differently.
static double normal(uint64_t *state)
{
    uint32_t a = sum_of_quarters(next(state)), b = sum_of_quarters(next(state));
    double deviation = 53509.91992145008; // sqrt(8 * (65536^2 - 1) / 12)
    return ((double)(a + b) - 8 * 32767.5) / deviation;
}

void tub_random_fill(float *out, size_t count, tub_fill fill, int64_t fan_in, uint64_t seed, const char *name)
{
    double base = 0, spread = 0.02;
    switch (fill) {
    case TUB_FILL_WEIGHT:
        spread = 1 / sqrt((double)(fan_in > 0 ? fan_in : 1));
        break;
    case TUB_FILL_BIAS:
        break;
    case TUB_FILL_ONE:
        base = 1;
        break;
    case TUB_FILL_SCALE:
        base = 0.5;
        spread = 0.05;
        break;
    case TUB_FILL_TOKEN:
        spread = 0.5;
        break;
    }
    uint64_t state = hash_name(name) ^ seed * 0x9e3779b97f4a7c15u;
    for (size_t i = 0; i < count; i++)
        out[i] = (float)(base + spread * normal(&state));
}
