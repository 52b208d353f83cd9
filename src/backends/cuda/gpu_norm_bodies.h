// Norms: TUB_GPU_LANES threads have one slice of one row, which is read only once if it fits into their registers. What
// a thread does between two exchanges with the others, for the device and for the host (gpu_bodies.h).
#ifndef TUB_GPU_NORM_BODIES_H
#define TUB_GPU_NORM_BODIES_H

#include "gpu_element_bodies.h"

enum {
    TUB_GPU_HELD = 16,  // most packs of a slice that a thread holds: for rows of up to 2048 columns
    TUB_GPU_SCALED = 2, // packs of weights and biases that a thread reads at the same time
};

typedef struct tub_gpu_norm_slice {
    int64_t at;             // of its first element, in x and out
    const float *weight, *bias;
    bool aligned;
} tub_gpu_norm_slice;

TUB_GPU_BODY tub_gpu_norm_slice tub_gpu_norm_at(const tub_gpu_norm *t, uint32_t slice)
{
    tub_gpu_norm_slice s;
    const uint32_t row = slice / (uint32_t)t->count;
    const int64_t first = (int64_t)(slice % (uint32_t)t->count) * t->dim;
    s.at = (int64_t)row * t->cols + first;
    s.weight = t->weight + first;
    s.bias = t->bias ? t->bias + first : NULL;
    s.aligned = t->dim % TUB_GPU_PACK == 0 && t->cols % TUB_GPU_PACK == 0;
    return s;
}

// A lane's packs of a slice are TUB_GPU_LANES packs apart.
TUB_GPU_BODY int tub_gpu_norm_packs(int dim)
{
    return (tub_gpu_packs(dim) + TUB_GPU_LANES - 1) / TUB_GPU_LANES;
}

// How many packs, all of four columns, a lane holds in registers: one of the numbers that kernels are compiled for. 0:
// there are other packs, or too many; they are read again.
TUB_GPU_BODY int tub_gpu_norm_held(const tub_gpu_norm *t)
{
    const int packs = tub_gpu_norm_packs(t->dim);
    if (t->dim % TUB_GPU_PACK || t->cols % TUB_GPU_PACK || packs > TUB_GPU_HELD)
        return 0;
    return packs <= 1 ? 1 : packs <= 3 ? 3 : packs <= 6 ? 6 : packs <= 8 ? 8 : packs <= 12 ? 12 : TUB_GPU_HELD;
}

TUB_GPU_BODY int tub_gpu_norm_column(int lane, int pack)
{
    return (pack * TUB_GPU_LANES + lane) * TUB_GPU_PACK;
}

TUB_GPU_BODY void tub_gpu_norm_hold(const tub_gpu_norm *t, const tub_gpu_norm_slice *s, int lane, int packs, float *held)
{
    TUB_GPU_UNROLL
    for (int i = 0; i < packs; i++) {
        const int j = tub_gpu_norm_column(lane, i);
        if (j < t->dim)
            tub_gpu_load_pack(t->x, s->at + j, t->type, TUB_GPU_PACK, true, held + i * TUB_GPU_PACK);
    }
}

TUB_GPU_BODY void tub_gpu_norm_read(const tub_gpu_norm *t, const tub_gpu_norm_slice *s, int j, float *x)
{
    tub_gpu_load_pack(t->x, s->at + j, t->type, tub_gpu_pack_count(t->dim, j), s->aligned, x);
}

// The lane's part of the sum of x, or of the squares around `mean`. `held`: its packs; NULL: they are read.
TUB_GPU_BODY float tub_gpu_norm_part(const tub_gpu_norm *t, const tub_gpu_norm_slice *s, int lane, int packs,
                                     const float *held, bool squares, float mean)
{
    float sum = 0.0f;
    TUB_GPU_UNROLL
    for (int i = 0; i < packs; i++) {
        const int j = tub_gpu_norm_column(lane, i), count = held ? TUB_GPU_PACK : tub_gpu_pack_count(t->dim, j);
        float read[TUB_GPU_PACK] = {0.0f, 0.0f, 0.0f, 0.0f};
        if (j >= t->dim)
            break;
        if (!held)
            tub_gpu_norm_read(t, s, j, read);
        const float *x = held ? held + i * TUB_GPU_PACK : read;
        for (int l = 0; l < TUB_GPU_PACK; l++)
            if (l < count)
                sum = squares ? fmaf(x[l] - mean, x[l] - mean, sum) : sum + x[l];
    }
    return sum;
}

// What x - mean is multiplied by, or with L2 divided by: PyTorch multiplies by the reciprocal root in layer and RMS
// norm.
TUB_GPU_BODY float tub_gpu_norm_factor(const tub_gpu_norm *t, float squares)
{
    if (t->kind == 2)
        return 1.0f / fmaxf(sqrtf(squares), t->eps);
    return 1.0f / sqrtf(squares / (float)t->dim + t->eps);
}

TUB_GPU_BODY float tub_gpu_normed(float x, float mean, float factor, float weight, float bias)
{
    return (x - mean) * factor * weight + bias;
}

TUB_GPU_BODY void tub_gpu_norm_scales(const tub_gpu_norm *t, const tub_gpu_norm_slice *s, int j, bool aligned,
                                      float *weight, float *bias)
{
    const int count = tub_gpu_pack_count(t->dim, j);
    for (int l = 0; l < TUB_GPU_PACK; l++)
        bias[l] = 0.0f;
    tub_gpu_load_pack(s->weight, j, TUB_GPU_F32, count, aligned, weight);
    if (s->bias)
        tub_gpu_load_pack(s->bias, j, TUB_GPU_F32, count, aligned, bias);
}

// For some of a lane's packs.
TUB_GPU_BODY void tub_gpu_norm_write_held(const tub_gpu_norm *t, const tub_gpu_norm_slice *s, int lane, int first,
                                          int last, float *held, float mean, float factor)
{
    float weight[TUB_GPU_SCALED * TUB_GPU_PACK], bias[TUB_GPU_SCALED * TUB_GPU_PACK];
    TUB_GPU_UNROLL
    for (int i = first; i < last; i++) {
        const int j = tub_gpu_norm_column(lane, i), at = (i - first) * TUB_GPU_PACK;
        if (j < t->dim)
            tub_gpu_norm_scales(t, s, j, true, weight + at, bias + at);
    }
    TUB_GPU_UNROLL
    for (int i = first; i < last; i++) {
        const int j = tub_gpu_norm_column(lane, i), at = (i - first) * TUB_GPU_PACK;
        float *x = held + i * TUB_GPU_PACK;
        if (j >= t->dim)
            break;
        for (int l = 0; l < TUB_GPU_PACK; l++)
            x[l] = tub_gpu_normed(x[l], mean, factor, weight[at + l], bias[at + l]);
        tub_gpu_store_pack(t->out, s->at + j, t->out_type, TUB_GPU_PACK, true, x);
    }
}

TUB_GPU_BODY void tub_gpu_norm_write_read(const tub_gpu_norm *t, const tub_gpu_norm_slice *s, int lane, float mean,
                                          float factor)
{
    for (int j = lane * TUB_GPU_PACK; j < t->dim; j += TUB_GPU_LANES * TUB_GPU_PACK) {
        float x[TUB_GPU_PACK], weight[TUB_GPU_PACK], bias[TUB_GPU_PACK];
        tub_gpu_norm_read(t, s, j, x);
        tub_gpu_norm_scales(t, s, j, s->aligned, weight, bias);
        for (int l = 0; l < TUB_GPU_PACK; l++)
            x[l] = tub_gpu_normed(x[l], mean, factor, weight[l], bias[l]);
        tub_gpu_store_pack(t->out, s->at + j, t->out_type, tub_gpu_pack_count(t->dim, j), s->aligned, x);
    }
}

// Overwrites `held`.
TUB_GPU_BODY void tub_gpu_norm_write(const tub_gpu_norm *t, const tub_gpu_norm_slice *s, int lane, int packs, float *held,
                                     float mean, float factor)
{
    if (!held)
        tub_gpu_norm_write_read(t, s, lane, mean, factor);
    TUB_GPU_UNROLL
    for (int i = 0; held && i < packs; i += TUB_GPU_SCALED)
        tub_gpu_norm_write_held(t, s, lane, i, i + TUB_GPU_SCALED < packs ? i + TUB_GPU_SCALED : packs, held, mean,
                                factor);
}

// The columns behind the slices stay as they are; the row's last slice copies them, too.
TUB_GPU_BODY void tub_gpu_norm_rest(const tub_gpu_norm *t, uint32_t slice, int lane)
{
    const int normed = t->dim * t->count;
    if (t->x == t->out || normed == t->cols || slice % (uint32_t)t->count != (uint32_t)t->count - 1)
        return;
    const int64_t row = (int64_t)(slice / (uint32_t)t->count) * t->cols;
    for (int j = normed + lane; j < t->cols; j += TUB_GPU_LANES)
        tub_gpu_store(t->out, row + j, t->out_type, tub_gpu_load(t->x, row + j, t->type));
}

#endif
