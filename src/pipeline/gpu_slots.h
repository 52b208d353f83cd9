// Slots on GPUs. Where the encoder's GPUs themselves make pixels from decoded frames, each slot of the pool also has a
// place on each GPU: with the same number and count, free at the same time. Here it is recorded which of these places
// holds the frame. A lane gathers its clips from its own places without a copy.
//
// A made frame isn't pixels: it is what the encoder computes from them first. With one lane it stays where it was made.
// With several lanes it is copied to the host's slot at once, as it is: each lane prefers its own clips, but any lane
// may take them, and a frame isn't lost with the GPU that made it.
//
// A GPU that fails at making frames makes no more. They are then converted on the host, which is logged once.
//
// Thread-safety: make() from any thread, for slots that it holds; frame() after the slot was handed over.
#ifndef TUB_GPU_SLOTS_H
#define TUB_GPU_SLOTS_H

#include <tubelet/encoder.h>

#include "slot_pool.h"
#include "source.h"

typedef struct tub_gpu_slots tub_gpu_slots;

// Bytes that a slot of the host needs for frames that the encoder's GPUs have made; 0: none.
size_t tub_gpu_slots_host_bytes(const tub_encoder *encoder);

// `pool` has `slots` slots. `log` is called from any thread that makes frames. All are borrowed. TUB_END: the encoder
// makes no frames. Errors: those of the GPUs.
tub_status tub_gpu_slots_open(tub_encoder *encoder, const tub_slot_pool *pool, int slots, const tub_log *log,
                              tub_gpu_slots **out, tub_error *err);
void tub_gpu_slots_close(tub_gpu_slots **slots); // accepts NULL

// Makes the source's current frame in the slot, on the lane's GPU. `with_host`: even if the frame is on the host.
// TUB_END: not this frame, or not on this GPU; fill the host's slot instead. Errors: the source's.
tub_status tub_gpu_slots_make(tub_gpu_slots *slots, int lane, const tub_source_ops *ops, void *source, bool with_host,
                              int slot, tub_error *err);
// What to give the lane's run for the slot. *made: whether any GPU has made the frame.
const void *tub_gpu_slots_frame(const tub_gpu_slots *slots, int lane, int slot, bool *made);

#endif
