#include "gpu_host.h"

#include "gpu_bodies.h"
#include "gpu_fp8_bodies.h"
#include "gpu_host_frames.h"
#include "gpu_norm_bodies.h"

// Lanes exchange by butterfly: after log2(TUB_GPU_LANES) rounds every lane has the sum.
static float sum_of_lanes(float *lane)
{
    for (int distance = TUB_GPU_LANES / 2; distance > 0; distance /= 2) {
        float next[TUB_GPU_LANES];
        for (int i = 0; i < TUB_GPU_LANES; i++)
            next[i] = lane[i] + lane[i ^ distance];
        memcpy(lane, next, sizeof next);
    }
    return lane[0];
}

typedef struct normed {
    const tub_gpu_norm *t;
    tub_gpu_norm_slice slice;
    int packs;
    bool holds;
    float held[TUB_GPU_LANES][TUB_GPU_HELD * TUB_GPU_PACK];
} normed;

static float *held(normed *n, int lane)
{
    return n->holds ? n->held[lane] : NULL;
}

static float parts(normed *n, bool squares, float mean)
{
    float lane[TUB_GPU_LANES];
    for (int i = 0; i < TUB_GPU_LANES; i++)
        lane[i] = tub_gpu_norm_part(n->t, &n->slice, i, n->packs, held(n, i), squares, mean);
    return sum_of_lanes(lane);
}

static void norm_slice(const tub_gpu_norm *t, uint32_t slice, int most)
{
    normed n = {.t = t, .slice = tub_gpu_norm_at(t, slice), .packs = most ? most : tub_gpu_norm_packs(t->dim)};
    n.holds = most > 0;
    for (int lane = 0; n.holds && lane < TUB_GPU_LANES; lane++)
        tub_gpu_norm_hold(t, &n.slice, lane, n.packs, n.held[lane]);
    const float mean = t->kind == 0 ? parts(&n, false, 0.0f) / (float)t->dim : 0.0f;
    const float factor = tub_gpu_norm_factor(t, parts(&n, true, mean));
    for (int lane = 0; lane < TUB_GPU_LANES; lane++)
        tub_gpu_norm_write(t, &n.slice, lane, n.packs, held(&n, lane), mean, factor);
    for (int lane = 0; lane < TUB_GPU_LANES; lane++)
        tub_gpu_norm_rest(t, slice, lane);
}

void tub_gpu_host_norm(const tub_gpu_norm *t, int held)
{
    for (uint32_t slice = 0; slice < (uint32_t)(t->rows * t->count); slice++)
        norm_slice(t, slice, held);
}

static void mean(const tub_gpu_mean *t)
{
    for (int item = 0; item < t->items; item++)
        for (int col = 0; col < t->cols; col++) {
            double total = 0;
            for (int part = 0; part < tub_gpu_mean_parts(t); part++)
                total += tub_gpu_mean_part(t, item, col, part);
            tub_gpu_mean_write(t, item, col, total);
        }
}

static void quantise(const tub_gpu_quantise *t)
{
    for (int64_t row = 0; row < t->rows; row++) {
        float most = 0.0f;
        for (int lane = 0; lane < TUB_GPU_LANES; lane++)
            most = fmaxf(most, tub_gpu_quantise_part(t, row, lane));
        for (int lane = 0; lane < TUB_GPU_LANES; lane++)
            tub_gpu_quantise_write(t, row, lane, most);
    }
}

enum { MOST = TUB_GPU_MOST_HEAD };

static void fill_tile(const tub_gpu_attention *t, int run, int head, int first, int most, float *keys, float *values)
{
    for (int i = 0; i < TUB_GPU_KEYS && first + i < t->keys; i++)
        for (int j = 0; j < most; j++) {
            keys[i * most + j] = j < t->dim ? tub_gpu_attention_key(t, run, head, first + i, j) : 0.0f;
            values[i * most + j] = j < t->dim ? tub_gpu_attention_value(t, run, head, first + i, j) : 0.0f;
        }
}

static void attend(const tub_gpu_attention *t, int run, int head, int query)
{
    float q[MOST], sums[MOST] = {0}, keys[TUB_GPU_KEYS * MOST], values[TUB_GPU_KEYS * MOST];
    float largest = -INFINITY, total = 0;
    const int most = (t->dim + 3) / 4 * 4;
    tub_gpu_attention_query(t, run, head, query, most, q);
    for (int first = 0; first < t->keys; first += TUB_GPU_KEYS) {
        const int count = t->keys - first < TUB_GPU_KEYS ? t->keys - first : TUB_GPU_KEYS;
        fill_tile(t, run, head, first, most, keys, values);
        tub_gpu_attention_tile(q, keys, values, count, most, sums, &largest, &total);
    }
    tub_gpu_attention_write(t, run, head, query, sums, total);
}

static void attention(const tub_gpu_attention *t)
{
    for (int run = 0; run < t->batch; run++)
        for (int head = 0; head < t->heads; head++)
            for (int query = 0; query < t->queries; query++)
                attend(t, run, head, query);
}

#define EACH(kind)                                                                                                     \
    for (int64_t i = 0, all = tub_gpu_##kind##_threads(&task->kind); i < all; i++)                                     \
    tub_gpu_##kind##_body(&task->kind, (uint32_t)i)

void tub_gpu_host_launch(const tub_gpu_task *task)
{
    switch (task->kind) {
    case TUB_GPU_PATCHES:
        EACH(patches);
        break;
    case TUB_GPU_NORM:
        tub_gpu_host_norm(&task->norm, tub_gpu_norm_held(&task->norm));
        break;
    case TUB_GPU_ROTATE:
        EACH(rotate);
        break;
    case TUB_GPU_SUM:
        EACH(sum);
        break;
    case TUB_GPU_COPY_ROWS:
        EACH(copy_rows);
        break;
    case TUB_GPU_GATE:
        EACH(gate);
        break;
    case TUB_GPU_ACTIVATE:
        EACH(activate);
        break;
    case TUB_GPU_MEAN:
        mean(&task->mean);
        break;
    case TUB_GPU_ATTENTION:
        attention(&task->attention);
        break;
    case TUB_GPU_FLASH:
        if (task->attention.type == TUB_GPU_F32)
            tub_gpu_host_flash32(&task->attention);
        else
            tub_gpu_host_flash(&task->attention);
        break;
    case TUB_GPU_PIXELS:
        tub_gpu_host_pixels(&task->pixels);
        break;
    case TUB_GPU_QUANTISE:
        quantise(&task->quantise);
        break;
    case TUB_GPU_JOINED:
        tub_gpu_host_joined(&task->joined);
        break;
    case TUB_GPU_TASK_KINDS:
        break;
    }
}
