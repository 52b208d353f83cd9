// Slots on GPUs. Where the encoder's GPUs make pixels of decoded frames themselves, each slot of the pool has a place
// on each of them as well: the same number, the same count, free at the same time. Which of its places holds the frame
// is noted here, and a lane's clips are gathered from its own without a copy.
//
// A made frame isn't pixels but what the encoder makes of them first. With one lane it stays where it was made. With
// several it is copied to the host's slot at once, as it is: any lane, each of which prefers its own, may take the
// clip, and what a GPU made isn't lost with it.
//
// A GPU that fails at making frames makes no more; they are converted on the host then, which is said once.
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

// `pool`: of `slots` slots. `log`: called from any thread that makes frames. All borrowed. TUB_END: the encoder makes no
// frames. Errors: those of the GPUs.
tub_status tub_gpu_slots_open(tub_encoder *encoder, const tub_slot_pool *pool, int slots, const tub_log *log,
                              tub_gpu_slots **out, tub_error *err);
void tub_gpu_slots_close(tub_gpu_slots **slots); // accepts NULL

// The source's current frame into the slot, on the lane's GPU. `with_host`: also frames that are on the host. TUB_END:
// not this frame, or not on this GPU: the host's slot is to be filled. Errors: the source's.
tub_status tub_gpu_slots_make(tub_gpu_slots *slots, int lane, const tub_source_ops *ops, void *source, bool with_host,
                              int slot, tub_error *err);
// What the lane's run is to be given for the slot. *made: whether a GPU has made it, whichever.
const void *tub_gpu_slots_frame(const tub_gpu_slots *slots, int lane, int slot, bool *made);

#endif
