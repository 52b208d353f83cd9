// Attention on tensor cores, on the host: the products of 16 x 16 tiles as loops, what a lane does by the body that the
// device has.
#include "gpu_flash_bodies.h"
#include "gpu_host.h"

enum {
    STEP = TUB_GPU_FLASH_STEP,
    QUERIES = TUB_GPU_FLASH_QUERIES,
    KEYS = TUB_GPU_FLASH_KEYS,
    LANE_KEYS = TUB_GPU_FLASH_LANE_KEYS,
    COLS = TUB_GPU_FLASH_HEAD,
};

typedef struct tile {
    const tub_gpu_attention *a;
    int run, head, first, cols; // cols: filled up to whole steps
    float q[QUERIES][COLS], keys[KEYS][COLS], values[KEYS][COLS];
    float scores[QUERIES][KEYS], sums[QUERIES][COLS];
    float largest[QUERIES], total[QUERIES];
} tile;

// What a tensor core adds to a sum at once. In which order it does so is not known; here from the first on.
static float step(float sum, const float *a, const float *b, int stride)
{
    float part = 0.0f;
    for (int i = 0; i < STEP; i++)
        part += a[i] * b[i * stride];
    return sum + part;
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

static void fill(tile *t, int first)
{
    memset(t->keys, 0, sizeof t->keys);
    memset(t->values, 0, sizeof t->values);
    for (int i = 0; i < KEYS && first + i < t->a->keys; i++)
        for (int j = 0; j < t->a->dim; j++) {
            t->keys[i][j] = tub_gpu_attention_key(t->a, t->run, t->head, first + i, j);
            t->values[i][j] = tub_gpu_attention_value(t->a, t->run, t->head, first + i, j);
        }
}

static void score(tile *t)
{
    for (int i = 0; i < QUERIES; i++)
        for (int n = 0; n < KEYS; n++) {
            t->scores[i][n] = 0.0f;
            for (int j = 0; j < t->cols; j += STEP)
                t->scores[i][n] = step(t->scores[i][n], t->q[i] + j, t->keys[n] + j, 1);
        }
}

static void weigh(tile *t, int i, int count)
{
    float high = t->largest[i], sum = 0.0f;
    for (int n = 0; n < KEYS; n += LANE_KEYS)
        high = fmaxf(high, tub_gpu_flash_scale(tub_gpu_flash_factor(t->a), count - n, t->scores[i] + n));
    const float shrink = tub_gpu_flash_shrink(t->largest[i], high);
    for (int n = 0; n < KEYS; n += LANE_KEYS)
        sum += tub_gpu_flash_weigh(t->a->type, high, t->scores[i] + n);
    t->total[i] = t->total[i] * shrink + sum;
    t->largest[i] = high;
    for (int j = 0; j < t->cols; j++)
        t->sums[i][j] *= shrink;
}

static void add_values(tile *t, int i)
{
    for (int n = 0; n < KEYS; n += STEP)
        for (int j = 0; j < t->cols; j++)
            t->sums[i][j] = step(t->sums[i][j], t->scores[i] + n, &t->values[n][j], COLS);
}

static void attend(tile *t)
{
    const tub_gpu_attention *a = t->a;
    begin(t);
    for (int first = 0; first < a->keys; first += KEYS) {
        fill(t, first);
        score(t);
        for (int i = 0; i < QUERIES; i++) {
            weigh(t, i, a->keys - first);
            add_values(t, i);
        }
    }
    for (int i = 0; i < QUERIES && t->first + i < a->queries; i++)
        tub_gpu_attention_write(a, t->run, t->head, t->first + i, t->sums[i], t->total[i]);
}

void tub_gpu_host_flash(const tub_gpu_attention *a)
{
    tile t = {.a = a, .cols = (a->dim + STEP - 1) / STEP * STEP};
    for (t.run = 0; t.run < a->batch; t.run++)
        for (t.head = 0; t.head < a->heads; t.head++)
            for (t.first = 0; t.first < a->queries; t.first += QUERIES)
                attend(&t);
}
