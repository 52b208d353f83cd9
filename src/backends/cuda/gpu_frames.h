// Frames on a GPU: decoded ones become a model's pixels there, in memory that holds as many frames as the pipeline has
// slots. A run takes frames from it as they lie, without a copy.
//
// Several threads make frames at once, each at a desk of its own: streams, the tables of the transforms that were used
// last, and memory for planes that come from the host. Who finds no desk free waits, and whoever gets one next takes along
// all that wait and are alike, in one launch. A frame is there, and its planes are free, when make() returns.
//
// Thread-safety: make() from any thread; all else as the backend's.
#ifndef TUB_GPU_FRAMES_H
#define TUB_GPU_FRAMES_H

#include "gpu_executable.h"

typedef struct tub_gpu_frames tub_gpu_frames;

// What a backend's table holds: see backend.h.
tub_status tub_gpu_frames_hold(tub_backend *backend, size_t bytes, void **out, tub_error *err);
void tub_gpu_frames_drop(tub_backend *backend); // also when none are held
tub_status tub_gpu_frames_make(tub_backend *backend, const tub_frame_recipe *recipe, const tub_frame_planes *planes,
                               void *at, void *host, tub_error *err);

// How its kernel is to go about it, of a recipe whose tables are the host's: as of tub_gpu_pixels.
void tub_gpu_frames_choose(const tub_frame_recipe *recipe, int *tile_rows, int *tile_columns);

// Whether a frame of a run lies in that memory.
bool tub_gpu_frames_has(const tub_backend *backend, const void *frame);

#endif
