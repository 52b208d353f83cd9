#include "gpu_host_tile.h"

static void begin(gpu_host_tile *t)
{
    const tub_gpu_attention *a = t->a;
    const int left = a->queries - t->first;
    t->queries = left < TILE_QUERIES ? left : TILE_QUERIES;
    memset(t->q, 0, sizeof t->q);
    memset(t->sums, 0, sizeof t->sums);
    for (int i = 0; i < TILE_QUERIES; i++) {
        const int64_t at = t->run * a->q_batch + (t->first + i) * a->q_row + (int64_t)t->head * a->dim;
        for (int j = 0; j < a->dim && i < t->queries; j++)
            t->q[i][j] = tub_gpu_load(a->q, at + j, a->type);
        t->largest[i] = -INFINITY;
        t->total[i] = 0.0f;
    }
}

static void fill(gpu_host_tile *t, int first)
{
    memset(t->keys, 0, sizeof t->keys);
    memset(t->values, 0, sizeof t->values);
    for (int i = 0; i < TILE_KEYS && first + i < t->a->keys; i++)
        for (int j = 0; j < t->a->dim; j++) {
            t->keys[i][j] = tub_gpu_attention_key(t->a, t->run, t->head, first + i, j);
            t->values[i][j] = tub_gpu_attention_value(t->a, t->run, t->head, first + i, j);
        }
}

static void attend(gpu_host_tile *t, gpu_host_block block)
{
    begin(t);
    for (int first = 0; first < t->a->keys; first += TILE_KEYS) {
        fill(t, first);
        block(t, t->a->keys - first);
    }
    for (int i = 0; i < t->queries; i++)
        tub_gpu_attention_write(t->a, t->run, t->head, t->first + i, t->sums[i], t->total[i]);
}

void gpu_host_tiles(const tub_gpu_attention *a, int whole, gpu_host_block block)
{
    gpu_host_tile t = {.a = a, .cols = (a->dim + whole - 1) / whole * whole};
    for (t.run = 0; t.run < a->batch; t.run++)
        for (t.head = 0; t.head < a->heads; t.head++)
            for (t.first = 0; t.first < a->queries; t.first += TILE_QUERIES)
                attend(&t, block);
}
