// Frames on a GPU: one launch turns decoded frames into a model's patch vectors, in memory for as many frames as the
// pipeline has slots. A run assembles its clips from them where they are.
//
// A frame may be part of several clips, whose patches span several frames. So a made frame has the patch vectors of its
// own pixels, in the type of the first product's factors, and a clip's patch vectors are copies of them.
//
// Several threads make frames at once, each at its own desk: streams, the tables of the transforms used last, and
// memory for planes that come from the host. A thread that finds no free desk waits. The next one to get a desk makes
// all waiting frames of the same kind, too, in one launch. When make() returns, the frame exists and its planes are no
// longer needed.
//
// Thread-safety: make() from any thread; everything else as the backend's.
#ifndef TUB_GPU_FRAMES_H
#define TUB_GPU_FRAMES_H

#include "gpu_executable.h"

typedef struct tub_gpu_frames tub_gpu_frames;

// Functions of a backend's table: see backend.h.
size_t tub_gpu_frames_bytes(const tub_executable *executable);
tub_status tub_gpu_frames_hold(tub_executable *executable, size_t bytes, void **out, tub_error *err);
void tub_gpu_frames_drop(tub_backend *backend); // even if none are held
tub_status tub_gpu_frames_make(tub_backend *backend, const tub_frame_recipe *recipe, const tub_frame_planes *planes,
                               void *at, void *host, tub_error *err);

// tub_gpu_frames_hold() for any form; the caller keeps the form's table.
tub_status tub_gpu_frames_hold_as(tub_backend *backend, const tub_gpu_form *form, size_t bytes, void **out,
                                  tub_error *err);

// Whether a run's frame is in that memory.
bool tub_gpu_frames_has(const tub_backend *backend, const void *frame);
// Bytes and type of the frames that this backend, or another like it, has made for the executable's program. 0: no
// frames are held.
size_t tub_gpu_frames_held(const tub_executable *executable, tub_gpu_type *type);

#endif
