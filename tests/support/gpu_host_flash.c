// Attention on tensor cores, on the host: the products of 16 x 16 tiles are loops; what a lane does is the same body as
// on the device.
#include "gpu_host.h"
#include "gpu_host_tile.h"

enum { STEP = TUB_GPU_FLASH_STEP, LANE_KEYS = TUB_GPU_FLASH_LANE_KEYS };

// What a tensor core adds to a sum at once. Its order is not known; here the products are added from first to last.
static float step(float sum, const float *a, const float *b, int stride)
{
    float part = 0.0f;
    for (int i = 0; i < STEP; i++)
        part += a[i] * b[i * stride];
    return sum + part;
}

static void score(gpu_host_tile *t, int i)
{
    for (int n = 0; n < TILE_KEYS; n++) {
        t->scores[i][n] = 0.0f;
        for (int j = 0; j < t->cols; j += STEP)
            t->scores[i][n] = step(t->scores[i][n], t->q[i] + j, t->keys[n] + j, 1);
    }
}

static void weigh(gpu_host_tile *t, int i, int count)
{
    float high = t->largest[i], sum = 0.0f;
    for (int n = 0; n < TILE_KEYS; n += LANE_KEYS)
        high = fmaxf(high, tub_gpu_flash_scale(tub_gpu_flash_factor(t->a), count - n, t->scores[i] + n));
    const float shrink = tub_gpu_flash_shrink(t->largest[i], high);
    for (int n = 0; n < TILE_KEYS; n += LANE_KEYS)
        sum += tub_gpu_flash_weigh(t->a->type, high, t->scores[i] + n);
    t->total[i] = t->total[i] * shrink + sum;
    t->largest[i] = high;
    for (int j = 0; j < t->cols; j++)
        t->sums[i][j] *= shrink;
}

static void add_values(gpu_host_tile *t, int i)
{
    for (int n = 0; n < TILE_KEYS; n += STEP)
        for (int j = 0; j < t->cols; j++)
            t->sums[i][j] = step(t->sums[i][j], t->scores[i] + n, &t->values[n][j], TILE_COLS);
}

static void attend(gpu_host_tile *t, int count)
{
    for (int i = 0; i < t->queries; i++) {
        score(t, i);
        weigh(t, i, count);
        add_values(t, i);
    }
}

void tub_gpu_host_flash(const tub_gpu_attention *a)
{
    gpu_host_tiles(a, STEP, attend);
}
