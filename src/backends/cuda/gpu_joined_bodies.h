// A product with the step after it in its epilogue: everything that a thread does except the sums, for the device
// (plugin/gpu_joined.cu, and gpu_joined_wide.cu for cards of 9.0) and for the host.
//
// A block has a tile of the result: TUB_GPU_JOINED_SIDE rows and a multiple of as many columns. Tensor cores add up its
// sums in float32: k in steps of TUB_GPU_JOINED_STEP, in order from zero. How they add up the products of a step isn't
// documented. With their bias added, the sums are rounded and stored in shared memory, where rows are
// TUB_GPU_JOINED_PAD columns more apart than the tile's columns. There pairs of columns are rotated, since a tile
// contains whole heads. From there the rows are written, through an activation.
//
// The arithmetic is that of the separate kernels (gpu_bodies.h), on values rounded as they would be between the two
// steps. If the sums equal the library's, the result is bit-equal to that of the two steps; gpu_algorithms.h checks
// this before it is used.
#ifndef TUB_GPU_JOINED_BODIES_H
#define TUB_GPU_JOINED_BODIES_H

#include "gpu_bodies.h"

enum {
    TUB_GPU_JOINED_SIDE = 128,
    TUB_GPU_JOINED_PAD = 8,                         // rows begin four banks apart
    TUB_GPU_JOINED_STEP = 16,
    TUB_GPU_JOINED_GROUP = 8,
    TUB_GPU_JOINED_RUN = TUB_GPU_RUN,               // neighboring columns of a row that a thread writes
};

// Whether a card with this compute capability (75: 7.5) can compute it.
static inline bool tub_gpu_joined_serves(const tub_gpu_joined *t, int capability)
{
    if (t->wide && capability != 90)
        return false;
    const int least = t->type == TUB_GPU_F16 ? 75 : t->type == TUB_GPU_BF16 ? 80 : 1000, dim = t->rotate.dim;
    const bool turns = t->activation != 0 || (t->rotate.x == t->rotate.out && dim % (2 * TUB_GPU_PACK) == 0 &&
                                              TUB_GPU_JOINED_SIDE % dim == 0);
    return capability >= least && turns && t->k % TUB_GPU_JOINED_RUN == 0 && t->n % TUB_GPU_JOINED_RUN == 0;
}

TUB_GPU_BODY int tub_gpu_joined_tiles(int length, int side)
{
    return (length + side - 1) / side;
}

typedef struct tub_gpu_corner {
    int row, col;           // where a tile begins in the result
} tub_gpu_corner;

// The corner of tile number `tile` of [rows, cols]. Tiles go down TUB_GPU_JOINED_GROUP tiles before they go across, so
// that tiles that are computed at the same time share rows of either factor.
TUB_GPU_BODY tub_gpu_corner tub_gpu_joined_corner(const tub_gpu_joined *t, uint32_t tile, int rows, int cols)
{
    const int down = tub_gpu_joined_tiles(t->m, rows), across = tub_gpu_joined_tiles(t->n, cols);
    const uint32_t group_tiles = (uint32_t)(TUB_GPU_JOINED_GROUP * across);
    const int first = (int)(tile / group_tiles) * TUB_GPU_JOINED_GROUP, in_group = (int)(tile % group_tiles);
    const int height = down - first < TUB_GPU_JOINED_GROUP ? down - first : TUB_GPU_JOINED_GROUP;
    const tub_gpu_corner corner = {(first + in_group % height) * rows, in_group / height * cols};
    return corner;
}

TUB_GPU_BODY float tub_gpu_joined_bias(const tub_gpu_joined *t, int col)
{
    return t->bias && col < t->n ? tub_gpu_load(t->bias, col, t->type) : 0.0f;
}

// Stores two neighboring sums into a tile of `cols` columns, at its `row` and `col`.
TUB_GPU_BODY void tub_gpu_joined_put(const tub_gpu_joined *t, void *tile, int cols, int row, int col, const float *sums,
                                     const float *bias)
{
    uint16_t pair[4]; // wide enough for any type
    tub_gpu_store(pair, 0, t->type, sums[0] + bias[0]);
    tub_gpu_store(pair, 1, t->type, sums[1] + bias[1]);
    memcpy((uint16_t *)tile + row * (cols + TUB_GPU_JOINED_PAD) + col, pair, 2 * sizeof *pair);
}

// The pieces of a tile's row that threads rotate: four pairs of columns, in all its heads.
TUB_GPU_BODY int tub_gpu_joined_turns(const tub_gpu_joined *t)
{
    return tub_gpu_packs(t->rotate.dim / 2);
}

// Pieces are numbered row after row. `tile` is at `corner`.
TUB_GPU_BODY void tub_gpu_joined_turn(const tub_gpu_joined *t, void *tile, int cols, tub_gpu_corner corner, int turn)
{
    const tub_gpu_rotate *r = &t->rotate;
    const int packs = tub_gpu_joined_turns(t), in_tile = turn / packs, all = corner.row + in_tile;
    const int row = all % r->rows, left = r->heads * r->dim - corner.col, end = left < cols ? left : cols;
    if (all >= t->m || row < r->skip || left <= 0)
        return;
    tub_gpu_pairs p = tub_gpu_pairs_at(r, turn % packs * TUB_GPU_PACK, TUB_GPU_PACK);
    tub_gpu_rotate_load(r, &p, TUB_GPU_PACK, all / r->rows, row, true);
    for (int col = 0; col < end; col += r->dim) {
        const int64_t at = (int64_t)in_tile * (cols + TUB_GPU_JOINED_PAD) + col;
        float a[TUB_GPU_PACK], b[TUB_GPU_PACK];
        tub_gpu_load_pack(tile, at + p.a, t->type, p.a_count, true, a);
        tub_gpu_load_pack(tile, at + p.b, t->type, p.b_count, true, b);
        tub_gpu_turn_pairs(&p, r->halves, TUB_GPU_PACK, a, b);
        tub_gpu_store_pack(tile, at + p.a, t->type, p.a_count, true, a);
        tub_gpu_store_pack(tile, at + p.b, t->type, p.b_count, true, b);
    }
}

// The pieces of a row that threads write: TUB_GPU_JOINED_RUN columns.
TUB_GPU_BODY int tub_gpu_joined_writes(int cols)
{
    return cols / TUB_GPU_JOINED_RUN;
}

// Pieces are numbered row after row. `tile` is at `corner`.
TUB_GPU_BODY void tub_gpu_joined_write(const tub_gpu_joined *t, const void *tile, int cols, tub_gpu_corner corner,
                                       int write)
{
    const int runs = tub_gpu_joined_writes(cols), in_tile = write / runs, from = write % runs * TUB_GPU_JOINED_RUN;
    const int row = corner.row + in_tile, col = corner.col + from;
    float x[TUB_GPU_JOINED_RUN];
    if (row >= t->m || col >= t->n)
        return;
    const void *values = (const uint16_t *)tile + in_tile * (cols + TUB_GPU_JOINED_PAD) + from;
    tub_gpu_load_some(values, 0, t->type, TUB_GPU_RUN, TUB_GPU_RUN, true, x);
    tub_gpu_act_all(t->type, t->activation, x, TUB_GPU_RUN);
    tub_gpu_store_some(t->out, (int64_t)row * t->n + col, t->type, TUB_GPU_RUN, TUB_GPU_RUN, true, x);
}

#endif
