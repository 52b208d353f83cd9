#include "resource_plan.h"

#include <limits.h>
#include <stdint.h>

#include "fail.h"
#include "slot_pool.h"
#include "windower.h"

enum {
    MOST_WORKERS = 256,
    CHOSEN_WORKERS = 8, // beyond this, decoding outruns any encoder of this library
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

// Decoding outruns any encoder on the processor with so many; each GPU takes as many again.
static int choose_workers(int asked, int processors, const tub_encoder_info *info)
{
    if (asked > 0)
        return least_of(asked, MOST_WORKERS);
    return least_of(processors, (int64_t)CHOSEN_WORKERS * lanes_of(info));
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

    plan.adapt = params->decode_threads <= 0 && info->eager; // only an encoder on the processor gains by it
    plan.asked_workers = plan.workers = choose_workers(params->decode_threads, processors, info);
    while (plan.workers > 0 && (size_t)tub_slots_least(plan.workers, plan.pinned) > fit)
        plan.workers--;
    if (plan.workers == 0)
        return no_room(&plan, s, limit, err);
    int enough = tub_slots_enough(plan.workers, least_of((int64_t)batch + prefetch, INT_MAX), plan.pinned);
    plan.slots = (size_t)enough < fit ? enough : (int)fit;
    plan.ready = least_of((int64_t)batch + prefetch, INT_MAX / 2);
    plan.jobs = 2 * plan.workers + least_of(batch, MOST_READY);
    *out = plan;
    return TUB_OK;
}
