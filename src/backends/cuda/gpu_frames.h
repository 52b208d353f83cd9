// Frames on a GPU: decoded ones become a model's patch vectors there, in one launch, in memory that holds as many frames as
// the pipeline has slots. A run puts its clips together from them as they lie.
//
// A frame may be part of several clips, whose patches span several frames: so a made frame has the patch vectors of its own
// pixels, in the type of the first product's factors, and a clip's are copies of them.
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
size_t tub_gpu_frames_bytes(const tub_executable *executable);
tub_status tub_gpu_frames_hold(tub_executable *executable, size_t bytes, void **out, tub_error *err);
void tub_gpu_frames_drop(tub_backend *backend); // also when none are held
tub_status tub_gpu_frames_make(tub_backend *backend, const tub_frame_recipe *recipe, const tub_frame_planes *planes,
                               void *at, void *host, tub_error *err);

// tub_gpu_frames_hold() of any form, whose table stays the caller's.
tub_status tub_gpu_frames_hold_as(tub_backend *backend, const tub_gpu_form *form, size_t bytes, void **out,
                                  tub_error *err);

// Whether a frame of a run lies in that memory.
bool tub_gpu_frames_has(const tub_backend *backend, const void *frame);
// Bytes and type of the frames that this backend, or another that is like it, has made for the executable's program. 0: none
// are held.
size_t tub_gpu_frames_held(const tub_executable *executable, tub_gpu_type *type);

#endif
