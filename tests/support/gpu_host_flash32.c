// Attention of float32 values on tensor cores, on the host: see gpu_host_flash.c.
#include "gpu_flash32_bodies.h"
#include "gpu_host.h"

enum {
    STEP = TUB_GPU_FLASH32_STEP,
    PART = TUB_GPU_FLASH32_PART * STEP, // columns, keys
    QUERIES = TUB_GPU_FLASH_QUERIES,
    KEYS = TUB_GPU_FLASH_KEYS,
    LANES = 4, // of a row
    COLS = TUB_GPU_FLASH_HEAD,
};

typedef struct tile {
    const tub_gpu_attention *a;
    int run, head, first, cols; // cols: filled up to whole parts
    float q[QUERIES][COLS], keys[KEYS][COLS], values[KEYS][COLS];
    float scores[QUERIES][KEYS], sums[QUERIES][COLS];
    float largest[QUERIES], total[QUERIES];
} tile;

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

// Values `stride` apart.
static factor factor_of(const float *x, int stride)
{
    factor f;
    for (int i = 0; i < STEP; i++) {
        f.high[i] = tub_gpu_tf32(x[i * stride]);
        f.low[i] = tub_gpu_tf32_rest(x[i * stride]);
    }
    return f;
}

// A part's steps, of values next to each other and `stride` apart.
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

static void begin(tile *t)
{
    const tub_gpu_attention *a = t->a;
    memset(t->q, 0, sizeof t->q);
    memset(t->sums, 0, sizeof t->sums);
    for (int i = 0; i < QUERIES; i++) {
        const int64_t at = t->run * a->q_batch + (t->first + i) * a->q_row + (int64_t)t->head * a->dim;
        for (int j = 0; j < a->dim && t->first + i < a->queries; j++)
            t->q[i][j] = tub_gpu_load(a->q, at + j, a->type);
        t->largest[i] = -INFINITY;
        t->total[i] = 0.0f;
    }
}

// Of each step's keys the even ones come first.
static int place_of(int key)
{
    return key / STEP * STEP + key % STEP / 2 + key % 2 * (STEP / 2);
}

static void fill(tile *t, int first)
{
    memset(t->keys, 0, sizeof t->keys);
    memset(t->values, 0, sizeof t->values);
    for (int i = 0; i < KEYS && first + i < t->a->keys; i++)
        for (int j = 0; j < t->a->dim; j++) {
            t->keys[i][j] = tub_gpu_attention_key(t->a, t->run, t->head, first + i, j);
            t->values[place_of(i)][j] = tub_gpu_attention_value(t->a, t->run, t->head, first + i, j);
        }
}

static void score(tile *t, int i)
{
    for (int n = 0; n < KEYS; n++) {
        t->scores[i][n] = 0.0f;
        for (int j = 0; j < t->cols; j += PART)
            t->scores[i][n] += part(t->a->tf32, t->q[i] + j, t->keys[n] + j, 1);
    }
}

// What a lane has of a row of scores, from it and back to it.
static float lane_scale(tile *t, int i, int lane, int count, float *own)
{
    for (int n = 0; n < TUB_GPU_FLASH32_LANE_KEYS; n++)
        own[n] = t->scores[i][n / 2 * STEP + 2 * lane + n % 2];
    return tub_gpu_flash32_scale(tub_gpu_flash_factor(t->a), count, lane, own);
}

static float lane_weigh(tile *t, int i, int lane, float high, float *own)
{
    const float sum = tub_gpu_flash32_weigh(t->a->tf32, high, own);
    for (int n = 0; n < TUB_GPU_FLASH32_LANE_KEYS; n++)
        t->scores[i][place_of(n / 2 * STEP + 2 * lane + n % 2)] = own[n];
    return sum;
}

static void weigh(tile *t, int i, int count)
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

static void attend(tile *t)
{
    const tub_gpu_attention *a = t->a;
    begin(t);
    for (int first = 0; first < a->keys; first += KEYS) {
        fill(t, first);
        for (int i = 0; i < QUERIES && t->first + i < a->queries; i++) {
            score(t, i);
            weigh(t, i, a->keys - first);
            for (int j = 0; j < t->cols; j++)
                t->sums[i][j] += part(a->tf32, t->scores[i], &t->values[0][j], COLS);
        }
    }
    for (int i = 0; i < QUERIES && t->first + i < a->queries; i++)
        tub_gpu_attention_write(a, t->run, t->head, t->first + i, t->sums[i], t->total[i]);
}

void tub_gpu_host_flash32(const tub_gpu_attention *a)
{
    tile t = {.a = a, .cols = (a->dim + PART - 1) / PART * PART};
    for (t.run = 0; t.run < a->batch; t.run++)
        for (t.head = 0; t.head < a->heads; t.head++)
            for (t.first = 0; t.first < a->queries; t.first += QUERIES)
                attend(&t);
}
