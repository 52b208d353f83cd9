#include "fake_library.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "gpu_bodies.h"
#include "gpu_host.h"

static float rounded_to_tf32(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    bits = (bits + 0xfff + ((bits >> 13) & 1)) & ~0x1fffu;
    memcpy(&x, &bits, sizeof x);
    return x;
}

static float *to_floats(const void *from, tub_gpu_type type, size_t count, bool tf32)
{
    float *out = malloc(count * sizeof *out);
    for (size_t i = 0; i < count; i++) {
        out[i] =
            type == TUB_GPU_E4M3 ? tub_from_e4m3(((const uint8_t *)from)[i]) : tub_gpu_load(from, (int64_t)i, type);
        if (tf32 && type == TUB_GPU_F32)
            out[i] = rounded_to_tf32(out[i]);
    }
    return out;
}

static float dot_in_order(const float *a, const float *b, int count)
{
    float sum = 0;
    for (int i = 0; i < count; i++)
        sum += a[i] * b[i];
    return sum;
}

static float dot_by_fours(const float *a, const float *b, int count)
{
    float sum0 = 0, sum1 = 0, sum2 = 0, sum3 = 0;
    int i = 0;
    for (; i + 4 <= count; i += 4) {
        sum0 += a[i] * b[i];
        sum1 += a[i + 1] * b[i + 1];
        sum2 += a[i + 2] * b[i + 2];
        sum3 += a[i + 3] * b[i + 3];
    }
    return (sum0 + sum1) + (sum2 + sum3) + dot_in_order(a + i, b + i, count - i);
}

// As tensor cores do it, except that the first step is shorter.
static float dot_by_steps(const float *a, const float *b, int count)
{
    float sum = 0;
    for (int from = 0, to; from < count; from = to) {
        float part = 0;
        to = from + (from == 0 ? 8 : 16);
        to = to < count ? to : count;
        for (int i = from; i < to; i++)
            part += a[i] * b[i];
        sum += part;
    }
    return sum;
}

// Narrow factors in the order of tensor cores, or in another one; everything else in two orders that also differ.
static float *sums_of(const tub_gpu_gemm *g, const float *x, const float *weight, fake_order order)
{
    float *sums = malloc((size_t)g->m * (size_t)g->n * sizeof *sums);
    if (order == FAKE_USUAL && (g->type == TUB_GPU_F16 || g->type == TUB_GPU_BF16)) {
        tub_gpu_host_sums(x, weight, g->m, g->n, g->k, sums);
        return sums;
    }
    for (size_t i = 0; i < (size_t)g->m; i++)
        for (size_t j = 0; j < (size_t)g->n; j++) {
            const float *a = x + i * (size_t)g->k, *b = weight + j * (size_t)g->k;
            sums[i * (size_t)g->n + j] = order == FAKE_NEAR    ? dot_by_steps(a, b, g->k)
                                         : order == FAKE_OTHER ? dot_in_order(a, b, g->k)
                                                               : dot_by_fours(a, b, g->k);
        }
    return sums;
}

void fake_library_multiply(const tub_gpu_gemm *g, fake_order order)
{
    float *x = to_floats(g->x, g->type, (size_t)g->m * (size_t)g->k, g->tf32);
    float *weight = to_floats(g->weight, g->type, (size_t)g->n * (size_t)g->k, g->tf32);
    float *sums = sums_of(g, x, weight, order);
    for (int i = 0; i < g->m; i++)
        for (int j = 0; j < g->n; j++) {
            const int64_t at = (int64_t)i * g->n + j;
            float sum = sums[at];
            if (g->type == TUB_GPU_E4M3)
                sum *= g->x_scales[i] * g->weight_scales[j];
            if (g->has_bias)
                sum += tub_gpu_load(g->bias, j, g->bias_type);
            if (g->gelu_tanh)
                sum = tub_gpu_act(2, sum);
            if (g->has_residual)
                sum += g->residual[at];
            tub_gpu_store(g->out, at, g->out_type, sum);
        }
    free(x);
    free(weight);
    free(sums);
}

static void attend_one(const tub_gpu_attention *a, int run, int head, int query, double *weights)
{
    const int64_t q = run * a->q_batch + query * a->q_row + (int64_t)head * a->dim;
    double most = -INFINITY, total = 0;
    for (int i = 0; i < a->keys; i++) {
        weights[i] = 0;
        for (int j = 0; j < a->dim; j++)
            weights[i] += (double)tub_gpu_load(a->q, q + j, a->type) * tub_gpu_attention_key(a, run, head, i, j);
        weights[i] *= (double)a->scale;
        most = fmax(most, weights[i]);
    }
    for (int i = 0; i < a->keys; i++)
        total += weights[i] = exp(weights[i] - most);
    for (int j = 0; j < a->dim; j++) {
        double sum = 0;
        for (int i = 0; i < a->keys; i++)
            sum += weights[i] / total * tub_gpu_attention_value(a, run, head, i, j);
        tub_gpu_store(a->out, run * a->out_batch + query * a->out_row + (int64_t)head * a->dim + j, a->type,
                      (float)sum);
    }
}

void fake_library_attend(const tub_gpu_attention *a)
{
    double *weights = malloc((size_t)a->keys * sizeof *weights);
    for (int run = 0; run < a->batch; run++)
        for (int head = 0; head < a->heads; head++)
            for (int query = 0; query < a->queries; query++)
                attend_one(a, run, head, query, weights);
    free(weights);
}
