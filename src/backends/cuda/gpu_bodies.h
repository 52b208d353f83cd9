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
    TUB_GPU_ACTIVATE_RUNS = 2, // runs that a thread loads at the same time
    TUB_GPU_COPIED = 4,        // rows of which a thread copies a piece, loaded at the same time
    TUB_GPU_TURNS = 8,         // heads that a thread rotates by the same angles,
    TUB_GPU_TURNED = 2,        // this many of them at the same time
    TUB_GPU_KEYS = 32,         // keys of a tile of attention
    TUB_GPU_MEAN_ROWS = 64,    // rows of a sum in float32; such sums are added in double
};

// ---- patches: a thread has up to four neighboring pixels of one patch, all three channels ----

// A pixel as in a made frame, whose type may be narrower than the result's.
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
    // An item with fewer than kt frames counts as kt copies of itself.
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

// ---- rotation: a thread has four or eight neighboring pairs of columns of several heads, or columns that aren't
// rotated
//
// It finishes the product of q, k and v in place, if the product's own epilogue doesn't do that (gpu_joined_bodies.h):
// cuBLASLt has no epilogue that mixes columns, and cuDNN's attention takes q and k as they are. Rotating in our own
// attention's loads would cost more than it saves: angles of 8 bytes per element would be read again for every 64
// queries. Here a token's q and k are read and written once, by all heads with the same angles.

// How many pairs: `most` below, a constant of each kernel.
TUB_GPU_BODY int tub_gpu_rotate_most(const tub_gpu_rotate *t)
{
    return t->dim % (2 * TUB_GPU_RUN) == 0 && t->cols % TUB_GPU_RUN == 0 ? TUB_GPU_RUN : TUB_GPU_PACK;
}

TUB_GPU_BODY int tub_gpu_rotate_groups(const tub_gpu_rotate *t)
{
    return (t->heads + TUB_GPU_TURNS - 1) / TUB_GPU_TURNS;
}

TUB_GPU_BODY int tub_gpu_rotate_pieces(const tub_gpu_rotate *t, int most)
{
    return (t->dim / 2 + most - 1) / most;
}

TUB_GPU_BODY int tub_gpu_rotate_width(const tub_gpu_rotate *t, int most)
{
    const int rest = t->x == t->out ? 0 : t->cols - t->dim * t->heads;
    return tub_gpu_rotate_groups(t) * tub_gpu_rotate_pieces(t, most) + (rest + most - 1) / most;
}

TUB_GPU_BODY int64_t tub_gpu_rotate_threads(const tub_gpu_rotate *t)
{
    return (int64_t)t->items * t->rows * tub_gpu_rotate_width(t, tub_gpu_rotate_most(t));
}

// Two pieces of a head: the first columns of `most` pairs and the second columns, or if interleaved, half of the pairs
// each.
typedef struct tub_gpu_pairs {
    int a, b;               // their columns
    int a_count, b_count;
    float a_cosine[TUB_GPU_RUN], b_cosine[TUB_GPU_RUN], a_sine[TUB_GPU_RUN], b_sine[TUB_GPU_RUN];
} tub_gpu_pairs;

TUB_GPU_BODY tub_gpu_pairs tub_gpu_pairs_at(const tub_gpu_rotate *t, int pair, int most)
{
    tub_gpu_pairs p;
    const int half = t->dim / 2, count = half - pair < most ? half - pair : most;
    p.a = t->halves ? pair : 2 * pair;
    p.b = t->halves ? pair + half : 2 * pair + most;
    p.a_count = t->halves ? count : 2 * count < most ? 2 * count : most;
    p.b_count = t->halves ? count : 2 * count - p.a_count;
    return p;
}

TUB_GPU_BODY void tub_gpu_turn(float *x, float *y, float x_cosine, float x_sine, float y_cosine, float y_sine)
{
    const float turned = *x * x_cosine - *y * x_sine;
    *y = *y * y_cosine + *x * y_sine;
    *x = turned;
}

TUB_GPU_BODY void tub_gpu_turn_pairs(const tub_gpu_pairs *p, bool halves, int most, float *a, float *b)
{
    TUB_GPU_UNROLL
    for (int i = 0; i < most && halves; i++)
        tub_gpu_turn(a + i, b + i, p->a_cosine[i], p->a_sine[i], p->b_cosine[i], p->b_sine[i]);
    TUB_GPU_UNROLL
    for (int i = 0; i < most && !halves; i += 2) {
        tub_gpu_turn(a + i, a + i + 1, p->a_cosine[i], p->a_sine[i], p->a_cosine[i + 1], p->a_sine[i + 1]);
        tub_gpu_turn(b + i, b + i + 1, p->b_cosine[i], p->b_sine[i], p->b_cosine[i + 1], p->b_sine[i + 1]);
    }
}

TUB_GPU_BODY void tub_gpu_rotate_load(const tub_gpu_rotate *t, tub_gpu_pairs *p, int most, int item, int row, bool aligned)
{
    const uint32_t turned = (uint32_t)(row - t->skip), frame = (uint32_t)t->frame;
    int64_t angle = turned;
    if (t->positions)
        angle = (int64_t)t->positions[(int64_t)item * t->frames + turned / frame] * t->frame + turned % frame;
    angle *= t->dim;
    tub_gpu_load_some(t->cosine, angle + p->a, TUB_GPU_F32, most, p->a_count, aligned, p->a_cosine);
    tub_gpu_load_some(t->cosine, angle + p->b, TUB_GPU_F32, most, p->b_count, aligned, p->b_cosine);
    tub_gpu_load_some(t->sine, angle + p->a, TUB_GPU_F32, most, p->a_count, aligned, p->a_sine);
    tub_gpu_load_some(t->sine, angle + p->b, TUB_GPU_F32, most, p->b_count, aligned, p->b_sine);
}

typedef enum tub_gpu_turning { TUB_GPU_UNTURNED, TUB_GPU_HALVES, TUB_GPU_NEIGHBOURS } tub_gpu_turning;

// Some heads of a row, `apart` from each other. For those that don't exist, the first is read and nothing is written.
TUB_GPU_BODY void tub_gpu_rotate_some(const tub_gpu_rotate *t, const tub_gpu_pairs *p, tub_gpu_turning turning, int most,
                                      bool aligned, const void *x, void *out, int head, int apart)
{
    float a[TUB_GPU_TURNED][TUB_GPU_RUN], b[TUB_GPU_TURNED][TUB_GPU_RUN];
    TUB_GPU_UNROLL
    for (int k = 0; k < TUB_GPU_TURNED; k++) {
        const int i = (head + k * apart < t->heads ? head + k * apart : head) * t->dim;
        tub_gpu_load_some(x, i + p->a, t->type, most, p->a_count, aligned, a[k]);
        tub_gpu_load_some(x, i + p->b, t->type, most, p->b_count, aligned, b[k]);
    }
    TUB_GPU_UNROLL
    for (int k = 0; k < TUB_GPU_TURNED && head + k * apart < t->heads; k++) {
        const int i = (head + k * apart) * t->dim;
        if (turning != TUB_GPU_UNTURNED)
            tub_gpu_turn_pairs(p, turning == TUB_GPU_HALVES, most, a[k], b[k]);
        tub_gpu_store_some(out, i + p->a, t->type, most, p->a_count, aligned, a[k]);
        tub_gpu_store_some(out, i + p->b, t->type, most, p->b_count, aligned, b[k]);
    }
}

TUB_GPU_BODY void tub_gpu_rotate_heads(const tub_gpu_rotate *t, const tub_gpu_pairs *p, tub_gpu_turning turning, int most,
                                       bool aligned, const void *x, void *out, int head)
{
    const int groups = tub_gpu_rotate_groups(t);
    for (; head < t->heads; head += TUB_GPU_TURNED * groups)
        tub_gpu_rotate_some(t, p, turning, most, aligned, x, out, head, groups);
}

TUB_GPU_BODY void tub_gpu_rotate_rest(const tub_gpu_rotate *t, int most, const void *x, void *out, int col)
{
    const bool aligned = most == TUB_GPU_RUN;
    float kept[TUB_GPU_RUN];
    tub_gpu_load_some(x, col, t->type, most, t->cols - col, aligned, kept);
    tub_gpu_store_some(out, col, t->type, most, t->cols - col, aligned, kept);
}

TUB_GPU_BODY void tub_gpu_rotate_by(const tub_gpu_rotate *t, uint32_t thread, int most)
{
    const uint32_t width = (uint32_t)tub_gpu_rotate_width(t, most), all = thread / width;
    const int groups = tub_gpu_rotate_groups(t), pieces = tub_gpu_rotate_pieces(t, most), unit = (int)(thread % width);
    const int row = (int)(all % (uint32_t)t->rows), item = (int)(all / (uint32_t)t->rows);
    const int64_t at = (int64_t)all * t->cols * tub_gpu_type_bytes(t->type);
    const void *x = (const char *)t->x + at;
    void *out = (char *)t->out + at;
    const bool aligned = most == TUB_GPU_RUN || (t->dim % (2 * TUB_GPU_PACK) == 0 && t->cols % TUB_GPU_PACK == 0);
    const bool turned = row >= t->skip;
    if (unit >= groups * pieces) {
        tub_gpu_rotate_rest(t, most, x, out, t->dim * t->heads + (unit - groups * pieces) * most);
        return;
    }
    if (!turned && t->x == t->out)
        return;
    tub_gpu_pairs p = tub_gpu_pairs_at(t, unit % pieces * most, most);
    if (turned)
        tub_gpu_rotate_load(t, &p, most, item, row, aligned);
    if (!turned)
        tub_gpu_rotate_heads(t, &p, TUB_GPU_UNTURNED, most, aligned, x, out, unit / pieces);
    else if (t->halves)
        tub_gpu_rotate_heads(t, &p, TUB_GPU_HALVES, most, aligned, x, out, unit / pieces);
    else
        tub_gpu_rotate_heads(t, &p, TUB_GPU_NEIGHBOURS, most, aligned, x, out, unit / pieces);
}

TUB_GPU_BODY void tub_gpu_rotate_body(const tub_gpu_rotate *t, uint32_t thread)
{
    if (tub_gpu_rotate_most(t) == TUB_GPU_RUN)
        tub_gpu_rotate_by(t, thread, TUB_GPU_RUN);
    else
        tub_gpu_rotate_by(t, thread, TUB_GPU_PACK);
}

// ---- sums: a thread has up to four neighboring columns ----

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

// ---- gates: a thread has up to eight neighboring columns ----

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
    if (aligned) // checked once: neither load waits for the other
        tub_gpu_gate_read(t, at, count, true, gate, up);
    else
        tub_gpu_gate_read(t, at, count, false, gate, up);
    tub_gpu_act_all(t->type, t->activation, gate, TUB_GPU_RUN);
    for (int j = 0; j < TUB_GPU_RUN; j++)
        gate[j] *= up[j];
    tub_gpu_store_some(t->out, (int64_t)row * t->cols + col, t->type, TUB_GPU_RUN, count, aligned, gate);
}

// ---- activations: row after row, lanes have neighboring runs, TUB_GPU_ACTIVATE_RUNS each ----

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
    if (whole) // checked once: no load waits for another
        tub_gpu_activate_read(t, first, count, true, x);
    else
        tub_gpu_activate_read(t, first, count, false, x);
    tub_gpu_act_all(t->type, t->activation, x, TUB_GPU_ACTIVATE_RUNS * TUB_GPU_RUN);
    tub_gpu_activate_write(t, first, count, whole, x);
}

// ---- rows: a thread has the same piece of neighboring rows; its size in bytes divides a row's ----

typedef struct tub_gpu_sixteen {
    uint64_t halves[2];
} __attribute__((aligned(16))) tub_gpu_sixteen;

TUB_GPU_BODY int tub_gpu_copy_piece(const tub_gpu_copy_rows *t)
{
    return t->bytes % 16 == 0 ? 16 : t->bytes % 8 == 0 ? 8 : 2;
}

TUB_GPU_BODY int64_t tub_gpu_copy_rows_threads(const tub_gpu_copy_rows *t)
{
    const int64_t all = (int64_t)t->items * t->rows;
    return (all + TUB_GPU_COPIED - 1) / TUB_GPU_COPIED * (t->bytes / tub_gpu_copy_piece(t));
}

TUB_GPU_BODY const char *tub_gpu_copied_row(const tub_gpu_copy_rows *t, uint32_t all)
{
    const int row = (int)(all % (uint32_t)t->rows), item = (int)(all / (uint32_t)t->rows);
    const int from = t->index ? t->index[row] : t->first + row;
    const bool second = from >= t->a_rows;
    const int64_t source = second ? (int64_t)item * t->b_rows + (from - t->a_rows) : (int64_t)item * t->a_stride + from;
    return (const char *)(second ? t->b : t->a) + source * t->bytes;
}

TUB_GPU_BODY void tub_gpu_copy_by(const tub_gpu_copy_rows *t, uint32_t thread, int piece)
{
    const uint32_t width = (uint32_t)(t->bytes / piece), all = (uint32_t)(t->items * t->rows);
    const uint32_t first = thread / width * TUB_GPU_COPIED;
    const int64_t at = (int64_t)(thread % width) * piece;
    tub_gpu_sixteen x[TUB_GPU_COPIED];
    TUB_GPU_UNROLL
    for (uint32_t i = 0; i < TUB_GPU_COPIED; i++) { // for a row that doesn't exist, the first
        const char *from = tub_gpu_copied_row(t, first + i < all ? first + i : first) + at;
        if (piece == 16)
            x[i] = *(const tub_gpu_sixteen *)from;
        else if (piece == 8)
            x[i].halves[0] = *(const uint64_t *)from;
        else
            x[i].halves[0] = *(const uint16_t *)from;
    }
    TUB_GPU_UNROLL
    for (uint32_t i = 0; i < TUB_GPU_COPIED && first + i < all; i++) {
        char *to = (char *)t->out + (int64_t)(first + i) * t->bytes + at;
        if (piece == 16)
            *(tub_gpu_sixteen *)to = x[i];
        else if (piece == 8)
            *(uint64_t *)to = x[i].halves[0];
        else
            *(uint16_t *)to = (uint16_t)x[i].halves[0];
    }
}

TUB_GPU_BODY void tub_gpu_copy_rows_body(const tub_gpu_copy_rows *t, uint32_t thread)
{
    switch (tub_gpu_copy_piece(t)) {
    case 16:
        tub_gpu_copy_by(t, thread, 16);
        break;
    case 8:
        tub_gpu_copy_by(t, thread, 8);
        break;
    default:
        tub_gpu_copy_by(t, thread, 2);
    }
}

// ---- means: a thread sums up to TUB_GPU_MEAN_ROWS rows of an item's column, another adds these sums in order ----

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

// Online softmax: `sums` and `total` are scaled down whenever a score comes that is larger than `largest`.
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
