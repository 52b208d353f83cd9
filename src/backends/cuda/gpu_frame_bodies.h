// The kernels that turn a decoded frame into a model's patch vectors: conversion to RGB, resize, normalization and
// patches at once, as functions of one thread like those in gpu_bodies.h. The arithmetic is that of src/media's scalar
// kernels.
//
// There are four ways, which give the same bytes. Single: a thread has one pixel of the result and reads all its
// inputs. Tiled, if a pixel has many inputs: a block has a tile of the result; it converts the frame's pixels for the
// tile, a few rows at a time, into shared memory, does the horizontal pass on them, and at the end the vertical pass.
// Tensor cores, for NV12 resized in 8 bits: like tiled, in plugin/gpu_frame_cores.cu. Pairs, for NV12 in the float
// domain from two rows and two columns: like single, but with less work, in plugin/gpu_frame_pairs.cu.
#ifndef TUB_GPU_FRAME_BODIES_H
#define TUB_GPU_FRAME_BODIES_H

#include <string.h>

#include "gpu_bodies.h"

// What is known when a kernel is compiled: the samples' layout, if it is NVDEC's.
typedef enum tub_gpu_layout { TUB_GPU_ANY_LAYOUT = 0, TUB_GPU_NV12 = 1 } tub_gpu_layout;

TUB_PIXEL_FUNCTION tub_gpu_layout tub_gpu_pixels_layout(const tub_gpu_pixels *t)
{
    const tub_frame_planes *f = &t->frame;
    const bool nv12 = f->kind == TUB_PLANES_HALF && f->paired && f->chroma_shift == 1 && f->bits == 8;
    return nv12 ? TUB_GPU_NV12 : TUB_GPU_ANY_LAYOUT;
}

// The part of a launch that a thread works for.
typedef struct tub_gpu_way {
    tub_gpu_layout layout;
    bool floats; // the recipe's is_float
    int frame;   // its number in the task
} tub_gpu_way;

enum {
    TUB_GPU_TILE_COLUMNS = 32, // of a tile in the result
    TUB_GPU_TILE_ROWS = 8,
    TUB_GPU_STAGED_ROWS = 8, // rows of the frame in shared memory at a time, half as many in the float domain
    TUB_GPU_STAGED_PACK = 4, // neighboring pixels that a thread converts
};

// Whether tensor cores do a task: rows of luma come in pairs.
TUB_PIXEL_FUNCTION bool tub_gpu_pixels_by_cores(const tub_gpu_pixels *t)
{
    return t->cores.planes > 0 && t->by_words && tub_gpu_pixels_layout(t) == TUB_GPU_NV12 && t->frame.height % 2 == 0;
}

// Whether the kernel of plugin/gpu_frame_pairs.cu does it.
TUB_PIXEL_FUNCTION bool tub_gpu_pixels_by_pairs(const tub_gpu_pixels *t)
{
    const tub_frame_recipe *r = &t->recipe;
    const bool exact = r->inverse[0] != 0 && r->inverse[1] != 0 && r->inverse[2] != 0;
    return t->by_words && r->is_float && exact && r->across.taps == 2 && r->down.taps == 2 &&
           tub_gpu_pixels_layout(t) == TUB_GPU_NV12;
}

// ---- a frame's pixel: red in the lowest byte, then green, then blue ----

TUB_PIXEL_FUNCTION uint32_t tub_gpu_pixel_of(const uint8_t *rgb)
{
    return rgb[0] | (uint32_t)rgb[1] << 8 | (uint32_t)rgb[2] << 16;
}

TUB_PIXEL_FUNCTION int tub_gpu_pixel_channel(uint32_t pixel, int c)
{
    return (int)(pixel >> 8 * c & 255);
}

// A sample of more than 8 bits.
TUB_PIXEL_FUNCTION int tub_gpu_deep_sample(const tub_gpu_pixels *t, tub_gpu_way w, int plane, int y, int at)
{
    const uint8_t *row = t->surfaces[w.frame].planes[plane] + y * t->frame.pitches[plane];
    return ((const uint16_t *)(const void *)row)[at] >> t->frame.shift;
}

TUB_PIXEL_FUNCTION uint32_t tub_gpu_pixels_deep(const tub_gpu_pixels *t, tub_gpu_way w, int y, int x)
{
    const tub_frame_planes *f = &t->frame;
    const int last = f->height / 2 - 1, column = x / 2;
    int weights[4], u = 0, v = 0;
    const int first = tub_deep_rows(y, weights);
    for (int j = 0; j < 4; j++) {
        const int row = first + j < 0 ? 0 : first + j > last ? last : first + j;
        u += weights[j] * tub_gpu_deep_sample(t, w, 1, row, f->paired ? 2 * column : column);
        v += weights[j] * tub_gpu_deep_sample(t, w, f->paired ? 1 : 2, row, f->paired ? 2 * column + 1 : column);
    }
    uint8_t rgb[3];
    tub_rgb_steps_one(&f->steps, tub_deep_luma(tub_gpu_deep_sample(t, w, 0, y, x), f->bits),
                      tub_deep_chroma(u, f->bits), tub_deep_chroma(v, f->bits), rgb);
    return tub_gpu_pixel_of(rgb);
}

TUB_PIXEL_FUNCTION uint32_t tub_gpu_pixels_half(const tub_frame_planes *f, int luma, int u, int v)
{
    uint8_t rgb[3];
    tub_rgb_half_one(&f->matrix, luma, u, v, rgb);
    return tub_gpu_pixel_of(rgb);
}

TUB_PIXEL_FUNCTION uint32_t tub_gpu_pixels_rgb(const tub_gpu_pixels *t, tub_gpu_way w, int y, int x)
{
    const tub_frame_planes *f = &t->frame;
    const tub_gpu_surface *from = &t->surfaces[w.frame];
    const uint8_t *first = from->planes[0] + y * f->pitches[0];
    if (w.layout == TUB_GPU_NV12) {
        const uint8_t *pair = from->planes[1] + y / 2 * f->pitches[1] + x / 2 * 2;
        return tub_gpu_pixels_half(f, first[x], pair[0], pair[1]);
    }
    if (f->bits > 8)
        return tub_gpu_pixels_deep(t, w, y, x);
    if (f->kind == TUB_PLANES_RGB)
        return tub_gpu_pixel_of(first + 3 * x);
    const int row = y >> f->chroma_shift, column = f->kind == TUB_PLANES_HALF ? x / 2 : x;
    const uint8_t *u = from->planes[1] + row * f->pitches[1] + (f->paired ? 2 * column : column);
    const uint8_t *v = f->paired ? u + 1 : from->planes[2] + row * f->pitches[2] + column;
    if (f->kind == TUB_PLANES_HALF)
        return tub_gpu_pixels_half(f, first[x], *u, *v);
    uint8_t rgb[3];
    tub_rgb_full_one(&f->matrix, first[x], *u, *v, rgb);
    return tub_gpu_pixel_of(rgb);
}

// ---- tables ----

TUB_PIXEL_FUNCTION const int32_t *tub_gpu_integers(const tub_gpu_pixels *t, uint32_t at)
{
    return (const int32_t *)(const void *)(t->recipe.tables + at);
}

TUB_PIXEL_FUNCTION const float *tub_gpu_floats(const tub_gpu_pixels *t, uint32_t at)
{
    return (const float *)(const void *)(t->recipe.tables + at);
}

// ---- sums of one pass, three channels ----

TUB_PIXEL_FUNCTION void tub_gpu_sums_begin(int32_t *sums, int precision)
{
    for (int c = 0; c < 3; c++)
        sums[c] = 1 << (precision - 1);
}

TUB_PIXEL_FUNCTION void tub_gpu_sums_add(int32_t *sums, int32_t weight, uint32_t pixel)
{
    for (int c = 0; c < 3; c++)
        sums[c] += weight * tub_gpu_pixel_channel(pixel, c);
}

TUB_PIXEL_FUNCTION uint32_t tub_gpu_sums_end(const int32_t *sums, int precision)
{
    uint8_t rgb[3];
    for (int c = 0; c < 3; c++)
        rgb[c] = tub_clip_u8(sums[c], precision);
    return tub_gpu_pixel_of(rgb);
}

// A level's value in the float domain. On the device it is computed, which is exact and faster than looking it up.
TUB_PIXEL_FUNCTION float tub_gpu_level(const tub_gpu_pixels *t, int level)
{
#ifdef __CUDA_ARCH__
    const float x = (float)level;
    return fmaf(x, t->recipe.high, x * t->recipe.low) + t->recipe.offset;
#else
    return tub_gpu_floats(t, t->recipe.levels)[level];
#endif
}

TUB_PIXEL_FUNCTION void tub_gpu_sums_add_levels(const tub_gpu_pixels *t, float *sums, float weight, uint32_t pixel)
{
    for (int c = 0; c < 3; c++)
        sums[c] += weight * tub_gpu_level(t, tub_gpu_pixel_channel(pixel, c));
}

// ---- results ----

// Bytes of a made frame; rows and columns that don't fill a patch are left out.
TUB_PIXEL_FUNCTION int64_t tub_gpu_form_bytes(const tub_gpu_form *f, int height, int width)
{
    return (int64_t)(height / f->ky) * (width / f->kx) * 3 * f->ky * f->kx * tub_gpu_type_bytes(f->type);
}

TUB_PIXEL_FUNCTION void tub_gpu_pixels_put(const tub_gpu_pixels *t, tub_gpu_way w, int y, int x, const float *values)
{
    const tub_gpu_form *f = &t->form;
    const int across = t->recipe.out_width / f->kx, down = t->recipe.out_height / f->ky;
    const int column = x / f->kx, row = y / f->ky;
    if (column >= across || row >= down)
        return;
    const int64_t at = ((int64_t)(row * across + column) * 3 * f->ky + (y - row * f->ky)) * f->kx + x - column * f->kx;
    for (int c = 0; c < 3; c++)
        tub_gpu_store(t->surfaces[w.frame].out, at + c * f->ky * f->kx, f->type, values[c]);
}

TUB_PIXEL_FUNCTION void tub_gpu_pixels_write(const tub_gpu_pixels *t, tub_gpu_way w, int y, int x, uint32_t pixel)
{
    float values[3];
    for (int c = 0; c < 3; c++)
        values[c] = t->form.table[c * 256 + tub_gpu_pixel_channel(pixel, c)];
    tub_gpu_pixels_put(t, w, y, x, values);
}

TUB_PIXEL_FUNCTION void tub_gpu_pixels_write_floats(const tub_gpu_pixels *t, tub_gpu_way w, int y, int x,
                                                    const float *sums)
{
    float values[3];
    for (int c = 0; c < 3; c++)
        values[c] = (sums[c] - t->recipe.mean[c]) / t->recipe.std[c];
    tub_gpu_pixels_put(t, w, y, x, values);
}

TUB_PIXEL_FUNCTION void tub_gpu_pixels_pad(const tub_gpu_pixels *t, tub_gpu_way w, int y, int x)
{
    if (w.floats)
        tub_gpu_pixels_put(t, w, y, x, t->recipe.zero);
    else
        tub_gpu_pixels_write(t, w, y, x, 0);
}

// ---- single ----

TUB_PIXEL_FUNCTION int64_t tub_gpu_pixels_threads(const tub_gpu_pixels *t)
{
    return (int64_t)t->recipe.out_height * t->recipe.out_width;
}

// `second` is the pass that comes last; its tap i and the other pass's tap j are the frame's pixel (y, x).
TUB_PIXEL_FUNCTION uint32_t tub_gpu_pixels_single(const tub_gpu_pixels *t, tub_gpu_way w, int down, int across)
{
    const tub_frame_recipe *r = &t->recipe;
    const tub_recipe_axis *inner = r->down_first ? &r->down : &r->across;
    const tub_recipe_axis *second = r->down_first ? &r->across : &r->down;
    const int top = tub_gpu_integers(t, r->down.first)[down], left = tub_gpu_integers(t, r->across.first)[across];
    const int32_t *inner_weights =
        tub_gpu_integers(t, inner->weights) + (int64_t)(r->down_first ? down : across) * inner->taps;
    const int32_t *second_weights =
        tub_gpu_integers(t, second->weights) + (int64_t)(r->down_first ? across : down) * second->taps;
    int32_t sums[3];
    tub_gpu_sums_begin(sums, second->precision);
    for (int i = 0; i < second->taps; i++) {
        int32_t part[3];
        tub_gpu_sums_begin(part, inner->precision);
        for (int j = 0; j < inner->taps; j++)
            tub_gpu_sums_add(part, inner_weights[j],
                             r->down_first ? tub_gpu_pixels_rgb(t, w, top + j, left + i)
                                           : tub_gpu_pixels_rgb(t, w, top + i, left + j));
        tub_gpu_sums_add(sums, second_weights[i], tub_gpu_sums_end(part, inner->precision));
    }
    return tub_gpu_sums_end(sums, second->precision);
}

TUB_PIXEL_FUNCTION void tub_gpu_pixels_single_floats(const tub_gpu_pixels *t, tub_gpu_way w, int down, int across,
                                                     float *sums)
{
    const tub_frame_recipe *r = &t->recipe;
    const int top = tub_gpu_integers(t, r->down.first)[down], left = tub_gpu_integers(t, r->across.first)[across];
    const float *weights_down = tub_gpu_floats(t, r->down.weights) + (int64_t)down * r->down.taps;
    const float *weights_across = tub_gpu_floats(t, r->across.weights) + (int64_t)across * r->across.taps;
    for (int i = 0; i < r->down.taps; i++) {
        float part[3] = {0.0f, 0.0f, 0.0f};
        for (int j = 0; j < r->across.taps; j++)
            tub_gpu_sums_add_levels(t, part, weights_across[j], tub_gpu_pixels_rgb(t, w, top + i, left + j));
        for (int c = 0; c < 3; c++)
            sums[c] = i ? sums[c] + weights_down[i] * part[c] : weights_down[i] * part[c];
    }
}

TUB_PIXEL_FUNCTION void tub_gpu_pixels_body(const tub_gpu_pixels *t, tub_gpu_way w, uint32_t thread)
{
    const tub_frame_recipe *r = &t->recipe;
    const int y = (int)(thread / (uint32_t)r->out_width), x = (int)(thread % (uint32_t)r->out_width);
    const int down = y - r->down.pad, across = x - r->across.pad;
    if (down < 0 || down >= r->down.kept || across < 0 || across >= r->across.kept) {
        tub_gpu_pixels_pad(t, w, y, x);
    } else if (w.floats) {
        float sums[3];
        tub_gpu_pixels_single_floats(t, w, down, across, sums);
        tub_gpu_pixels_write_floats(t, w, y, x, sums);
    } else {
        tub_gpu_pixels_write(t, w, y, x, tub_gpu_pixels_single(t, w, down, across));
    }
}

// ---- tiled ----

// Outputs are numbered among the kept ones. A tile of only padding has no rows and no columns.
typedef struct tub_gpu_tile {
    int y, x;       // of its first pixel in the result
    int down, rows; // the first output, and how many
    int across, columns;
    int top, height; // the frame's rows that make them
    int left, packs; // the frame's columns; left is a multiple of TUB_GPU_STAGED_PACK
} tub_gpu_tile;

// The contents of shared memory: converted pixels, then those of the horizontal pass, with one value per pixel, or in
// the float domain three (in a row of pixels, one channel after another).
TUB_PIXEL_FUNCTION int tub_gpu_staged_pitch(const tub_gpu_pixels *t)
{
    const int pack = TUB_GPU_STAGED_PACK;
    return (t->tile_columns + 2 * (pack - 1)) / pack * pack;
}

TUB_PIXEL_FUNCTION int tub_gpu_staged_rows(const tub_gpu_pixels *t)
{
    return t->recipe.is_float ? TUB_GPU_STAGED_ROWS / 2 : TUB_GPU_STAGED_ROWS;
}

TUB_PIXEL_FUNCTION int tub_gpu_staged_values(const tub_gpu_pixels *t)
{
    return tub_gpu_staged_rows(t) * tub_gpu_staged_pitch(t) * (t->recipe.is_float ? 3 : 1);
}

TUB_PIXEL_FUNCTION int64_t tub_gpu_shared_values(const tub_gpu_pixels *t)
{
    return tub_gpu_staged_values(t) + (int64_t)t->tile_rows * TUB_GPU_TILE_COLUMNS * (t->recipe.is_float ? 3 : 1);
}

// A thread's share of the horizontal pass is one value.
TUB_PIXEL_FUNCTION int tub_gpu_passed_units(const tub_gpu_pixels *t, int rows)
{
    return rows * TUB_GPU_TILE_COLUMNS * (t->recipe.is_float ? 3 : 1);
}

TUB_PIXEL_FUNCTION int tub_gpu_tiles_across(const tub_gpu_pixels *t)
{
    return (t->recipe.out_width + TUB_GPU_TILE_COLUMNS - 1) / TUB_GPU_TILE_COLUMNS;
}

TUB_PIXEL_FUNCTION int tub_gpu_tiles(const tub_gpu_pixels *t)
{
    return tub_gpu_tiles_across(t) * ((t->recipe.out_height + TUB_GPU_TILE_ROWS - 1) / TUB_GPU_TILE_ROWS);
}

// The kept outputs among `size` outputs from `at` on: *first, and returns how many.
TUB_PIXEL_FUNCTION int tub_gpu_kept_of(const tub_recipe_axis *axis, int at, int size, int *first)
{
    const int from = at > axis->pad ? at - axis->pad : 0;
    const int to = at + size - axis->pad < axis->kept ? at + size - axis->pad : axis->kept;
    *first = from;
    return to > from ? to - from : 0;
}

// How many inputs make `count` outputs from `first` on, and where these inputs begin.
TUB_PIXEL_FUNCTION int tub_gpu_inputs_of(const int32_t *firsts, int taps, int first, int count, int *begin)
{
    *begin = count ? firsts[first] : 0;
    return count ? firsts[first + count - 1] + taps - *begin : 0;
}

TUB_PIXEL_FUNCTION tub_gpu_tile tub_gpu_tile_at(const tub_gpu_pixels *t, int number)
{
    const tub_frame_recipe *r = &t->recipe;
    const int many = tub_gpu_tiles_across(t), pack = TUB_GPU_STAGED_PACK;
    tub_gpu_tile tile;
    int begin;
    tile.y = number / many * TUB_GPU_TILE_ROWS;
    tile.x = number % many * TUB_GPU_TILE_COLUMNS;
    tile.rows = tub_gpu_kept_of(&r->down, tile.y, TUB_GPU_TILE_ROWS, &tile.down);
    tile.columns = tub_gpu_kept_of(&r->across, tile.x, TUB_GPU_TILE_COLUMNS, &tile.across);
    tile.height = tub_gpu_inputs_of(tub_gpu_integers(t, r->down.first), r->down.taps, tile.down, tile.rows, &tile.top);
    const int width =
        tub_gpu_inputs_of(tub_gpu_integers(t, r->across.first), r->across.taps, tile.across, tile.columns, &begin);
    tile.left = begin / pack * pack;
    tile.packs = (begin + width - tile.left + pack - 1) / pack;
    return tile;
}

TUB_PIXEL_FUNCTION void tub_gpu_tile_put(const tub_gpu_pixels *t, tub_gpu_way w, int row, int at, uint32_t pixel,
                                         void *staged)
{
    const int pitch = tub_gpu_staged_pitch(t);
    if (w.floats)
        for (int c = 0; c < 3; c++)
            ((float *)staged)[(3 * row + c) * pitch + at] = tub_gpu_level(t, tub_gpu_pixel_channel(pixel, c));
    else
        ((uint32_t *)staged)[row * pitch + at] = pixel;
}

// Four pixels of the staged row `row`, from the frame's row top + first + row.
TUB_PIXEL_FUNCTION void tub_gpu_tile_stage(const tub_gpu_pixels *t, tub_gpu_way w, const tub_gpu_tile *tile, int first,
                                           int unit, void *staged)
{
    const int row = unit / tile->packs, at = unit % tile->packs * TUB_GPU_STAGED_PACK;
    const int y = tile->top + first + row, x = tile->left + at;
#ifdef __CUDA_ARCH__
    if (w.layout == TUB_GPU_NV12 && t->by_words) {
        const tub_frame_planes *f = &t->frame;
        const tub_gpu_surface *from = &t->surfaces[w.frame];
        const uint32_t luma = *(const uint32_t *)(from->planes[0] + y * f->pitches[0] + x);
        const uint32_t chroma = *(const uint32_t *)(from->planes[1] + y / 2 * f->pitches[1] + x);
        for (int i = 0; i < TUB_GPU_STAGED_PACK; i++) {
            const uint32_t pair = chroma >> (i & 2) * 8;
            const int level = (int)(luma >> 8 * i & 255);
            tub_gpu_tile_put(t, w, row, at + i,
                             tub_gpu_pixels_half(f, level, (int)(pair & 255), (int)(pair >> 8 & 255)), staged);
        }
        return;
    }
#endif
    for (int i = 0; i < TUB_GPU_STAGED_PACK && x + i < t->recipe.in_width; i++)
        tub_gpu_tile_put(t, w, row, at + i, tub_gpu_pixels_rgb(t, w, y, x + i), staged);
}

// The horizontal pass of one staged row for one of the tile's columns, in the float domain of one channel.
TUB_PIXEL_FUNCTION void tub_gpu_tile_across(const tub_gpu_pixels *t, tub_gpu_way w, const tub_gpu_tile *tile, int first,
                                            int unit, const void *staged, void *passed)
{
    const tub_recipe_axis *axis = &t->recipe.across;
    const int row = unit / TUB_GPU_TILE_COLUMNS, column = unit % TUB_GPU_TILE_COLUMNS;
    if (column >= tile->columns)
        return;
    const int output = tile->across + column, pitch = tub_gpu_staged_pitch(t);
    const int at = row * pitch + (tub_gpu_integers(t, axis->first)[output] - tile->left);
    const int64_t weights_at = (int64_t)output * axis->taps;
    if (w.floats) { // `row` counts the rows of three channels
        const float *weights = tub_gpu_floats(t, axis->weights) + weights_at, *in = (const float *)staged + at;
        float sum = 0.0f;
        for (int j = 0; j < axis->taps; j++)
            sum += weights[j] * in[j];
        ((float *)passed)[(first * 3 + row) * TUB_GPU_TILE_COLUMNS + column] = sum;
    } else {
        const int32_t *weights = tub_gpu_integers(t, axis->weights) + weights_at;
        const uint32_t *in = (const uint32_t *)staged + at;
        int32_t sums[3];
        tub_gpu_sums_begin(sums, axis->precision);
        for (int j = 0; j < axis->taps; j++)
            tub_gpu_sums_add(sums, weights[j], in[j]);
        ((uint32_t *)passed)[(first + row) * TUB_GPU_TILE_COLUMNS + column] = tub_gpu_sums_end(sums, axis->precision);
    }
}

// The vertical pass for one pixel of the result, or its padding.
TUB_PIXEL_FUNCTION void tub_gpu_tile_down(const tub_gpu_pixels *t, tub_gpu_way w, const tub_gpu_tile *tile, int unit,
                                          const void *passed)
{
    const tub_recipe_axis *axis = &t->recipe.down;
    const int y = tile->y + unit / TUB_GPU_TILE_COLUMNS, x = tile->x + unit % TUB_GPU_TILE_COLUMNS;
    const int down = y - axis->pad, column = x - t->recipe.across.pad - tile->across;
    if (y >= t->recipe.out_height || x >= t->recipe.out_width)
        return;
    if (down < tile->down || down >= tile->down + tile->rows || column < 0 || column >= tile->columns) {
        tub_gpu_pixels_pad(t, w, y, x);
        return;
    }
    const int row = tub_gpu_integers(t, axis->first)[down] - tile->top;
    const int64_t weights_at = (int64_t)down * axis->taps;
    if (w.floats) {
        const float *in = (const float *)passed + row * 3 * TUB_GPU_TILE_COLUMNS + column;
        const float *weights = tub_gpu_floats(t, axis->weights) + weights_at;
        float sums[3];
        for (int c = 0; c < 3; c++) {
            sums[c] = weights[0] * in[c * TUB_GPU_TILE_COLUMNS];
            for (int i = 1; i < axis->taps; i++)
                sums[c] += weights[i] * in[(3 * i + c) * TUB_GPU_TILE_COLUMNS];
        }
        tub_gpu_pixels_write_floats(t, w, y, x, sums);
    } else {
        const uint32_t *in = (const uint32_t *)passed + row * TUB_GPU_TILE_COLUMNS + column;
        const int32_t *weights = tub_gpu_integers(t, axis->weights) + weights_at;
        int32_t sums[3];
        tub_gpu_sums_begin(sums, axis->precision);
        for (int i = 0; i < axis->taps; i++)
            tub_gpu_sums_add(sums, weights[i], in[i * TUB_GPU_TILE_COLUMNS]);
        tub_gpu_pixels_write(t, w, y, x, tub_gpu_sums_end(sums, axis->precision));
    }
}

// ---- tensor cores ----

enum {
    TUB_GPU_STRIP = 8,       // columns of the result for which a warp has weights
    TUB_GPU_BAND = 16,       // rows of the result
    TUB_GPU_CHUNK_PAIRS = 8, // pairs of the frame's rows in shared memory at a time
};

// The layout of a block's shared memory: offsets of
typedef struct tub_gpu_cores_places {
    int staged; // [3][2][TUB_GPU_CHUNK_PAIRS][staged_pitch]: a chunk's pixels, the even rows of a channel first
    int passed; // [3][warps * TUB_GPU_STRIP][passed_pitch]: the horizontal pass, column after column
    int levels; // [3][256] words, the values of levels, where there were pixels before
    int staged_pitch, passed_pitch;
    int bytes;
} tub_gpu_cores_places;

// A pitch with which eight rows of 16 bytes are in different banks.
TUB_PIXEL_FUNCTION int tub_gpu_cores_pitch(int bytes)
{
    return bytes / 16 % 2 ? bytes : bytes + 16;
}

TUB_PIXEL_FUNCTION tub_gpu_cores_places tub_gpu_cores_shared(const tub_gpu_cores *c)
{
    tub_gpu_cores_places s;
    s.staged_pitch = tub_gpu_cores_pitch(c->columns);
    s.passed_pitch = tub_gpu_cores_pitch(c->rows);
    s.staged = s.levels = 0;
    s.passed = 3 * 2 * TUB_GPU_CHUNK_PAIRS * s.staged_pitch;
    if (s.passed < 3 * 256 * 4)
        s.passed = 3 * 256 * 4;
    s.bytes = s.passed + 3 * c->warps * TUB_GPU_STRIP * s.passed_pitch;
    return s;
}

#endif
