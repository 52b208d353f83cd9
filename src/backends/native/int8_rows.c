#include "int8_rows.h"

#include <math.h>
#include <string.h>

static const float most = 127;

void tub_int8_row_scales(const tub_kernels *kernels, const void *from, size_t row_bytes, int rows, int k, float *scales)
{
    for (int r = 0; r < rows; r++)
        scales[r] = kernels->peak((const char *)from + (size_t)r * row_bytes, k) / most;
}

void tub_int8_pack(const tub_kernels *kernels, const tub_product *product, const tub_int8_block *block)
{
    const tub_product_packing *g = &block->packing;
    const int padded = tub_product_depth(product, block->count), spans = (padded + product->span - 1) / product->span;
    for (int r = 0; r < block->rows; r++) {
        const tub_int8_row row = {.x = (const char *)block->from + (size_t)r * block->row_bytes,
                                  .count = block->count,
                                  .padded = padded,
                                  .factor = block->scales[r] > 0 ? 1.0f / block->scales[r] : 0,
                                  .shift = product->a_shift,
                                  .out = (char *)block->out + (size_t)r * g->row,
                                  .span = product->span,
                                  .out_span = g->group};
        kernels->int8_row(&row);
    }
    for (int r = block->rows; r < product->rows && product->packs_a; r++)
        for (int s = 0; s < spans; s++)
            memset((char *)block->out + (size_t)s * g->group + (size_t)r * g->row, 0, g->row);
}

float tub_int8_channel(const float *weights, int k, int8_t *out, int32_t *sum)
{
    float peak = 0;
    for (int i = 0; i < k; i++)
        peak = fabsf(weights[i]) > peak || isnan(weights[i]) ? fabsf(weights[i]) : peak;
    const float factor = peak > 0 && isfinite(peak) ? most / peak : 0;
    int32_t total = 0;
    for (int i = 0; i < k; i++) {
        const float x = rintf(weights[i] * factor);
        out[i] = (int8_t)(x > most ? most : x < -most ? -most : x == x ? x : 0);
        total += out[i];
    }
    *sum = total;
    return peak / most;
}
