#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <tubelet/checkpoint.h>

#include "fail.h"
#include "plan_impl.h"
#include "resource_plan.h"
#include "slot_pool.h"
#include "team.h"

static const double mebi = 1024 * 1024;

static tub_plan_bound *add(tub_plan *p, const char *name, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
static tub_plan_bound *add(tub_plan *p, const char *name, const char *format, ...)
{
    tub_plan_bound *b = &p->bounds[p->bound_count++];
    *b = (tub_plan_bound){.name = name};
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(b->value, sizeof b->value, format, arguments);
    va_end(arguments);
    return b;
}

static void because(tub_plan_bound *b, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void because(tub_plan_bound *b, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(b->reason, sizeof b->reason, format, arguments);
    va_end(arguments);
}

static void bound_workers(tub_plan *p, const tub_plan_params *params, const tub_resource_plan *r, int processors)
{
    tub_plan_bound *b = add(p, "decode threads", "%d", r->workers);
    if (r->workers < r->asked_workers)
        because(b, "of %d, as the slot memory holds no more open videos", r->asked_workers);
    else if (params->extractor.decode_threads > 0)
        because(b, "as asked for");
    else if (params->extractor.decoder == TUB_DECODER_BOTH)
        because(b, "one a processor of %d and %d for each GPU's decoders, at most %d", processors, TUB_NVDEC_BUSY,
                r->most_workers);
    else
        because(b, "one a processor of %d, at most %d%s", processors, r->most_workers,
                r->adapt ? "; how many work at once follows what the device waits for" : "");
}

static void bound_batch(tub_plan *p, const tub_plan_params *params, const tub_resource_plan *r)
{
    const tub_encoder_info *info = params->info;
    const char *items = info->per_frame ? "frames" : "clips";
    const int lanes = info->lanes > 1 ? info->lanes : 1;
    tub_plan_bound *b = add(p, "batch", "%d %s%s", info->batch, items, lanes > 1 ? " a GPU" : "");
    if (params->asked.batch)
        because(b, "as asked for");
    else
        because(b, "the usual for %s models, as far as its workspace stays in bounds",
                info->per_frame ? "frame" : "clip");
    b = add(p, "prefetch", "%d %s", r->ready - lanes * info->batch, items);
    because(b, params->extractor.prefetch > 0 ? "as asked for" : lanes > 1 ? "a batch for each GPU" : "a batch");
}

static void bound_slots(tub_plan *p, const tub_resource_plan *r)
{
    int enough = tub_slots_enough(r->workers, r->ready, r->pinned);
    double bytes = (double)r->slots * (double)r->slot_bytes;
    tub_plan_bound *b = add(p, "frame slots", "%d, %.1f MiB", r->slots, bytes / mebi);
    if (r->slots < enough)
        because(b, "of %d that would always do, as the slot memory holds no more: batches may be sealed early", enough);
    else
        because(b, "enough for %d open video%s of %d frame%s each and for a batch and its prefetch; %.2f MiB a frame",
                r->workers, r->workers == 1 ? "" : "s", r->pinned, r->pinned == 1 ? "" : "s",
                (double)r->slot_bytes / mebi);
    p->info.memory += (size_t)bytes;
}

static void bound_memory(tub_plan *p, const tub_plan_params *params, size_t usable)
{
    tub_description *d = NULL;
    tub_encoder_params asked = params->asked;
    asked.batch = params->info->batch;
    double weights = 0, workspace = 0;
    // Custom models are OpenVINO's: asking it would compile them once more.
    if (strcmp(params->info->backend, "openvino") && tub_describe(&asked, &d, NULL) == TUB_OK) {
        weights = (double)tub_description_get_info(d)->weight_bytes;
        workspace = (double)tub_description_get_info(d)->workspace_bytes;
    }
    tub_description_close(&d);
    p->info.memory += (size_t)(weights + workspace);
    tub_plan_bound *b = add(p, "memory", "%.0f MiB", (double)p->info.memory / mebi);
    because(b, "weights %.0f, workspace %.0f, slots %.0f, on %s; %.0f usable", weights / mebi, workspace / mebi,
            ((double)p->info.memory - weights - workspace) / mebi, params->info->device, (double)usable / mebi);
}

tub_status tub_plan_bounds(tub_plan *p, const tub_plan_params *params, tub_error *err)
{
    tub_resource_plan r;
    int processors = tub_usable_processors(), threads = params->asked.threads;
    size_t usable = tub_usable_memory();
    TUB_TRY(tub_resource_plan_make(params->info, &p->sampling, &params->extractor, processors, usable, &r, err));
    because(add(p, "processors", "%d", processors), "affinity mask and control group: tubelet doctor has both");
    because(add(p, "compute threads", "%d", threads ? threads : processors),
            threads ? "as asked for" : "one a processor");
    because(add(p, "precision", "%s on %s", tub_dtype_name(params->info->dtype), params->info->backend),
            params->asked.dtype == TUB_DTYPE_AUTO ? "the best that is there" : "asked for, tuned, or the folder's");
    bound_workers(p, params, &r, processors);
    bound_batch(p, params, &r);
    bound_slots(p, &r);
    bound_memory(p, params, usable);
    return TUB_OK;
}
