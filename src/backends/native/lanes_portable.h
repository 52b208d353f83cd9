// Four lanes in the compiler's own vectors, for every processor. If V_FMA is defined, it is the multiply-add.
#include <math.h>
#include <stdint.h>
#include <string.h>

typedef float lanes __attribute__((vector_size(16)));
typedef int32_t lane_integers __attribute__((vector_size(16)));
enum { LANES = 4 };

#define V static inline __attribute__((always_inline))

V lanes v_set(float f)
{
    return (lanes){f, f, f, f};
}

V lanes v_load(const float *p)
{
    lanes x;
    memcpy(&x, p, sizeof x);
    return x;
}

V void v_store(float *p, lanes x)
{
    memcpy(p, &x, sizeof x);
}

V lanes v_load_part(const float *p, int n, float fill)
{
    lanes x = v_set(fill);
    for (int i = 0; i < n; i++)
        x[i] = p[i];
    return x;
}

V void v_store_part(float *p, int n, lanes x)
{
    for (int i = 0; i < n; i++)
        p[i] = x[i];
}

V lanes v_fma(lanes a, lanes b, lanes c)
{
#ifdef V_FMA
    return V_FMA(a, b, c);
#else
    return a * b + c;
#endif
}

V lanes pick(lane_integers mask, lanes a, lanes b)
{
    return (lanes)(((lane_integers)a & mask) | ((lane_integers)b & ~mask));
}

V lanes v_min(lanes a, lanes b)
{
    return pick(a < b, a, b);
}

V lanes v_max(lanes a, lanes b)
{
    return pick(a > b, a, b);
}

// Adding 1.5 * 2^23 leaves no bits for a fraction; for |x| <= 2^22.
V lanes v_round(lanes x)
{
    const lanes big = v_set(12582912.0f);
    return (x + big) - big;
}

V lanes v_power(lanes p, lanes n)
{
    const lane_integers exponent = __builtin_convertvector(n, lane_integers) + 127;
    return p * (lanes)(exponent << 23);
}

V lanes v_swap(lanes x)
{
    return (lanes){x[1], x[0], x[3], x[2]};
}

V float v_sum(lanes x)
{
    return (x[0] + x[1]) + (x[2] + x[3]);
}

V float v_greatest(lanes x)
{
    const lanes y = v_max(x, (lanes){x[2], x[3], x[0], x[1]});
    return y[0] > y[1] ? y[0] : y[1];
}
