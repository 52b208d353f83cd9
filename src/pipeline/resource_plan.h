// The resource plan: how many workers and slots an extractor gets, decided once at open. By default there is one worker
// per processor, up to what a device can take. Where GPUs decode as well, there are some more, which wait for the GPUs.
// How many workers work at once follows the bottleneck.
//
// Let `pinned` be the slots that one open video may pin: those that its windower holds and, with fps resampling, those
// of the candidate that isn't decided yet and of the last frame that was. If memory allows, there are slots for every
// open video, the batch in flight and the clips that are ready beyond it. With less memory, there are fewer slots and
// batches are sealed early; with still less, fewer videos are open at once.
#ifndef TUB_RESOURCE_PLAN_H
#define TUB_RESOURCE_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <tubelet/extractor.h>

enum { TUB_NVDEC_BUSY = 8 }; // videos at once that keep a GPU's decoders busy

static inline bool tub_decodes_on_gpus(tub_decoder decoder)
{
    return decoder == TUB_DECODER_NVDEC || decoder == TUB_DECODER_BOTH;
}

typedef struct tub_resource_plan {
    int workers;            // decode workers; each decodes with one thread, the last videos with several
    bool adapt;             // the number wasn't asked for: fewer work at once if that is enough (core_share.h)
    int most_workers;       // limit of the default number
    int asked_workers;      // workers that there would be with more slot memory
    int pinned;             // slots that one video may pin
    int slots;
    size_t slot_bytes;
    int ready;              // most entries that wait for the device
    int jobs;               // most jobs that wait for a worker
} tub_resource_plan;

// `s` is resolved. `processors`, `memory`: what the process may use.
// Errors: TUB_ERROR_MEMORY if the slot memory can't hold the windows of a single video.
tub_status tub_resource_plan_make(const tub_encoder_info *info, const tub_sampling *s,
                                  const tub_extractor_params *params, int processors, size_t memory,
                                  tub_resource_plan *out, tub_error *err);

#endif
