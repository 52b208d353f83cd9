// A device thread: takes loads, encodes them on its device, gives their slots back, puts the rows down for delivery. If
// the encoder's runs overlap, a full load is begun while the one before is computed. Its frames travel meanwhile, and
// the device doesn't wait for this thread.
//
// A device that fails while others work gives its load back and stops. If a second device fails on a load, the load is
// given up with its videos. The last device that fails ends the extraction.
#include <stdio.h>
#include <string.h>

#include "clock.h"
#include "delivery.h"
#include "encoder_impl.h"
#include "fail.h"
#include "idle.h"
#include "memory.h"

// A load that the device has, and what is passed to its run.
typedef struct flight {
    tub_encoded encoded;
    const void **frames; // batch * frames pointers
    bool *made;          // likewise: which ones a GPU has made; NULL: GPUs make none
    int *positions;      // likewise, if the model wants positions in the video; else NULL
    tub_lane_run run;
    double waited;     // seconds, for the load
    tub_status status; // of beginning the run
    tub_error error;
} flight;

// The thread's own.
typedef struct device {
    tub_extractor *x;
    int number;
    tub_lane *lane;
    flight flights[TUB_LANE_RUNS]; // used in turn
    int first, count;              // those that the device has
    int64_t *numbers;              // of the frames of a clip
    double start, cpu, helpers;    // time when the first one's turn came, and processor time until then
} device;

static bool is_ahead(const device *d)
{
    return d->x->runs_ahead > 1;
}

// The positions of the load's clips' frames in their videos.
static void fill_in_positions(const device *d, const tub_load *load, int *to)
{
    const int frames = d->x->info->frames;
    for (int i = 0; i < load->count; i++) {
        const tub_entry *entry = &load->entries[i];
        if (entry->kind != TUB_ENTRY_CLIP)
            continue;
        tub_sampling_clip(&d->x->sampling, entry->reel->total, entry->first, d->numbers);
        for (int k = 0; k < frames; k++)
            *to++ = tub_position_in_video(d->numbers[k], entry->reel->total);
    }
}

static void trace_depths(device *d)
{
    if (!d->lane)
        return;
    tub_lane_count(d->lane, "clips ready", tub_batcher_count(d->x->batcher));
    tub_lane_count(d->lane, "free slots", tub_slot_pool_free_count(d->x->pool));
}

// ---- the turn of a load ----

// Some loads consist only of ends of videos.
static void begin_turn(device *d, const flight *f)
{
    if (f->encoded.load.items == 0)
        return;
    d->start = tub_now();
    d->cpu = tub_thread_cpu();
    d->helpers = d->lane ? tub_extractor_encoder_cpu(d->x) : 0;
    tub_lane_begin(d->lane, "forward");
}

// How much of the processors the pass used, including the encoder's own threads, which the lane's processor time leaves
// out.
static void trace_forward(const device *d, int items, double seconds, double cpu)
{
    char text[40];
    if (!d->lane)
        return;
    snprintf(text, sizeof text, "%.2f processors", seconds > 0 ? cpu / seconds : 0);
    tub_lane_end(d->lane, text, items);
}

static void end_turn(device *d, flight *f)
{
    if (f->encoded.load.items == 0)
        return;
    const double own = tub_thread_cpu() - d->cpu;
    f->encoded.seconds = tub_now() - d->start;
    tub_count_seconds(&d->x->counters.forward, f->encoded.seconds);
    tub_count_seconds(&d->x->counters.forward_cpu, own);
    atomic_fetch_add_explicit(&d->x->counters.batches, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&d->x->counters.items, f->run.items, memory_order_relaxed);
    trace_forward(d, f->run.items, f->encoded.seconds,
                  own + (d->lane ? tub_extractor_encoder_cpu(d->x) - d->helpers : 0));
}

// ---- from taking to encoded ----

static tub_status prepare(device *d, flight *f, tub_error *err)
{
    const tub_load *load = &f->encoded.load;
    const int slots = load->items * d->x->info->frames;
    f->run = (tub_lane_run){.frames = f->frames, .made = f->made, .positions = f->positions, .items = load->items};
    if (load->items == 0)
        return TUB_OK;
    f->run.rows = f->encoded.rows =
        tub_alloc_aligned((size_t)load->items * (size_t)d->x->info->dim, sizeof *f->encoded.rows);
    if (!f->run.rows)
        return tub_fail_memory(err, "a batch of rows");
    for (int i = 0; i < slots; i++)
        f->frames[i] = f->made ? tub_gpu_slots_frame(d->x->gpu_slots, d->number, load->slots[i], &f->made[i])
                               : tub_slot_pool_memory(d->x->pool, load->slots[i]);
    if (f->positions)
        fill_in_positions(d, load, f->positions);
    return TUB_OK;
}

static void begin(device *d, flight *f)
{
    trace_depths(d);
    f->status = prepare(d, f, &f->error);
    if (f->status == TUB_OK && f->run.items > 0 && is_ahead(d))
        f->status = tub_encoder_begin_lane(d->x->encoder, d->number, &f->run, &f->error);
}

static tub_status encode(device *d, flight *f, tub_error *err)
{
    if (f->status != TUB_OK)
        *err = f->error;
    if (f->status != TUB_OK || f->run.items == 0)
        return f->status;
    return is_ahead(d) ? tub_encoder_end_lane(d->x->encoder, d->number, &f->run, err)
                       : tub_encoder_run_lane(d->x->encoder, d->number, &f->run, err);
}

// Blocks only if there is nothing else to do.
static bool take(device *d, flight *f)
{
    const int home = d->x->gpu_slots ? 1 + d->number : 0;
    tub_idle_mark mark;
    f->encoded = (tub_encoded){0};
    f->waited = 0;
    if (d->count > 0)
        return tub_batcher_take_ahead(d->x->batcher, home, &f->encoded.load);
    tub_idle_begin(&d->x->counters, &mark);
    const bool taken = tub_batcher_take_own(d->x->batcher, home, &f->encoded.load);
    f->waited = tub_idle_end(&d->x->counters, &mark);
    tub_lane_took(d->lane, "wait for clips", f->waited);
    return taken;
}

// ---- failures ----

// Loads that were begun after one that failed go back unchanged.
static void give_up_the_rest(device *d, bool to_others)
{
    tub_error ignored;
    for (; d->count > 0; d->count--) {
        flight *f = &d->flights[d->first];
        d->first = (d->first + 1) % d->x->runs_ahead;
        (void)encode(d, f, &ignored); // after this, nothing reads its slots
        tub_free(f->encoded.rows);
        if (to_others)
            tub_batcher_give_back(d->x->batcher, &f->encoded.load);
    }
}

// Handles a load on which this device failed. The thread ends.
static void handle_failure(device *d, tub_encoded *e, tub_error *err)
{
    tub_extractor *x = d->x;
    tub_free(e->rows);
    e->rows = NULL;
    const bool last = atomic_fetch_sub(&x->devices_working, 1) == 1;
    if (last || err->status == TUB_ERROR_CANCELLED) {
        tub_extractor_fail(x, err);
        give_up_the_rest(d, false);
        return;
    }
    tub_extractor_lost(x, d->number, err);
    const bool first = e->load.failures++ == 0;
    if (first)
        tub_batcher_give_back(x->batcher, &e->load);
    give_up_the_rest(d, true);
    if (first)
        return;
    tub_slot_pool_release_all(x->pool, e->load.slots, e->load.items * x->info->frames);
    e->status = tub_fail_within(err, err->status, "two devices failed on it");
    e->error = *err;
    tub_delivery_put(x->delivery, e, d->lane);
}

// ---- the thread ----

// Finishes the load whose turn it is. False: the thread ends.
static bool finish(device *d)
{
    flight *f = &d->flights[d->first];
    tub_error err = {0};
    double part = 0;
    tub_extractor_encoding(d->x, true);
    const tub_status status = encode(d, f, &err);
    tub_extractor_encoding(d->x, false);
    end_turn(d, f);
    d->first = (d->first + 1) % d->x->runs_ahead;
    d->count--;
    if (status != TUB_OK) {
        handle_failure(d, &f->encoded, &err);
        return false;
    }
    tub_slot_pool_release_all(d->x->pool, f->encoded.load.slots, f->run.items * d->x->info->frames);
    if (d->count > 0)
        begin_turn(d, &d->flights[d->first]);
    if (tub_core_share_note(d->x->share, f->waited, f->encoded.seconds, &part))
        tub_extractor_shares_anew(d->x, part);
    return tub_delivery_put(d->x->delivery, &f->encoded, d->lane);
}

static void work(device *d)
{
    for (;;) {
        flight *next = &d->flights[(d->first + d->count) % d->x->runs_ahead];
        if (d->count < d->x->runs_ahead && take(d, next)) {
            if (d->count == 0)
                begin_turn(d, next);
            begin(d, next);
            d->count++;
        } else if (d->count == 0 || !finish(d)) {
            break;
        }
    }
    if (d->count > 0 && d->flights[d->first].encoded.load.items > 0)
        tub_lane_end(d->lane, NULL, -1);
    give_up_the_rest(d, false);
}

static bool allocate_flight(const device *d, flight *f)
{
    const tub_encoder_info *info = d->x->info;
    const size_t batch = (size_t)info->batch, frames = (size_t)info->frames;
    const bool placed = info->positions == TUB_POSITIONS_VIDEO;
    f->frames = tub_calloc(batch, frames * sizeof *f->frames);
    if (d->x->gpu_slots)
        f->made = tub_calloc(batch, frames * sizeof *f->made);
    if (placed)
        f->positions = tub_calloc(batch, frames * sizeof *f->positions);
    return f->frames && (!d->x->gpu_slots || f->made) && (!placed || f->positions);
}

static bool allocate(device *d)
{
    bool ok = true;
    d->numbers = tub_calloc((size_t)d->x->info->frames, sizeof *d->numbers);
    for (int i = 0; i < d->x->runs_ahead; i++)
        ok = allocate_flight(d, &d->flights[i]) && ok;
    return ok && d->numbers;
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
    for (int i = 0; i < TUB_LANE_RUNS; i++) {
        tub_free(d.flights[i].frames);
        tub_free(d.flights[i].made);
        tub_free(d.flights[i].positions);
    }
    tub_free(d.numbers);
    return NULL;
}
