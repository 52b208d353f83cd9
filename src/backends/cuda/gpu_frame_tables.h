// Tables on the device that the frame kernels read besides a frame: a recipe's own tables, and if tensor cores do the
// resize, after them, at multiples of 16 bytes,
//   - lefts: for each strip of 8 columns of the result, the first column of the frame that is read for it, a multiple
//     of 16: int32 [strips], for whole blocks
//   - tops: for each band of 16 rows, the first row of the frame, a multiple of 4, and the one after the last:
//     int32 [bands][2], likewise
//   - across, down: weights as fragments (gpu_tensor.h): [strips][steps][planes][32 lanes][2 words] and
//     [bands][steps][planes][32 lanes][4 words]. Plane p has byte p of each weight. What isn't an input has weight 0.
//
// Thread-safety: none is needed.
#ifndef TUB_GPU_FRAME_TABLES_H
#define TUB_GPU_FRAME_TABLES_H

#include <tubelet/status.h>

#include "gpu_tasks.h"

typedef struct tub_gpu_frame_tables {
    unsigned char *data; // begins with the recipe's tables
    size_t bytes;
    int tile_rows, tile_columns; // as in tub_gpu_pixels
    tub_gpu_cores cores;         // likewise
} tub_gpu_frame_tables;

// `cores`: the device has tensor cores that multiply bytes (8.0 or later). Errors: TUB_ERROR_MEMORY. A failed make
// needs no finish.
tub_status tub_gpu_frame_tables_make(const tub_frame_recipe *recipe, bool cores, tub_gpu_frame_tables *out,
                                     tub_error *err);
void tub_gpu_frame_tables_finish(tub_gpu_frame_tables *tables);

// Fills in a task's members that depend on the tables, except their address.
void tub_gpu_frame_tables_use(const tub_gpu_frame_tables *tables, tub_gpu_pixels *task);

#endif
