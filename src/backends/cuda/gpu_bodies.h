// What each of our kernels computes, as functions of one thread: compiled by nvcc for the device and by the C compiler
// for the host, where the tests run whole programs through them.
//
// A function here is what one thread does between two exchanges with others. How threads are numbered and what they
// exchange is in plugin/gpu_kernels.cu for the device and in gpu_host.h for the host, in the same order, so that sums
// are rounded alike.
//
// Values are float32 in registers whatever their type in memory; fused multiply-adds stand where fmaf() does.
#ifndef TUB_GPU_BODIES_H
#define TUB_GPU_BODIES_H

#include "gpu_activation_bodies.h"

enum {
    TUB_GPU_ACTIVATE_RUNS = 2, // runs that a thread has on their way at the same time
    TUB_GPU_TURNS = 4,         // heads that a thread rotates by the same angles
    TUB_GPU_KEYS = 32,         // keys of a tile of attention
    TUB_GPU_MEAN_ROWS = 64,    // rows of a sum in float32; such sums are added in double
    TUB_GPU_HELD = 16,         // packs of a normed slice that a thread holds at most: of rows of up to 2048 columns
};

// ---- patches: a thread has up to four neighbouring pixels of one patch, all three channels ----

// A pixel as it is in a made frame, which may be narrower than the result.
TUB_GPU_BODY float tub_gpu_as_made(const tub_gpu_patches *t, float x)
{
    return t->made_type == t->type || t->made_type == TUB_GPU_F32 ? x : tub_gpu_rounded(t->made_type, x);
}

TUB_GPU_BODY int64_t tub_gpu_patches_threads(const tub_gpu_patches *t)
{
    return (int64_t)t->items * t->rows * t->kt * t->ky * tub_gpu_packs(t->kx);
}

TUB_GPU_BODY void tub_gpu_patches_body(const tub_gpu_patches *t, uint32_t thread)
{
    const uint32_t packs = (uint32_t)tub_gpu_packs(t->kx);
    const int x = (int)(thread % packs) * TUB_GPU_PACK;
    uint32_t rest = thread / packs;
    const int y = (int)(rest % (uint32_t)t->ky);
    rest /= (uint32_t)t->ky;
    const int time = (int)(rest % (uint32_t)t->kt);
    rest /= (uint32_t)t->kt;
    const int row = (int)(rest % (uint32_t)t->rows), item = (int)(rest / (uint32_t)t->rows);
    const int across = t->width / t->kx, down = t->height / t->ky;
    const int left = row % across * t->kx + x, top = row / across % down * t->ky + y;
    // An item of fewer than kt frames counts as kt times itself.
    const int frame = (row / across / down * t->kt + time) % t->item_frames;
    const void *pixels = t->frames[(int64_t)item * t->item_frames + frame];
    const int made = (int)((uintptr_t)pixels & 3);
    const int64_t pixel = (int64_t)top * t->width + left, plane = (int64_t)t->height * t->width;
    const int count = tub_gpu_pack_count(t->kx, x);
    const bool aligned = t->kx % TUB_GPU_PACK == 0;
    const int64_t at = ((int64_t)item * t->rows + row) * t->cols + (int64_t)(time * t->ky + y) * t->kx + x;
    for (int c = 0; c < 3; c++) {
        float out[TUB_GPU_PACK];
        for (int j = 0; j < TUB_GPU_PACK; j++)
            if (made || j >= count)
                out[j] = 0.0f;
            else if (t->is_float)
                out[j] = tub_gpu_as_made(t, ((const float *)pixels)[c * plane + pixel + j]);
            else
                out[j] = tub_gpu_as_made(t, t->table[c * 256 + ((const uint8_t *)pixels)[3 * (pixel + j) + c]]);
        if (made)
            tub_gpu_load_pack((const char *)pixels - made,
                              ((int64_t)(row % (across * down) * 3 + c) * t->ky + y) * t->kx + x,
                              (tub_gpu_type)(made - 1), count, aligned, out);
        tub_gpu_store_pack(t->out, at + (int64_t)c * t->kt * t->ky * t->kx, t->type, count, aligned, out);
    }
}

// ---- norms: TUB_GPU_LANES threads have one slice of one row, which is read once where their registers have room ----

typedef struct tub_gpu_norm_slice {
    int64_t at;             // of its first element, in x and out
    const float *weight, *bias;
    bool aligned;
} tub_gpu_norm_slice;

TUB_GPU_BODY tub_gpu_norm_slice tub_gpu_norm_at(const tub_gpu_norm *t, int64_t slice)
{
    tub_gpu_norm_slice s;
    const int k = (int)(slice % t->count);
    s.at = slice / t->count * t->cols + (int64_t)k * t->dim;
    s.weight = t->weight + (int64_t)k * t->dim;
    s.bias = t->bias ? t->bias + (int64_t)k * t->dim : NULL;
    s.aligned = t->dim % TUB_GPU_PACK == 0 && t->cols % TUB_GPU_PACK == 0;
    return s;
}

// A lane's packs of a slice lie TUB_GPU_LANES packs apart.
TUB_GPU_BODY int tub_gpu_norm_packs(int dim)
{
    return (tub_gpu_packs(dim) + TUB_GPU_LANES - 1) / TUB_GPU_LANES;
}

// How many packs a lane holds in registers: what a kernel was compiled for. 0: too many, they are read again.
TUB_GPU_BODY int tub_gpu_norm_held(int dim)
{
    const int packs = tub_gpu_norm_packs(dim);
    return packs <= 1 ? 1 : packs <= 8 ? 8 : packs <= TUB_GPU_HELD ? TUB_GPU_HELD : 0;
}

TUB_GPU_BODY void tub_gpu_norm_read(const tub_gpu_norm *t, const tub_gpu_norm_slice *s, int j, float *x)
{
    tub_gpu_load_pack(t->x, s->at + j, t->type, tub_gpu_pack_count(t->dim, j), s->aligned, x);
}

TUB_GPU_BODY void tub_gpu_norm_hold(const tub_gpu_norm *t, const tub_gpu_norm_slice *s, int lane, int packs,
                                    float *held)
{
    TUB_GPU_UNROLL
    for (int i = 0; i < packs; i++) {
        const int j = (i * TUB_GPU_LANES + lane) * TUB_GPU_PACK;
        if (j < t->dim)
            tub_gpu_norm_read(t, s, j, held + i * TUB_GPU_PACK);
    }
}

// The lane's part of the sum of x, or of the squares around `mean`. `held`: its packs; NULL: they are read.
TUB_GPU_BODY float tub_gpu_norm_part(const tub_gpu_norm *t, const tub_gpu_norm_slice *s, int lane, int packs,
                                     const float *held, bool squares, float mean)
{
    float sum = 0.0f;
    TUB_GPU_UNROLL
    for (int i = 0; i < packs; i++) {
        const int j = (i * TUB_GPU_LANES + lane) * TUB_GPU_PACK, count = tub_gpu_pack_count(t->dim, j);
        float read[TUB_GPU_PACK] = {0.0f, 0.0f, 0.0f, 0.0f};
        if (!held && j < t->dim)
            tub_gpu_norm_read(t, s, j, read);
        const float *x = held ? held + i * TUB_GPU_PACK : read;
        for (int l = 0; l < TUB_GPU_PACK; l++)
            if (l < count)
                sum = squares ? fmaf(x[l] - mean, x[l] - mean, sum) : sum + x[l];
    }
    return sum;
}

// By what x - mean is multiplied, or, of L2, divided: PyTorch multiplies by the reciprocal root in layer and RMS norm.
TUB_GPU_BODY float tub_gpu_norm_factor(const tub_gpu_norm *t, float squares)
{
    if (t->kind == 2)
        return 1.0f / fmaxf(sqrtf(squares), t->eps);
    return 1.0f / sqrtf(squares / (float)t->dim + t->eps);
}

TUB_GPU_BODY void tub_gpu_norm_write(const tub_gpu_norm *t, const tub_gpu_norm_slice *s, int lane, int packs,
                                     const float *held, float mean, float factor)
{
    TUB_GPU_UNROLL
    for (int i = 0; i < packs; i++) {
        const int j = (i * TUB_GPU_LANES + lane) * TUB_GPU_PACK, count = tub_gpu_pack_count(t->dim, j);
        float x[TUB_GPU_PACK], weight[TUB_GPU_PACK], bias[TUB_GPU_PACK] = {0.0f, 0.0f, 0.0f, 0.0f};
        if (j >= t->dim)
            break;
        if (!held)
            tub_gpu_norm_read(t, s, j, x);
        tub_gpu_load_pack(s->weight, j, TUB_GPU_F32, count, s->aligned, weight);
        if (s->bias)
            tub_gpu_load_pack(s->bias, j, TUB_GPU_F32, count, s->aligned, bias);
        for (int l = 0; l < TUB_GPU_PACK; l++)
            if (l < count)
                x[l] = ((held ? held[i * TUB_GPU_PACK + l] : x[l]) - mean) * factor * weight[l] + bias[l];
        tub_gpu_store_pack(t->out, s->at + j, t->out_type, count, s->aligned, x);
    }
}

// The columns behind the slices stay as they are; the row's last slice takes them along.
TUB_GPU_BODY void tub_gpu_norm_rest(const tub_gpu_norm *t, int64_t slice, int lane)
{
    const int normed = t->dim * t->count;
    if (t->x == t->out || slice % t->count != t->count - 1)
        return;
    const int64_t row = slice / t->count * t->cols;
    for (int j = normed + lane; j < t->cols; j += TUB_GPU_LANES)
        tub_gpu_store(t->out, row + j, t->out_type, tub_gpu_load(t->x, row + j, t->type));
}

// ---- rotation: a thread has four neighbouring pairs of columns of several heads, or columns that aren't rotated ----
//
// It finishes the product of q, k and v in place, where that isn't done in the product's own epilogue (gpu_joined_bodies.h):
// cuBLASLt has none that mixes columns, and cuDNN's attention takes q and k as they are. In our own attention's loads it would
// cost more than it saves: angles of 8 bytes an element would be read again for every 64 queries, where here a token's q
// and k are read and written once, by all heads with the same angles.

TUB_GPU_BODY int tub_gpu_rotate_turns(const tub_gpu_rotate *t)
{
    return (t->heads + TUB_GPU_TURNS - 1) / TUB_GPU_TURNS * tub_gpu_packs(t->dim / 2);
}

TUB_GPU_BODY int tub_gpu_rotate_width(const tub_gpu_rotate *t)
{
    return tub_gpu_rotate_turns(t) + (t->x == t->out ? 0 : tub_gpu_packs(t->cols - t->dim * t->heads));
}

TUB_GPU_BODY int64_t tub_gpu_rotate_threads(const tub_gpu_rotate *t)
{
    return (int64_t)t->items * t->rows * tub_gpu_rotate_width(t);
}

// Two packs of a head: the first columns of four pairs and the second ones, or, interleaved, two pairs each.
typedef struct tub_gpu_pairs {
    int a, b;               // their columns
    int a_count, b_count;
    float a_cosine[TUB_GPU_PACK], b_cosine[TUB_GPU_PACK], a_sine[TUB_GPU_PACK], b_sine[TUB_GPU_PACK];
} tub_gpu_pairs;

TUB_GPU_BODY tub_gpu_pairs tub_gpu_pairs_at(const tub_gpu_rotate *t, int pair)
{
    tub_gpu_pairs p;
    const int half = t->dim / 2, count = tub_gpu_pack_count(half, pair);
    p.a = t->halves ? pair : 2 * pair;
    p.b = t->halves ? pair + half : 2 * pair + TUB_GPU_PACK;
    p.a_count = t->halves || count < TUB_GPU_PACK / 2 ? (t->halves ? count : 2 * count) : TUB_GPU_PACK;
    p.b_count = t->halves ? count : 2 * count - p.a_count;
    return p;
}

TUB_GPU_BODY void tub_gpu_turn(float *x, float *y, float x_cosine, float x_sine, float y_cosine, float y_sine)
{
    const float turned = *x * x_cosine - *y * x_sine;
    *y = *y * y_cosine + *x * y_sine;
    *x = turned;
}

TUB_GPU_BODY void tub_gpu_turn_pairs(const tub_gpu_rotate *t, const tub_gpu_pairs *p, float *a, float *b)
{
    for (int i = 0; i < TUB_GPU_PACK && t->halves; i++)
        tub_gpu_turn(a + i, b + i, p->a_cosine[i], p->a_sine[i], p->b_cosine[i], p->b_sine[i]);
    for (int i = 0; i < TUB_GPU_PACK && !t->halves; i += 2) {
        tub_gpu_turn(a + i, a + i + 1, p->a_cosine[i], p->a_sine[i], p->a_cosine[i + 1], p->a_sine[i + 1]);
        tub_gpu_turn(b + i, b + i + 1, p->b_cosine[i], p->b_sine[i], p->b_cosine[i + 1], p->b_sine[i + 1]);
    }
}

TUB_GPU_BODY void tub_gpu_rotate_load(const tub_gpu_rotate *t, tub_gpu_pairs *p, int item, int row, bool aligned)
{
    int64_t angle = row - t->skip;
    if (t->positions)
        angle = (int64_t)t->positions[(int64_t)item * t->frames + angle / t->frame] * t->frame + angle % t->frame;
    angle *= t->dim;
    tub_gpu_load_pack(t->cosine, angle + p->a, TUB_GPU_F32, p->a_count, aligned, p->a_cosine);
    tub_gpu_load_pack(t->cosine, angle + p->b, TUB_GPU_F32, p->b_count, aligned, p->b_cosine);
    tub_gpu_load_pack(t->sine, angle + p->a, TUB_GPU_F32, p->a_count, aligned, p->a_sine);
    tub_gpu_load_pack(t->sine, angle + p->b, TUB_GPU_F32, p->b_count, aligned, p->b_sine);
}

TUB_GPU_BODY void tub_gpu_rotate_heads(const tub_gpu_rotate *t, const tub_gpu_pairs *p, int64_t at, int head,
                                       bool turned, bool aligned)
{
    for (int last = head + TUB_GPU_TURNS; head < last && head < t->heads; head++) {
        const int64_t i = at + (int64_t)head * t->dim;
        float a[TUB_GPU_PACK], b[TUB_GPU_PACK];
        tub_gpu_load_pack(t->x, i + p->a, t->type, p->a_count, aligned, a);
        tub_gpu_load_pack(t->x, i + p->b, t->type, p->b_count, aligned, b);
        if (turned)
            tub_gpu_turn_pairs(t, p, a, b);
        tub_gpu_store_pack(t->out, i + p->a, t->type, p->a_count, aligned, a);
        tub_gpu_store_pack(t->out, i + p->b, t->type, p->b_count, aligned, b);
    }
}

TUB_GPU_BODY void tub_gpu_rotate_body(const tub_gpu_rotate *t, uint32_t thread)
{
    const uint32_t width = (uint32_t)tub_gpu_rotate_width(t), all = thread / width;
    const int unit = (int)(thread % width), turns = tub_gpu_rotate_turns(t), packs = tub_gpu_packs(t->dim / 2);
    const int row = (int)(all % (uint32_t)t->rows), item = (int)(all / (uint32_t)t->rows);
    const int64_t at = (int64_t)all * t->cols;
    const bool aligned = t->dim % (2 * TUB_GPU_PACK) == 0 && t->cols % TUB_GPU_PACK == 0, turned = row >= t->skip;
    if (unit >= turns) {
        const int col = t->dim * t->heads + (unit - turns) * TUB_GPU_PACK;
        for (int j = col; j < col + TUB_GPU_PACK && j < t->cols; j++)
            tub_gpu_store(t->out, at + j, t->type, tub_gpu_load(t->x, at + j, t->type));
        return;
    }
    if (!turned && t->x == t->out)
        return;
    tub_gpu_pairs p = tub_gpu_pairs_at(t, unit % packs * TUB_GPU_PACK);
    if (turned)
        tub_gpu_rotate_load(t, &p, item, row, aligned);
    tub_gpu_rotate_heads(t, &p, at, unit / packs * TUB_GPU_TURNS, turned, aligned);
}

// ---- sums: a thread has up to four neighbouring columns ----

TUB_GPU_BODY int64_t tub_gpu_sum_threads(const tub_gpu_sum *t)
{
    return (int64_t)t->rows * tub_gpu_packs(t->cols);
}

TUB_GPU_BODY void tub_gpu_sum_body(const tub_gpu_sum *t, uint32_t thread)
{
    const uint32_t packs = (uint32_t)tub_gpu_packs(t->cols), row = thread / packs;
    const int col = (int)(thread % packs) * TUB_GPU_PACK, count = tub_gpu_pack_count(t->cols, col);
    const bool aligned = t->cols % TUB_GPU_PACK == 0;
    float a[TUB_GPU_PACK], b[TUB_GPU_PACK];
    tub_gpu_load_pack(t->a, (int64_t)row * t->cols + col, t->type, count, aligned, a);
    tub_gpu_load_pack(t->b, (int64_t)(row % (uint32_t)t->period) * t->cols + col, TUB_GPU_F32, count, aligned, b);
    for (int j = 0; j < TUB_GPU_PACK; j++)
        a[j] += b[j];
    tub_gpu_store_pack(t->out, (int64_t)row * t->cols + col, TUB_GPU_F32, count, aligned, a);
}

// ---- gates: a thread has up to eight neighbouring columns ----

TUB_GPU_BODY int tub_gpu_runs(int cols)
{
    return (cols + TUB_GPU_RUN - 1) / TUB_GPU_RUN;
}

TUB_GPU_BODY int64_t tub_gpu_gate_threads(const tub_gpu_gate *t)
{
    return (int64_t)t->rows * tub_gpu_runs(t->cols);
}

TUB_GPU_BODY void tub_gpu_gate_read(const tub_gpu_gate *t, int64_t at, int count, bool aligned, float *gate, float *up)
{
    tub_gpu_load_some(t->x, at, t->type, TUB_GPU_RUN, count, aligned, gate);
    tub_gpu_load_some(t->x, at + t->cols, t->type, TUB_GPU_RUN, count, aligned, up);
}

TUB_GPU_BODY void tub_gpu_gate_body(const tub_gpu_gate *t, uint32_t thread)
{
    const uint32_t runs = (uint32_t)tub_gpu_runs(t->cols), row = thread / runs;
    const int col = (int)(thread % runs) * TUB_GPU_RUN, count = t->cols - col;
    const bool aligned = t->cols % TUB_GPU_RUN == 0;
    const int64_t at = (int64_t)row * 2 * t->cols + col;
    float gate[TUB_GPU_RUN], up[TUB_GPU_RUN];
    if (aligned) // asked once: neither load waits for the other
        tub_gpu_gate_read(t, at, count, true, gate, up);
    else
        tub_gpu_gate_read(t, at, count, false, gate, up);
    tub_gpu_act_all(t->type, t->activation, gate, TUB_GPU_RUN);
    for (int j = 0; j < TUB_GPU_RUN; j++)
        gate[j] *= up[j];
    tub_gpu_store_some(t->out, (int64_t)row * t->cols + col, t->type, TUB_GPU_RUN, count, aligned, gate);
}

// ---- activations: of a row after another, lanes have neighbouring runs, each TUB_GPU_ACTIVATE_RUNS of them ----

TUB_GPU_BODY int64_t tub_gpu_activate_threads(const tub_gpu_activate *t)
{
    const int64_t each = TUB_GPU_ACTIVATE_RUNS * TUB_GPU_RUN * TUB_GPU_LANES;
    return ((int64_t)t->rows * t->cols + each - 1) / each * TUB_GPU_LANES;
}

// Elements from one run of a thread to the next.
enum { TUB_GPU_ACTIVATE_APART = TUB_GPU_LANES * TUB_GPU_RUN };

TUB_GPU_BODY void tub_gpu_activate_read(const tub_gpu_activate *t, int64_t first, int count, bool aligned, float *x)
{
    TUB_GPU_UNROLL
    for (int i = 0; i < TUB_GPU_ACTIVATE_RUNS; i++)
        tub_gpu_load_some(t->x, first + i * TUB_GPU_ACTIVATE_APART, t->type, TUB_GPU_RUN,
                          count - i * TUB_GPU_ACTIVATE_APART, aligned, x + i * TUB_GPU_RUN);
}

TUB_GPU_BODY void tub_gpu_activate_write(const tub_gpu_activate *t, int64_t first, int count, bool aligned,
                                         const float *x)
{
    TUB_GPU_UNROLL
    for (int i = 0; i < TUB_GPU_ACTIVATE_RUNS; i++)
        tub_gpu_store_some(t->x, first + i * TUB_GPU_ACTIVATE_APART, t->type, TUB_GPU_RUN,
                           count - i * TUB_GPU_ACTIVATE_APART, aligned, x + i * TUB_GPU_RUN);
}

TUB_GPU_BODY void tub_gpu_activate_body(const tub_gpu_activate *t, uint32_t thread)
{
    enum { ALL = TUB_GPU_ACTIVATE_RUNS * TUB_GPU_ACTIVATE_APART };
    const uint32_t lane = thread % TUB_GPU_LANES;
    const int64_t first = (int64_t)(thread / TUB_GPU_LANES) * ALL + lane * TUB_GPU_RUN;
    const int64_t left = (int64_t)t->rows * t->cols - first;
    const int count = left < ALL ? (int)left : ALL;
    const bool whole = count > ALL - TUB_GPU_ACTIVATE_APART + TUB_GPU_RUN - 1;
    float x[TUB_GPU_ACTIVATE_RUNS * TUB_GPU_RUN];
    if (whole) // asked once: no load waits for another
        tub_gpu_activate_read(t, first, count, true, x);
    else
        tub_gpu_activate_read(t, first, count, false, x);
    tub_gpu_act_all(t->type, t->activation, x, TUB_GPU_ACTIVATE_RUNS * TUB_GPU_RUN);
    tub_gpu_activate_write(t, first, count, whole, x);
}

// ---- rows: a thread has eight bytes of a row, or two where rows aren't multiples of eight ----

TUB_GPU_BODY int tub_gpu_copy_width(const tub_gpu_copy_rows *t)
{
    return t->bytes % 8 == 0 ? t->bytes / 8 : t->bytes / 2;
}

TUB_GPU_BODY int64_t tub_gpu_copy_rows_threads(const tub_gpu_copy_rows *t)
{
    return (int64_t)t->items * t->rows * tub_gpu_copy_width(t);
}

TUB_GPU_BODY void tub_gpu_copy_rows_body(const tub_gpu_copy_rows *t, uint32_t thread)
{
    const uint32_t width = (uint32_t)tub_gpu_copy_width(t), all = thread / width, unit = thread % width;
    const int row = (int)(all % (uint32_t)t->rows), item = (int)(all / (uint32_t)t->rows);
    const int from = t->index ? t->index[row] : t->first + row;
    const bool second = from >= t->a_rows;
    const int64_t source = second ? (int64_t)item * t->b_rows + (from - t->a_rows) : (int64_t)item * t->a_stride + from;
    const void *base = second ? t->b : t->a;
    if (t->bytes % 8 == 0)
        ((uint64_t *)t->out)[(int64_t)all * width + unit] = ((const uint64_t *)base)[source * width + unit];
    else
        ((uint16_t *)t->out)[(int64_t)all * width + unit] = ((const uint16_t *)base)[source * width + unit];
}

// ---- means: a thread sums up to TUB_GPU_MEAN_ROWS rows of one column of one item, another adds such sums in order ----

TUB_GPU_BODY int tub_gpu_mean_parts(const tub_gpu_mean *t)
{
    return (t->rows + TUB_GPU_MEAN_ROWS - 1) / TUB_GPU_MEAN_ROWS;
}

TUB_GPU_BODY float tub_gpu_mean_part(const tub_gpu_mean *t, int item, int col, int part)
{
    const int first = part * TUB_GPU_MEAN_ROWS, count = t->rows - first;
    const int64_t at = ((int64_t)item * t->rows + first) * t->cols + col;
    float sum = 0.0f;
    TUB_GPU_UNROLL
    for (int i = 0; i < TUB_GPU_MEAN_ROWS; i++)
        if (i < count)
            sum += tub_gpu_load(t->x, at + (int64_t)i * t->cols, t->type);
    return sum;
}

TUB_GPU_BODY void tub_gpu_mean_write(const tub_gpu_mean *t, int item, int col, double total)
{
    t->out[(int64_t)item * t->cols + col] = (float)(total / t->rows);
}

// ---- attention: a thread has one query; the keys and values of a tile are shared as float32 [keys][pitch] ----

// `most` is the size of the arrays: dim, rounded up to what a kernel was compiled for.
TUB_GPU_BODY void tub_gpu_attention_query(const tub_gpu_attention *t, int run, int head, int query, int most, float *q)
{
    const int64_t at = run * t->q_batch + query * t->q_row + (int64_t)head * t->dim;
    for (int j = 0; j < most; j++)
        q[j] = j < t->dim ? tub_gpu_load(t->q, at + j, t->type) * t->scale : 0.0f;
}

TUB_GPU_BODY float tub_gpu_attention_key(const tub_gpu_attention *t, int run, int head, int key, int j)
{
    return tub_gpu_load(t->k, run * t->k_batch + key * t->k_row + (int64_t)head * t->dim + j, t->type);
}

TUB_GPU_BODY float tub_gpu_attention_value(const tub_gpu_attention *t, int run, int head, int key, int j)
{
    return tub_gpu_load(t->v, run * t->v_batch + key * t->v_row + (int64_t)head * t->dim + j, t->type);
}

// Softmax on the way: `sums` and `total` are scaled down whenever a larger score than `largest` comes.
TUB_GPU_BODY void tub_gpu_attention_tile(const float *q, const float *keys, const float *values, int count, int most,
                                         float *sums, float *largest, float *total)
{
    float scores[TUB_GPU_KEYS], high = *largest;
    for (int i = 0; i < TUB_GPU_KEYS; i++) {
        float part[4] = {0.0f, 0.0f, 0.0f, 0.0f};
        if (i < count)
            for (int j = 0; j < most; j += 4)
                for (int l = 0; l < 4; l++)
                    part[l] = fmaf(q[j + l], keys[i * most + j + l], part[l]);
        scores[i] = (part[0] + part[1]) + (part[2] + part[3]);
        if (i < count)
            high = fmaxf(high, scores[i]);
    }
    const float shrink = expf(*largest - high);
    float sum = *total * shrink;
    for (int j = 0; j < most; j++)
        sums[j] *= shrink;
    for (int i = 0; i < TUB_GPU_KEYS; i++) {
        if (i >= count)
            break;
        const float weight = expf(scores[i] - high);
        sum += weight;
        for (int j = 0; j < most; j++)
            sums[j] = fmaf(weight, values[i * most + j], sums[j]);
    }
    *largest = high;
    *total = sum;
}

TUB_GPU_BODY void tub_gpu_attention_write(const tub_gpu_attention *t, int run, int head, int query, const float *sums,
                                          float total)
{
    const int64_t at = run * t->out_batch + query * t->out_row + (int64_t)head * t->dim;
    for (int j = 0; j < t->dim; j++)
        tub_gpu_store(t->out, at + j, t->type, sums[j] / total);
}

#endif
