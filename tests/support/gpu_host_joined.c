// A product with the step behind it, on the host: the sums are loops, everything else uses the device's bodies.
#include <stdlib.h>

#include "gpu_host.h"
#include "gpu_joined_bodies.h"

enum { STEP = TUB_GPU_JOINED_STEP, SIDE = TUB_GPU_JOINED_SIDE, ACROSS = 64 };

// Transposes some columns of a step: k comes before columns.
static void turn_over(const float *weight, int cols, int k, int count, float turned[STEP][ACROSS])
{
    memset(turned, 0, STEP * sizeof *turned);
    for (int j = 0; j < cols; j++)
        for (int i = 0; i < count; i++)
            turned[i][j] = weight[(int64_t)j * k + i];
}

static void add_step(const float *x, int count, float turned[STEP][ACROSS], int cols, float *sums)
{
    float part[ACROSS] = {0};
    for (int i = 0; i < count; i++)
        for (int j = 0; j < ACROSS; j++)
            part[j] += x[i] * turned[i][j];
    for (int j = 0; j < cols; j++)
        sums[j] += part[j];
}

void tub_gpu_host_sums(const float *x, const float *weight, int m, int n, int k, float *sums)
{
    float turned[STEP][ACROSS];
    memset(sums, 0, (size_t)m * (size_t)n * sizeof *sums);
    for (int col = 0; col < n; col += ACROSS)
        for (int step = 0; step < k; step += STEP) {
            const int cols = n - col < ACROSS ? n - col : ACROSS, count = k - step < STEP ? k - step : STEP;
            turn_over(weight + (int64_t)col * k + step, cols, k, count, turned);
            for (int row = 0; row < m; row++)
                add_step(x + (int64_t)row * k + step, count, turned, cols, sums + (int64_t)row * n + col);
        }
}

static float *floats(const void *from, tub_gpu_type type, size_t count)
{
    float *out = malloc(count * sizeof *out);
    for (size_t i = 0; i < count; i++)
        out[i] = tub_gpu_load(from, (int64_t)i, type);
    return out;
}

static void finish_tile(const tub_gpu_joined *t, const float *sums, tub_gpu_corner corner)
{
    static _Thread_local uint16_t tile[SIDE * (SIDE + TUB_GPU_JOINED_PAD)];
    for (int row = 0; row < SIDE && corner.row + row < t->m; row++)
        for (int col = 0; col < SIDE && corner.col + col < t->n; col += 2) {
            const int in_all = corner.col + col;
            const float bias[2] = {tub_gpu_joined_bias(t, in_all), tub_gpu_joined_bias(t, in_all + 1)};
            tub_gpu_joined_put(t, tile, SIDE, row, col, sums + (int64_t)(corner.row + row) * t->n + in_all, bias);
        }
    for (int i = 0; t->activation == 0 && i < SIDE * tub_gpu_joined_turns(t); i++)
        tub_gpu_joined_turn(t, tile, SIDE, corner, i);
    for (int i = 0; i < SIDE * tub_gpu_joined_writes(SIDE); i++)
        tub_gpu_joined_write(t, tile, SIDE, corner, i);
}

void tub_gpu_host_joined(const tub_gpu_joined *t)
{
    float *x = floats(t->x, t->type, (size_t)t->m * (size_t)t->k);
    float *weight = floats(t->weight, t->type, (size_t)t->n * (size_t)t->k);
    float *sums = malloc((size_t)t->m * (size_t)t->n * sizeof *sums);
    tub_gpu_host_sums(x, weight, t->m, t->n, t->k, sums);
    for (int i = 0; i < tub_gpu_joined_tiles(t->m, SIDE) * tub_gpu_joined_tiles(t->n, SIDE); i++)
        finish_tile(t, sums, tub_gpu_joined_corner(t, (uint32_t)i, SIDE, SIDE));
    free(x);
    free(weight);
    free(sums);
}
