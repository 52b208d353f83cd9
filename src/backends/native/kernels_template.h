// The kernels, written once in terms of `lanes`. The including file defines:
//   lanes, LANES            a vector of float32, and how many it has
//   narrow, NARROW_IS_FLOAT the narrow element
//   TABLE                   the name of the table
//   WITH_INT8               whether it has what int8 products need, see kernels_int8.h
//   v_set v_load v_store    float32; v_load_part(p, n, fill) and v_store_part(p, n, x) touch only the first n lanes
//   n_load n_store n_load_part n_store_part     the same from and to narrow
//   n_store_two(p, a, b)    a, then b
//   v_fma(a, b, c)          a * b + c
//   v_min(a, b) v_max(a, b) b if either is NaN
//   v_round(x), v_power(p, n)   to the nearest integer; p * 2^n for an integral n in -126 .. 127
//   v_swap(x)               neighbors exchanged: 1 0 3 2 ...
//   v_sum v_greatest        over the lanes
// Included once, by each kernels_<level>.c.
#include <math.h>
#include <string.h>

#include "kernels.h"
#include "unroll.h"

#define INLINE static inline __attribute__((always_inline))

// The coefficients interpolate at Chebyshev nodes, computed with 40 digits.

// 2^f for |f| <= 1/2: relative error 7e-8, or 4e-6 if the result becomes bfloat16 (whose steps are 4e-3).
INLINE lanes exp2_fraction(lanes f)
{
#if NARROW_IS_FLOAT
    lanes p = v_fma(v_set(1.546144469856913e-4f), f, v_set(1.3400428177615838e-3f));
    p = v_fma(p, f, v_set(9.618056678524637e-3f));
    p = v_fma(p, f, v_set(5.550327226670302e-2f));
    p = v_fma(p, f, v_set(2.4022650922288757e-1f));
    p = v_fma(p, f, v_set(6.931472067028326e-1f));
#else
    lanes p = v_fma(v_set(9.666368515385448e-3f), f, v_set(5.592197584225585e-2f));
    p = v_fma(p, f, v_set(2.402234903802036e-1f));
    p = v_fma(p, f, v_set(6.931210452034271e-1f));
#endif
    return v_fma(p, f, v_set(1.0f));
}

// 2^x for x <= 127; never below 2^-126.
INLINE lanes exp2_lanes(lanes x)
{
    x = v_max(v_set(-126.0f), x);
    const lanes n = v_round(x);
    return v_power(exp2_fraction(x - n), n);
}

INLINE lanes sigmoid(lanes x)
{
    const lanes e = exp2_lanes(v_min(v_set(126.0f), x * v_set(-1.44269504f)));
    return v_set(1.0f) / (v_set(1.0f) + e);
}

// x Phi(x) = max(x, 0) - |x| Phi(-|x|), with log2 Phi(-a) a polynomial on [0, 6]: absolute error of a Phi(-a) below
// 3e-8 (bfloat16: 7e-7). Beyond 6 the second term is below 1e-8 and is held there.
INLINE lanes gelu(lanes x)
{
    const lanes a = v_min(v_set(6.0f), v_max(x, -x));
#if NARROW_IS_FLOAT
    static const float c[] = {-9.999999353e-01f, -1.151107191e+00f, -4.592000996e-01f, -5.249218817e-02f,
                              7.002426501e-03f,  -2.581307363e-05f, -2.796633626e-04f, 8.163977386e-05f,
                              -1.329010828e-05f, 1.336492789e-06f,  -7.757566414e-08f, 1.993345004e-09f};
#else
    static const float c[] = {-9.999890898e-01f, -1.151345529e+00f, -4.582223820e-01f, -5.419664577e-02f,
                              8.619215833e-03f,  -9.576029748e-04f, 6.487905793e-05f,  -1.991437183e-06f};
#endif
    lanes p = v_set(c[sizeof c / sizeof *c - 1]);
    for (int i = (int)(sizeof c / sizeof *c) - 2; i >= 0; i--)
        p = v_fma(p, a, v_set(c[i]));
    return v_max(v_set(0.0f), x) - a * exp2_lanes(p);
}

// With libm: only single rows use it (poolers).
static lanes hyperbolic_tangent(lanes x)
{
    float f[LANES];
    v_store(f, x);
    for (int i = 0; i < LANES; i++)
        f[i] = tanhf(f[i]);
    return v_load(f);
}

INLINE lanes activate(tub_activation activation, lanes x)
{
    switch (activation) {
    case TUB_ACT_GELU:
        return gelu(x);
    case TUB_ACT_GELU_TANH:
        return x * sigmoid(x * v_fma(v_set(0.0713548163f) * x, x, v_set(1.5957691216f)));
    case TUB_ACT_QUICK_GELU:
        return x * sigmoid(x * v_set(1.702f));
    case TUB_ACT_SILU:
        return x * sigmoid(x);
    case TUB_ACT_TANH:
        return hyperbolic_tangent(x);
    default:
        return x;
    }
}

#include "kernels_finish.h"

static float row_mean(const float *x, int count)
{
    lanes a = v_set(0), b = v_set(0);
    int i = 0;
    for (; i + 2 * LANES <= count; i += 2 * LANES) {
        a = a + v_load(x + i);
        b = b + v_load(x + i + LANES);
    }
    for (; i < count; i += LANES)
        a = a + v_load_part(x + i, count - i < LANES ? count - i : LANES, 0);
    return v_sum(a + b) / (float)count;
}

static float row_squares(const float *x, float mean, int count)
{
    const lanes m = v_set(mean);
    lanes a = v_set(0), b = v_set(0);
    int i = 0;
    for (; i + 2 * LANES <= count; i += 2 * LANES) {
        const lanes d = v_load(x + i) - m, e = v_load(x + i + LANES) - m;
        a = v_fma(d, d, a);
        b = v_fma(e, e, b);
    }
    for (; i < count; i += LANES) {
        const lanes d = v_load_part(x + i, count - i < LANES ? count - i : LANES, mean) - m;
        a = v_fma(d, d, a);
    }
    return v_sum(a + b);
}

INLINE lanes norm_lanes(const tub_norm_params *p, lanes x, lanes mean, lanes factor, int i, int n)
{
    const lanes y = (x - mean) * factor;
    const lanes w = n == LANES ? v_load(p->weight + i) : v_load_part(p->weight + i, n, 0);
    if (!p->bias)
        return y * w;
    return v_fma(y, w, n == LANES ? v_load(p->bias + i) : v_load_part(p->bias + i, n, 0));
}

INLINE void norm(const float *x, const tub_norm_params *p, float *wide, narrow *slim, int count)
{
    const float middle = p->kind == TUB_NORM_LAYER ? row_mean(x, count) : 0;
    const double squares = (double)row_squares(x, middle, count);
    const double size = p->kind == TUB_NORM_L2 ? fmax(sqrt(squares), p->eps) : sqrt(squares / count + p->eps);
    const float factor = (float)(1.0 / size);
    int i = 0;
    for (; i + LANES <= count; i += LANES) {
        const lanes y = norm_lanes(p, v_load(x + i), v_set(middle), v_set(factor), i, LANES);
        if (wide)
            v_store(wide + i, y);
        else
            n_store(slim + i, y);
    }
    if (i == count)
        return;
    const lanes y = norm_lanes(p, v_load_part(x + i, count - i, 0), v_set(middle), v_set(factor), i, count - i);
    if (wide)
        v_store_part(wide + i, count - i, y);
    else
        n_store_part(slim + i, count - i, y);
}

static void norm_wide(const float *x, const tub_norm_params *p, float *out, int count)
{
    norm(x, p, out, NULL, count);
}

static void norm_narrow(const float *x, const tub_norm_params *p, void *out, int count)
{
    norm(x, p, NULL, out, count);
}

static float greatest(const float *x, int count)
{
    lanes a = v_set(-INFINITY), b = a, c = a, d = a;
    int i = 0;
    for (; i + 4 * LANES <= count; i += 4 * LANES) {
        a = v_max(a, v_load(x + i));
        b = v_max(b, v_load(x + i + LANES));
        c = v_max(c, v_load(x + i + 2 * LANES));
        d = v_max(d, v_load(x + i + 3 * LANES));
    }
    a = v_max(a, c);
    b = v_max(b, d);
    for (; i < count; i += LANES)
        a = v_max(a, v_load_part(x + i, count - i < LANES ? count - i : LANES, -INFINITY));
    return v_greatest(v_max(a, b));
}

// As `out` isn't behind `scores`, whatever is overwritten was read before.
static float softmax(const float *scores, float scale, void *weights, int count)
{
    const float factor = scale * 1.44269504f;
    const lanes f = v_set(factor), shift = v_set(-factor * greatest(scores, count));
    narrow *out = weights;
    lanes a = v_set(0), b = v_set(0);
    int i = 0;
    for (; i + 2 * LANES <= count; i += 2 * LANES) {
        const lanes x = v_load(scores + i), y = v_load(scores + i + LANES);
        const lanes p = exp2_lanes(v_fma(x, f, shift)), q = exp2_lanes(v_fma(y, f, shift));
        n_store(out + i, p);
        n_store(out + i + LANES, q);
        a = a + p;
        b = b + q;
    }
    for (; i < count; i += LANES) {
        const int n = count - i < LANES ? count - i : LANES;
        const lanes p = exp2_lanes(v_fma(v_load_part(scores + i, n, 0), f, shift));
        n_store_part(out + i, n, p);
        float kept[LANES];
        v_store(kept, p);
        a = a + v_load_part(kept, n, 0);
    }
    return 1.0f / v_sum(a + b);
}

INLINE void note_greatest(const tub_softmax_block *b)
{
    for (int r = 0; r < b->rows; r++) {
        const float before = b->greatest[r], here = greatest(b->scores + (size_t)r * b->score_row, b->count);
        const float top = here > before ? here : before;
        b->greatest[r] = top;
        b->again[r] = b->factor * (before - top);
    }
    for (int r = 0; r < b->rows; r += LANES) {
        const int n = b->rows - r < LANES ? b->rows - r : LANES;
        v_store_part(b->again + r, n, exp2_lanes(v_load_part(b->again + r, n, 0)));
    }
}

// The last weights of a row, and the zeros after them.
INLINE lanes edge(const float *scores, int left, lanes f, lanes shift, narrow *to)
{
    lanes sum = v_set(0);
    for (int i = 0; i < 32; i += LANES) {
        const int n = left - i < 0 ? 0 : left - i < LANES ? left - i : LANES;
        float kept[LANES];
        v_store(kept, exp2_lanes(v_fma(v_load_part(scores + i, n, 0), f, shift)));
        const lanes x = v_load_part(kept, n, 0);
        n_store(to + i, x);
        sum = sum + x;
    }
    return sum;
}

INLINE float row_weights(const tub_softmax_block *b, const float *scores, lanes f, lanes shift, char *out)
{
    lanes low = v_set(0), high = low;
    int at = 0;
    for (; at + 32 <= b->count; at += 32, out += b->out_span) {
        UNROLL(8)
        for (int i = 0; i < 32; i += 2 * LANES) {
            const lanes x = exp2_lanes(v_fma(v_load(scores + at + i), f, shift));
            const lanes y = exp2_lanes(v_fma(v_load(scores + at + i + LANES), f, shift));
            n_store_two((narrow *)(void *)out + i, x, y);
            low = low + x;
            high = high + y;
        }
    }
    for (; at < b->padded; at += 32, out += b->out_span)
        low = low + edge(scores + at, b->count - at, f, shift, (narrow *)(void *)out);
    return v_sum(low + high);
}

static void softmax_block(const tub_softmax_block *b)
{
    const lanes f = v_set(b->factor);
    note_greatest(b);
    for (int r = 0; r < b->rows; r++) {
        const float sum = row_weights(b, b->scores + (size_t)r * b->score_row, f, v_set(-b->factor * b->greatest[r]),
                                      (char *)b->out + (size_t)r * b->out_row);
        b->sum[r] = b->sum[r] * b->again[r] + sum;
    }
}

INLINE float dot(const narrow *a, const narrow *b, int count)
{
    lanes sum = v_set(0);
    int i = 0;
    for (; i + LANES <= count; i += LANES)
        sum = v_fma(n_load(a + i), n_load(b + i), sum);
    if (i < count)
        sum = v_fma(n_load_part(a + i, count - i), n_load_part(b + i, count - i), sum);
    return v_sum(sum);
}

// scores = exp(scale * (score - greatest)); returns 1 / their sum.
INLINE float exponentials(float *scores, float scale, int count)
{
    const float factor = scale * 1.44269504f;
    const lanes f = v_set(factor), shift = v_set(-factor * greatest(scores, count));
    lanes sum = v_set(0);
    for (int i = 0; i < count; i += LANES) {
        const int n = count - i < LANES ? count - i : LANES;
        v_store_part(scores + i, n, exp2_lanes(v_fma(v_load_part(scores + i, n, 0), f, shift)));
        sum = sum + v_load_part(scores + i, n, 0);
    }
    return 1.0f / v_sum(sum);
}

// out = factor * sum of weights[k] * v[k]
INLINE void mix(const float *weights, const narrow *v, size_t stride, int keys, float factor, narrow *out, int count)
{
    for (int i = 0; i < count; i += LANES) {
        const int n = count - i < LANES ? count - i : LANES;
        lanes sum = v_set(0);
        for (int k = 0; k < keys; k++) {
            const narrow *from = v + (size_t)k * stride + i;
            sum = v_fma(v_set(weights[k]), n == LANES ? n_load(from) : n_load_part(from, n), sum);
        }
        n_store_part(out + i, n, sum * v_set(factor));
    }
}

static void attend(const tub_attend *a, const void *q, const void *k, const void *v, void *out, float *scores)
{
    for (int i = 0; i < a->queries; i++) {
        const narrow *query = (const narrow *)q + (size_t)i * a->q_stride;
        for (int j = 0; j < a->keys; j++)
            scores[j] = dot(query, (const narrow *)k + (size_t)j * a->k_stride, a->dim);
        const float factor = exponentials(scores, a->scale, a->keys);
        mix(scores, v, a->v_stride, a->keys, factor, (narrow *)out + (size_t)i * a->out_stride, a->dim);
    }
}

INLINE void gate_any(const narrow *x, tub_activation activation, narrow *out, int count)
{
    int i = 0;
    for (; i + LANES <= count; i += LANES)
        n_store(out + i, activate(activation, n_load(x + i)) * n_load(x + count + i));
    if (i < count)
        n_store_part(out + i, count - i,
                     activate(activation, n_load_part(x + i, count - i)) * n_load_part(x + count + i, count - i));
}

static void gate(const void *x, tub_activation activation, void *out, int count)
{
    switch (activation) {
    case TUB_ACT_SILU:
        gate_any(x, TUB_ACT_SILU, out, count);
        break;
    case TUB_ACT_GELU:
        gate_any(x, TUB_ACT_GELU, out, count);
        break;
    default:
        gate_any(x, activation, out, count);
    }
}

// out[j] = x[j] cos[j] - x[j+h] sin[j]; out[j+h] = x[j+h] cos[j+h] + x[j] sin[j+h]
static void rotate_halves(const narrow *x, const tub_angles *angles, narrow *out)
{
    const int half = angles->dim / 2;
    for (int j = 0; j < half; j += LANES) {
        const int n = half - j < LANES ? half - j : LANES;
        const lanes low = n_load_part(x + j, n), high = n_load_part(x + half + j, n);
        const lanes c = v_load_part(angles->cosine + j, n, 0), d = v_load_part(angles->cosine + half + j, n, 0);
        const lanes s = v_load_part(angles->sine + j, n, 0), t = v_load_part(angles->sine + half + j, n, 0);
        n_store_part(out + j, n, v_fma(low, c, -(high * s)));
        n_store_part(out + half + j, n, v_fma(high, d, low * t));
    }
}

static void rotate_interleaved(const narrow *x, const tub_angles *angles, lanes sign, narrow *out)
{
    for (int j = 0; j < angles->dim; j += LANES) {
        const int n = angles->dim - j < LANES ? angles->dim - j : LANES;
        const lanes y = n_load_part(x + j, n), c = v_load_part(angles->cosine + j, n, 0);
        const lanes s = v_load_part(angles->sine + j, n, 0) * sign;
        n_store_part(out + j, n, v_fma(y, c, v_swap(y) * s));
    }
}

static void rotate(const void *x, const tub_angles *angles, void *out)
{
    float signs[LANES];
    for (int i = 0; i < LANES; i++)
        signs[i] = i % 2 ? 1 : -1;
    for (int head = 0; head < angles->heads; head++) {
        const int at = head * angles->dim;
        if (angles->pairing == TUB_PAIR_HALVES)
            rotate_halves((const narrow *)x + at, angles, (narrow *)out + at);
        else
            rotate_interleaved((const narrow *)x + at, angles, v_load(signs), (narrow *)out + at);
    }
}

static void multiply(const float *x, float factor, void *out, int count)
{
    const lanes f = v_set(factor);
    int i = 0;
    for (; i + LANES <= count; i += LANES)
        n_store((narrow *)out + i, v_load(x + i) * f);
    if (i < count)
        n_store_part((narrow *)out + i, count - i, v_load_part(x + i, count - i, 0) * f);
}

static void scale(float *x, float factor, int count)
{
    const lanes f = v_set(factor);
    int i = 0;
    for (; i + LANES <= count; i += LANES)
        v_store(x + i, v_load(x + i) * f);
    if (i < count)
        v_store_part(x + i, count - i, v_load_part(x + i, count - i, 0) * f);
}

static void add(const float *a, const float *b, float *out, int count)
{
    int i = 0;
    for (; i + LANES <= count; i += LANES)
        v_store(out + i, v_load(a + i) + v_load(b + i));
    if (i < count)
        v_store_part(out + i, count - i, v_load_part(a + i, count - i, 0) + v_load_part(b + i, count - i, 0));
}

static void to_narrow(const float *x, void *out, int count)
{
#if NARROW_IS_FLOAT
    memcpy(out, x, (size_t)count * sizeof *x);
#else
    for (int i = 0; i < count; i += LANES) {
        const int n = count - i < LANES ? count - i : LANES;
        n_store_part((narrow *)out + i, n, v_load_part(x + i, n, 0));
    }
#endif
}

static void to_narrow_pieces(const float *x, int pieces, int count, void *out, size_t out_stride)
{
    enum { AHEAD = 1024 }; // floats: the processor's own prefetching ends at the page
    narrow *to = out;
    for (int p = 0; p < pieces; p++, x += count, to += out_stride) {
        __builtin_prefetch(x + AHEAD, 0, 3);
        for (int i = 0; i < count; i += LANES) {
            const int n = count - i < LANES ? count - i : LANES;
            n_store_part(to + i, n, v_load_part(x + i, n, 0));
        }
    }
}

static void to_wide(const void *x, float *out, int count)
{
#if NARROW_IS_FLOAT
    memcpy(out, x, (size_t)count * sizeof *out);
#else
    for (int i = 0; i < count; i += LANES) {
        const int n = count - i < LANES ? count - i : LANES;
        v_store_part(out + i, n, n_load_part((const narrow *)x + i, n));
    }
#endif
}

#if WITH_INT8
#include "kernels_int8.h"
#endif

const tub_kernels TABLE = {
    .narrow_bytes = sizeof(narrow),
    .finish_wide = finish_wide,
    .finish_narrow = finish_narrow,
    .finish_block = finish_block,
    .norm_wide = norm_wide,
    .norm_narrow = norm_narrow,
    .softmax = softmax,
    .softmax_block = softmax_block,
    .attend = attend,
    .gate = gate,
    .rotate = rotate,
    .multiply = multiply,
    .scale = scale,
    .add = add,
    .narrow = to_narrow,
    .narrow_pieces = to_narrow_pieces,
    .widen = to_wide,
#if WITH_INT8
    .peak = peak,
    .int8_row = int8_row,
#endif
};
