#include "gpu_host_frames.h"

#include <stdlib.h>

#include "gpu_frame_bodies.h"

// Allocates exactly the size that the kernel asks for.
static void make_tile(const tub_gpu_pixels *t, tub_gpu_way way, int number)
{
    uint32_t *staged = malloc((size_t)tub_gpu_shared_values(t) * 4);
    uint32_t *passed = staged + tub_gpu_staged_values(t);
    const int most = tub_gpu_staged_rows(t);
    const tub_gpu_tile tile = tub_gpu_tile_at(t, number);
    for (int first = 0; first < tile.height; first += most) {
        const int left = tile.height - first, rows = left < most ? left : most;
        for (int unit = 0; unit < rows * tile.packs; unit++)
            tub_gpu_tile_stage(t, way, &tile, first, unit, staged);
        for (int unit = 0; unit < tub_gpu_passed_units(t, rows); unit++)
            tub_gpu_tile_across(t, way, &tile, first, unit, staged, passed);
    }
    for (int unit = 0; unit < TUB_GPU_TILE_COLUMNS * TUB_GPU_TILE_ROWS; unit++)
        tub_gpu_tile_down(t, way, &tile, unit, passed);
    free(staged);
}

void tub_gpu_host_pixels(const tub_gpu_pixels *t)
{
    tub_gpu_way way = {tub_gpu_pixels_layout(t), t->recipe.is_float, 0};
    for (; way.frame < t->count; way.frame++)
        if (t->tile_rows)
            for (int number = 0; number < tub_gpu_tiles(t); number++)
                make_tile(t, way, number);
        else
            for (int64_t i = 0; i < tub_gpu_pixels_threads(t); i++)
                tub_gpu_pixels_body(t, way, (uint32_t)i);
}
