// Attention of float32 values on tensor cores, on the host: see gpu_host_flash.c.
#include "gpu_flash32_bodies.h"
#include "gpu_host.h"
#include "gpu_host_tile.h"

enum {
    STEP = TUB_GPU_FLASH32_STEP,
    PART = TUB_GPU_FLASH32_PART * STEP, // columns, keys
    LANES = 4,                          // per row
};

// What a tensor core adds to a sum at once.
static float step(float sum, const float *a, const float *b)
{
    float products = 0.0f;
    for (int i = 0; i < STEP; i++)
        products += a[i] * b[i];
    return sum + products;
}

typedef struct factor {
    float high[STEP], low[STEP];
} factor;

// The values are `stride` apart.
static factor factor_of(const float *x, int stride)
{
    factor f;
    for (int i = 0; i < STEP; i++) {
        f.high[i] = tub_gpu_tf32(x[i * stride]);
        f.low[i] = tub_gpu_tf32_rest(x[i * stride]);
    }
    return f;
}

// A part's steps. Values of `a` are adjacent, those of `b` are `stride` apart.
static float part(bool tf32, const float *a, const float *b, int stride)
{
    float high = 0.0f, low = 0.0f;
    for (int i = 0; i < PART; i += STEP) {
        const factor x = factor_of(a + i, 1), y = factor_of(b + i * stride, stride);
        low = step(low, x.low, y.high);
        low = step(low, x.high, y.low);
        high = step(high, x.high, y.high);
    }
    return tf32 ? high : high + low;
}

// In each step, the even keys come first.
static int place_of(int key)
{
    return key / STEP * STEP + key % STEP / 2 + key % 2 * (STEP / 2);
}

static void order_values(gpu_host_tile *t)
{
    float ordered[TILE_KEYS][TILE_COLS];
    for (int i = 0; i < TILE_KEYS; i++)
        memcpy(ordered[place_of(i)], t->values[i], sizeof t->values[i]);
    memcpy(t->values, ordered, sizeof ordered);
}

static void score(gpu_host_tile *t, int i)
{
    for (int n = 0; n < TILE_KEYS; n++) {
        t->scores[i][n] = 0.0f;
        for (int j = 0; j < t->cols; j += PART)
            t->scores[i][n] += part(t->a->tf32, t->q[i] + j, t->keys[n] + j, 1);
    }
}

// lane_scale() reads a lane's part of a row of scores; lane_weigh() writes it back.
static float lane_scale(gpu_host_tile *t, int i, int lane, int count, float *own)
{
    for (int n = 0; n < TUB_GPU_FLASH32_LANE_KEYS; n++)
        own[n] = t->scores[i][n / 2 * STEP + 2 * lane + n % 2];
    return tub_gpu_flash32_scale(tub_gpu_flash_factor(t->a), count, lane, own);
}

static float lane_weigh(gpu_host_tile *t, int i, int lane, float high, float *own)
{
    const float sum = tub_gpu_flash32_weigh(t->a->tf32, high, own);
    for (int n = 0; n < TUB_GPU_FLASH32_LANE_KEYS; n++)
        t->scores[i][place_of(n / 2 * STEP + 2 * lane + n % 2)] = own[n];
    return sum;
}

static void weigh(gpu_host_tile *t, int i, int count)
{
    float own[LANES][TUB_GPU_FLASH32_LANE_KEYS], sum[LANES], high = t->largest[i];
    for (int lane = 0; lane < LANES; lane++)
        high = fmaxf(high, lane_scale(t, i, lane, count, own[lane]));
    const float shrink = tub_gpu_flash_shrink(t->largest[i], high);
    for (int lane = 0; lane < LANES; lane++)
        sum[lane] = lane_weigh(t, i, lane, high, own[lane]);
    t->total[i] = t->total[i] * shrink + ((sum[0] + sum[1]) + (sum[2] + sum[3]));
    t->largest[i] = high;
    for (int j = 0; j < t->cols; j++)
        t->sums[i][j] *= shrink;
}

static void attend(gpu_host_tile *t, int count)
{
    order_values(t);
    for (int i = 0; i < t->queries; i++) {
        score(t, i);
        weigh(t, i, count);
        for (int j = 0; j < t->cols; j++)
            t->sums[i][j] += part(t->a->tf32, t->scores[i], &t->values[0][j], TILE_COLS);
    }
}

void tub_gpu_host_flash32(const tub_gpu_attention *a)
{
    gpu_host_tiles(a, PART, attend);
}
