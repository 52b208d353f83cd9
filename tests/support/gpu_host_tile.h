// A tile of attention on tensor cores, on the host: what its two versions share.
#ifndef GPU_HOST_TILE_H
#define GPU_HOST_TILE_H

#include "gpu_flash_bodies.h"

enum { TILE_QUERIES = TUB_GPU_FLASH_QUERIES, TILE_KEYS = TUB_GPU_FLASH_KEYS, TILE_COLS = TUB_GPU_FLASH_HEAD };

typedef struct gpu_host_tile {
    const tub_gpu_attention *a;
    int run, head, first, cols;     // first: of its queries; cols: padded with zeros
    int queries;                    // queries that exist
    float q[TILE_QUERIES][TILE_COLS], keys[TILE_KEYS][TILE_COLS], values[TILE_KEYS][TILE_COLS];
    float scores[TILE_QUERIES][TILE_KEYS], sums[TILE_QUERIES][TILE_COLS];
    float largest[TILE_QUERIES], total[TILE_QUERIES];
} gpu_host_tile;

// Called when a block has `count` keys and values, zeros after them: updates the tile queries' scores, weights and
// sums.
typedef void (*gpu_host_block)(gpu_host_tile *tile, int count);

// All tiles, block by block. Columns are padded to a multiple of `whole`.
void gpu_host_tiles(const tub_gpu_attention *a, int whole, gpu_host_block block);

#endif
