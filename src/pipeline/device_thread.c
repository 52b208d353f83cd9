// A device thread: takes loads, encodes them on its device, gives their slots back, puts the rows down for delivery.
//
// A device that fails while others work gives its load back, once, and is done; a load on which a second one fails is
// given up with its videos. The last device that fails ends the extraction.
#include <stdio.h>
#include <string.h>

#include "clock.h"
#include "delivery.h"
#include "encoder_impl.h"
#include "fail.h"
#include "idle.h"
#include "memory.h"

// The thread's own: scratch for one load.
typedef struct device {
    tub_extractor *x;
    int number;
    tub_lane *lane;
    const void **frames; // batch * frames pointers
    bool *made;          // likewise: which a GPU has made; NULL where none makes any
    int *positions;      // batch * frames, where frames have their place in the video; else NULL
    int64_t *numbers;    // of the frames of a clip
    double waited;       // for the load at hand
} device;

// Where the frames of the load's clips stand in their videos.
static void fill_in_positions(device *d, const tub_load *load)
{
    const int frames = d->x->info->frames;
    int *to = d->positions;
    for (int i = 0; i < load->count; i++) {
        const tub_entry *entry = &load->entries[i];
        if (entry->kind != TUB_ENTRY_CLIP)
            continue;
        tub_sampling_clip(&d->x->sampling, entry->reel->total, entry->first, d->numbers);
        for (int k = 0; k < frames; k++)
            *to++ = tub_position_in_video(d->numbers[k], entry->reel->total);
    }
}

static tub_status run_encoder(device *d, const tub_load *load, float *rows, tub_error *err)
{
    if (d->positions)
        fill_in_positions(d, load);
    return tub_encoder_run_lane(d->x->encoder, d->number, d->frames, d->made, d->positions, load->items, rows, err);
}

static void trace_depths(device *d)
{
    if (!d->lane)
        return;
    tub_lane_count(d->lane, "clips ready", tub_batcher_count(d->x->batcher));
    tub_lane_count(d->lane, "free slots", tub_slot_pool_free_count(d->x->pool));
}

// How much of the processors the pass had, the encoder's own threads included: what its lane's processor time leaves
// out.
static void end_forward(device *d, int items, double seconds, double cpu)
{
    char text[40];
    if (!d->lane)
        return;
    snprintf(text, sizeof text, "%.2f processors", seconds > 0 ? cpu / seconds : 0);
    tub_lane_end(d->lane, text, items);
}

// The slots stay counted where it fails: another may do it.
static tub_status encode(device *d, tub_encoded *e, tub_error *err)
{
    const tub_load *load = &e->load;
    if (load->items == 0)
        return TUB_OK;
    e->rows = tub_alloc_aligned((size_t)load->items * (size_t)d->x->info->dim, sizeof *e->rows);
    if (!e->rows)
        return tub_fail_memory(err, "a batch of rows");
    int slots = load->items * d->x->info->frames;
    for (int i = 0; i < slots; i++)
        d->frames[i] = d->x->gpu_slots ? tub_gpu_slots_frame(d->x->gpu_slots, d->number, load->slots[i], &d->made[i])
                                       : tub_slot_pool_memory(d->x->pool, load->slots[i]);
    trace_depths(d);
    const double start = tub_now(), cpu = tub_thread_cpu(), helpers = d->lane ? tub_extractor_encoder_cpu(d->x) : 0;
    tub_lane_begin(d->lane, "forward");
    tub_status status = run_encoder(d, load, e->rows, err);
    e->seconds = tub_now() - start;
    tub_count_seconds(&d->x->counters.forward, e->seconds);
    const double own = tub_thread_cpu() - cpu;
    tub_count_seconds(&d->x->counters.forward_cpu, own);
    end_forward(d, load->items, e->seconds, own + (d->lane ? tub_extractor_encoder_cpu(d->x) - helpers : 0));
    atomic_fetch_add_explicit(&d->x->counters.batches, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&d->x->counters.items, load->items, memory_order_relaxed);
    if (status == TUB_OK)
        tub_slot_pool_release_all(d->x->pool, load->slots, slots);
    return status;
}

static bool take(device *d, tub_load *load)
{
    tub_idle_mark mark;
    tub_idle_begin(&d->x->counters, &mark);
    bool taken = tub_batcher_take_own(d->x->batcher, d->x->gpu_slots ? 1 + d->number : 0, load);
    double seconds = tub_idle_end(&d->x->counters, &mark);
    tub_lane_took(d->lane, "wait for clips", seconds);
    d->waited = seconds;
    return taken;
}

// What becomes of a load on which this device failed. False: the thread ends.
static bool handle_failure(device *d, tub_encoded *e, tub_error *err)
{
    tub_extractor *x = d->x;
    tub_free(e->rows);
    e->rows = NULL;
    const bool last = atomic_fetch_sub(&x->devices_working, 1) == 1;
    if (last || err->status == TUB_ERROR_CANCELLED) {
        tub_extractor_fail(x, err);
        return false;
    }
    tub_extractor_lost(x, d->number, err);
    if (e->load.failures++ == 0) {
        tub_batcher_give_back(x->batcher, &e->load);
        return false;
    }
    tub_slot_pool_release_all(x->pool, e->load.slots, e->load.items * x->info->frames);
    e->status = tub_fail_within(err, err->status, "two devices failed on it");
    e->error = *err;
    tub_delivery_put(x->delivery, e, d->lane);
    return false;
}

static void work(device *d)
{
    tub_encoded e = {0};
    tub_error err = {0};
    while (take(d, &e.load)) {
        e = (tub_encoded){.load = e.load};
        tub_extractor_encoding(d->x, true);
        const tub_status status = encode(d, &e, &err);
        tub_extractor_encoding(d->x, false);
        double part = 0;
        if (status == TUB_OK && tub_core_share_note(d->x->share, d->waited, e.seconds, &part))
            tub_extractor_shares_anew(d->x, part);
        if (status != TUB_OK ? !handle_failure(d, &e, &err) : !tub_delivery_put(d->x->delivery, &e, d->lane))
            return;
    }
}

static bool allocate(device *d)
{
    const tub_encoder_info *info = d->x->info;
    const size_t batch = (size_t)info->batch;
    const bool placed = info->positions == TUB_POSITIONS_VIDEO;
    d->frames = tub_calloc(batch, (size_t)info->frames * sizeof *d->frames);
    if (d->x->gpu_slots)
        d->made = tub_calloc(batch, (size_t)info->frames * sizeof *d->made);
    if (placed) {
        d->positions = tub_calloc(batch, (size_t)info->frames * sizeof *d->positions);
        d->numbers = tub_calloc((size_t)info->frames, sizeof *d->numbers);
    }
    return d->frames && (!d->x->gpu_slots || d->made) && (!placed || (d->positions && d->numbers));
}

void *tub_device_thread(void *argument)
{
    const tub_device_start *start = argument;
    device d = {.x = start->x, .number = start->number, .lane = tub_trace_lane(start->x->trace, "device")};
    tub_error err;
    if (allocate(&d)) {
        work(&d);
    } else {
        tub_fail_memory(&err, "a batch of frames");
        tub_extractor_fail(d.x, &err);
    }
    if (atomic_fetch_sub(&d.x->devices_running, 1) == 1)
        tub_queue_finish(d.x->results);
    tub_free(d.frames);
    tub_free(d.made);
    tub_free(d.positions);
    tub_free(d.numbers);
    return NULL;
}
