// A product with the step behind it in its epilogue: what a thread does but for the sums themselves, for the device
// (plugin/gpu_joined.cu, and gpu_joined_wide.cu for cards of 9.0) and for the host.
//
// A block has a tile of TUB_GPU_JOINED_SIDE rows and as many columns of the result. Its sums are added up on tensor cores, k in
// steps of TUB_GPU_JOINED_STEP, in order from zero, in float32; how a step's own products are added up is the tensor core's
// secret. With their bias they are rounded and lie in shared memory, rows TUB_GPU_JOINED_PITCH apart; there pairs of columns
// are turned, since a tile holds whole heads; and from there rows go out, through an activation.
//
// The arithmetic is that of the kernels it stands for (gpu_bodies.h), on values rounded as they would be between the two:
// where the sums are the library's, the result is theirs to the bit, which gpu_algorithms.h checks before it is used.
#ifndef TUB_GPU_JOINED_BODIES_H
#define TUB_GPU_JOINED_BODIES_H

#include "gpu_bodies.h"

enum {
    TUB_GPU_JOINED_SIDE = 128,
    TUB_GPU_JOINED_PITCH = TUB_GPU_JOINED_SIDE + 8, // rows begin four banks apart
    TUB_GPU_JOINED_STEP = 16,
    TUB_GPU_JOINED_GROUP = 8,
    TUB_GPU_JOINED_RUN = 8,                         // neighbouring columns of a row that a thread writes
};

// Whether a card of this compute capability (75: 7.5) computes it.
static inline bool tub_gpu_joined_serves(const tub_gpu_joined *t, int capability)
{
    if (t->wide && capability != 90)
        return false;
    const int least = t->type == TUB_GPU_F16 ? 75 : t->type == TUB_GPU_BF16 ? 80 : 1000, dim = t->rotate.dim;
    const bool turns = t->activation != 0 || (t->rotate.x == t->rotate.out && dim % (2 * TUB_GPU_PACK) == 0 &&
                                              TUB_GPU_JOINED_SIDE % dim == 0);
    return capability >= least && turns && t->k % TUB_GPU_JOINED_RUN == 0 && t->n % TUB_GPU_JOINED_RUN == 0;
}

TUB_GPU_BODY int tub_gpu_joined_tiles(int length)
{
    return (length + TUB_GPU_JOINED_SIDE - 1) / TUB_GPU_JOINED_SIDE;
}

// Blocks go down TUB_GPU_JOINED_GROUP tiles before they go across, so that those that run at the same time share rows of
// either factor.
typedef struct tub_gpu_corner {
    int row, col;           // of the result, where a tile begins
} tub_gpu_corner;

TUB_GPU_BODY tub_gpu_corner tub_gpu_joined_corner(const tub_gpu_joined *t, uint32_t block)
{
    const int down = tub_gpu_joined_tiles(t->m), across = tub_gpu_joined_tiles(t->n);
    const uint32_t group_tiles = (uint32_t)(TUB_GPU_JOINED_GROUP * across);
    const int first = (int)(block / group_tiles) * TUB_GPU_JOINED_GROUP, in_group = (int)(block % group_tiles);
    const int height = down - first < TUB_GPU_JOINED_GROUP ? down - first : TUB_GPU_JOINED_GROUP;
    const tub_gpu_corner corner = {(first + in_group % height) * TUB_GPU_JOINED_SIDE,
                                   in_group / height * TUB_GPU_JOINED_SIDE};
    return corner;
}

TUB_GPU_BODY float tub_gpu_joined_bias(const tub_gpu_joined *t, int col)
{
    return t->bias && col < t->n ? tub_gpu_load(t->bias, col, t->type) : 0.0f;
}

// Two neighbouring sums into the tile, `row` and `col` of it.
TUB_GPU_BODY void tub_gpu_joined_put(const tub_gpu_joined *t, void *tile, int row, int col, const float *sums,
                                     const float *bias)
{
    uint16_t pair[4]; // wide enough for any type
    tub_gpu_store(pair, 0, t->type, sums[0] + bias[0]);
    tub_gpu_store(pair, 1, t->type, sums[1] + bias[1]);
    memcpy((uint16_t *)tile + row * TUB_GPU_JOINED_PITCH + col, pair, 2 * sizeof *pair);
}

// Pieces of a tile that threads turn: four pairs of columns of a row, in all its heads.
TUB_GPU_BODY int tub_gpu_joined_turns(const tub_gpu_joined *t)
{
    return TUB_GPU_JOINED_SIDE * tub_gpu_packs(t->rotate.dim / 2);
}

TUB_GPU_BODY void tub_gpu_joined_turn(const tub_gpu_joined *t, void *tile, tub_gpu_corner corner, int turn)
{
    const tub_gpu_rotate *r = &t->rotate;
    const int packs = tub_gpu_packs(r->dim / 2), in_tile = turn / packs, all = corner.row + in_tile;
    const int row = all % r->rows, left = r->heads * r->dim - corner.col;
    const int end = left < TUB_GPU_JOINED_SIDE ? left : TUB_GPU_JOINED_SIDE;
    if (all >= t->m || row < r->skip || left <= 0)
        return;
    tub_gpu_pairs p = tub_gpu_pairs_at(r, turn % packs * TUB_GPU_PACK);
    tub_gpu_rotate_load(r, &p, all / r->rows, row, true);
    for (int col = 0; col < end; col += r->dim) {
        const int64_t at = (int64_t)in_tile * TUB_GPU_JOINED_PITCH + col;
        float a[TUB_GPU_PACK], b[TUB_GPU_PACK];
        tub_gpu_load_pack(tile, at + p.a, t->type, p.a_count, true, a);
        tub_gpu_load_pack(tile, at + p.b, t->type, p.b_count, true, b);
        tub_gpu_turn_pairs(r, &p, a, b);
        tub_gpu_store_pack(tile, at + p.a, t->type, p.a_count, true, a);
        tub_gpu_store_pack(tile, at + p.b, t->type, p.b_count, true, b);
    }
}

// Pieces of a tile that threads write: TUB_GPU_JOINED_RUN columns of a row.
enum { TUB_GPU_JOINED_WRITES = TUB_GPU_JOINED_SIDE * TUB_GPU_JOINED_SIDE / TUB_GPU_JOINED_RUN };

TUB_GPU_BODY void tub_gpu_joined_write(const tub_gpu_joined *t, const void *tile, tub_gpu_corner corner, int write)
{
    const int runs = TUB_GPU_JOINED_SIDE / TUB_GPU_JOINED_RUN, in_tile = write / runs, row = corner.row + in_tile;
    const int from = write % runs * TUB_GPU_JOINED_RUN, col = corner.col + from;
    if (row >= t->m || col >= t->n)
        return;
    const uint16_t *values = (const uint16_t *)tile + in_tile * TUB_GPU_JOINED_PITCH + from;
    uint16_t *out = (uint16_t *)t->out + (int64_t)row * t->n + col;
    for (int i = 0; i < TUB_GPU_JOINED_RUN; i += TUB_GPU_PACK) {
        float x[TUB_GPU_PACK];
        tub_gpu_load_pack(values, i, t->type, TUB_GPU_PACK, true, x);
        for (int j = 0; j < TUB_GPU_PACK; j++)
            x[j] = tub_gpu_act(t->activation, x[j]);
        tub_gpu_store_pack(out, i, t->type, TUB_GPU_PACK, true, x);
    }
}

#endif
