#include "resource_plan.h"

#include <limits.h>
#include <stdint.h>
#include <string.h>

#include "fail.h"
#include "slot_pool.h"
#include "windower.h"

enum {
    MOST_WORKERS = 256,
    // Workers chosen per device. With more, decoding outruns any encoder on the processor. On a GPU, a model of
    // VideoMAE-B's size takes tens of thousands of frames a second, and one processor decodes one or two thousand. A
    // GPU that decodes has only a handful of engines for it, and each open video takes some of its memory.
    CPU_WORKERS = 8,
    GPU_WORKERS = 32,
    NVDEC_WORKERS = 16,
    MOST_READY = 4096,
};

static const size_t mebibyte = (size_t)1 << 20;

static int least_of(int64_t a, int64_t b)
{
    return (int)(a < b ? a : b);
}

static int lanes_of(const tub_encoder_info *info)
{
    return info->lanes > 1 ? info->lanes : 1;
}

static int most_chosen(const tub_encoder_info *info, tub_decoder decoder)
{
    const bool on_gpu = info->device && !strcmp(info->device, "cuda");
    const int each = !on_gpu ? CPU_WORKERS : decoder == TUB_DECODER_NVDEC ? NVDEC_WORKERS : GPU_WORKERS;
    return least_of((int64_t)each * lanes_of(info), MOST_WORKERS);
}

// Workers that need no processor, because they wait for GPUs' decoders.
static int waiting_workers(const tub_encoder_info *info, tub_decoder decoder)
{
    return decoder == TUB_DECODER_BOTH ? TUB_NVDEC_BUSY * lanes_of(info) : 0;
}

// More workers than the usual few are of no use if they hold the slots that batches need.
static int choose_workers(const tub_resource_plan *plan, const tub_encoder_info *info, int processors, size_t fit)
{
    const int usual = CPU_WORKERS * lanes_of(info);
    int workers = least_of(processors, plan->most_workers);
    while (workers > usual && (size_t)tub_slots_enough(workers, plan->ready, plan->pinned) > fit)
        workers--;
    return workers;
}

static size_t choose_memory(size_t asked, size_t memory, int lanes)
{
    if (asked > 0)
        return asked;
    const size_t most = (size_t)lanes * 512 * mebibyte;
    return memory / 8 < most ? memory / 8 : most;
}

static int pinned_slots(const tub_encoder_info *info, const tub_sampling *s)
{
    int64_t held = info->per_frame ? 1 : tub_windower_most_held(s);
    if (s->fps > 0)
        held += 2;
    return least_of(held, INT_MAX);
}

static tub_status no_room(const tub_resource_plan *plan, const tub_sampling *s, size_t limit, tub_error *err)
{
    double slot = (double)plan->slot_bytes / (double)mebibyte;
    double need = slot * tub_slots_least(1, plan->pinned);
    return tub_fail(
        err, TUB_ERROR_MEMORY,
        "clips of %d frames, interval %d, stride %d need %d frame slots of %.2f MiB, %.1f MiB, but the slot "
        "memory is limited to %.1f MiB: allow more, or take shorter clips or a smaller interval",
        s->clip_length, s->interval, s->stride, tub_slots_least(1, plan->pinned), slot, need,
        (double)limit / (double)mebibyte);
}

tub_status tub_resource_plan_make(const tub_encoder_info *info, const tub_sampling *s,
                                  const tub_extractor_params *params, int processors, size_t memory,
                                  tub_resource_plan *out, tub_error *err)
{
    tub_resource_plan plan = {.slot_bytes = (info->pixel_bytes + 63) / 64 * 64, .pinned = pinned_slots(info, s)};
    size_t limit = choose_memory(params->slot_memory, memory, lanes_of(info));
    size_t fit = limit / plan.slot_bytes;
    int batch = least_of((int64_t)(info->batch > 0 ? info->batch : 1) * lanes_of(info), INT_MAX / 4); // of all devices
    int prefetch = params->prefetch > 0 ? least_of(params->prefetch, MOST_READY) : batch;

    plan.adapt = params->decode_threads <= 0 && info->eager; // only an encoder on the processor gains from it
    plan.ready = least_of((int64_t)batch + prefetch, INT_MAX / 2);
    const int waiting = waiting_workers(info, params->decoder);
    plan.most_workers = least_of((int64_t)most_chosen(info, params->decoder) + waiting, MOST_WORKERS);
    plan.workers = params->decode_threads > 0 ? least_of(params->decode_threads, MOST_WORKERS)
                                              : choose_workers(&plan, info, processors + waiting, fit);
    plan.asked_workers = plan.workers;
    while (plan.workers > 0 && (size_t)tub_slots_least(plan.workers, plan.pinned) > fit)
        plan.workers--;
    if (plan.workers == 0)
        return no_room(&plan, s, limit, err);
    int enough = tub_slots_enough(plan.workers, plan.ready, plan.pinned);
    plan.slots = (size_t)enough < fit ? enough : (int)fit;
    plan.jobs = 2 * plan.workers + least_of(batch, MOST_READY);
    *out = plan;
    return TUB_OK;
}
