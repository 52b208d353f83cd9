// What the kernels of frames read besides a frame, as it lies on the device: a recipe's own tables; where tensor cores
// make the resize, behind them, at multiples of 16 bytes,
//   - lefts: of each strip of 8 columns of the result the first of the frame's columns that is read for it, a multiple
//     of 16: int32 [strips], of whole blocks
//   - tops: of each band of 16 rows the first of the frame's rows, a multiple of 4, and the one behind the last:
//     int32 [bands][2], likewise
//   - across, down: weights as fragments (gpu_tensor.h): [strips][steps][planes][32 lanes][2 words] and
//     [bands][steps][planes][32 lanes][4 words]. Plane p holds byte p of each weight. What isn't an input has none.
//
// Thread-safety: none is needed.
#ifndef TUB_GPU_FRAME_TABLES_H
#define TUB_GPU_FRAME_TABLES_H

#include <tubelet/status.h>

#include "gpu_tasks.h"

typedef struct tub_gpu_frame_tables {
    unsigned char *data; // the recipe's tables are the first of it
    size_t bytes;
    int tile_rows, tile_columns; // as of tub_gpu_pixels
    tub_gpu_cores cores;         // likewise
} tub_gpu_frame_tables;

// `cores`: the device has tensor cores that multiply bytes (from 8.0 on). Errors: TUB_ERROR_MEMORY. A failed make needs
// no finish.
tub_status tub_gpu_frame_tables_make(const tub_frame_recipe *recipe, bool cores, tub_gpu_frame_tables *out,
                                     tub_error *err);
void tub_gpu_frame_tables_finish(tub_gpu_frame_tables *tables);

// Of a task all but where its tables are.
void tub_gpu_frame_tables_use(const tub_gpu_frame_tables *tables, tub_gpu_pixels *task);

#endif
