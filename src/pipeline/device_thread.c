#include <stdio.h>
#include <string.h>

#include "clock.h"
#include "extractor_impl.h"
#include "fail.h"
#include "idle.h"
#include "memory.h"
#include "unit_row.h"

// The device thread's own: scratch for one load.
typedef struct device {
    tub_extractor *x;
    tub_lane *lane;
    tub_reel *reel;      // whose rows are being made
    const void **frames; // batch * frames pointers
    float *rows;         // batch * dim
    int *positions;      // batch * frames, where frames have their place in the video; else NULL
    int64_t *numbers;    // of the frames of a clip
    double waited;       // for the load at hand
    bool closed;         // nobody takes results any more
} device;

static bool send(device *d, const tub_result *result)
{
    double start = tub_now();
    if (tub_queue_send(d->x->results, result) != TUB_OK)
        d->closed = true;
    double seconds = tub_now() - start;
    tub_count_seconds(&d->x->counters.output_wait, seconds);
    tub_lane_took(d->lane, "wait for the writer", seconds);
    return !d->closed;
}

static bool send_chunk(device *d, tub_reel *reel)
{
    if (reel->chunk_rows == 0)
        return true;
    tub_result result = {.kind = TUB_RESULT_ROWS,
                         .tag = reel->tag,
                         .rows = reel->chunk,
                         .first_row = reel->rows - reel->chunk_rows,
                         .count = reel->chunk_rows,
                         .dim = d->x->info->dim};
    if (!send(d, &result))
        return false;
    reel->chunk = NULL; // the result's now
    reel->chunk_rows = 0;
    return true;
}

static void drop_rows(tub_reel *reel)
{
    tub_free(reel->chunk);
    reel->chunk = NULL;
    reel->chunk_rows = 0;
}

static bool add_row(void *user, int64_t row, const float *values)
{
    device *d = user;
    tub_reel *reel = d->reel;
    size_t dim = (size_t)d->x->info->dim;
    if (row != reel->rows) {
        reel->trouble = tub_fail(&reel->trouble_error, TUB_ERROR_INTERNAL, "row %lld came as row %lld", (long long)row,
                                 (long long)reel->rows);
        return false;
    }
    if (!reel->chunk)
        reel->chunk = tub_alloc_aligned((size_t)d->x->chunk_rows * dim, sizeof *reel->chunk);
    if (!reel->chunk) {
        reel->trouble = tub_fail_memory(&reel->trouble_error, "the rows of a video");
        return false;
    }
    float *to = reel->chunk + (size_t)reel->chunk_rows * dim;
    memcpy(to, values, dim * sizeof *values);
    // A clip model's rows come as they shall be.
    if (d->x->info->l2_normalize && d->x->info->per_frame)
        tub_make_unit(to, dim);
    reel->chunk_rows++;
    reel->rows++;
    atomic_fetch_add_explicit(&d->x->counters.rows, 1, memory_order_relaxed);
    return reel->chunk_rows < d->x->chunk_rows || send_chunk(d, reel);
}

static void add_item(device *d, const tub_entry *entry, const float *values)
{
    tub_reel *reel = d->reel = entry->reel;
    if (reel->trouble != TUB_OK || entry->kind == TUB_ENTRY_AGAIN)
        return;
    tub_status status = TUB_OK;
    if (entry->kind == TUB_ENTRY_CLIP)
        add_row(d, entry->first, values);
    else
        status = tub_frame_rows_add(reel->frame_rows, values, entry->first, entry->count, entry->kind == TUB_ENTRY_LAST,
                                    add_row, d, &reel->trouble_error);
    if (status < 0)
        reel->trouble = status;
    if (reel->trouble != TUB_OK)
        drop_rows(reel);
}

// Frame models: windows that only the end of the video completes.
static void finish_frames(device *d, tub_reel *reel)
{
    d->reel = reel;
    tub_status status = tub_frame_rows_finish(reel->frame_rows, reel->frames, add_row, d, &reel->trouble_error);
    if (status < 0)
        reel->trouble = status;
}

static tub_status judge(const device *d, tub_reel *reel, int64_t total)
{
    if (reel->status != TUB_OK)
        return reel->status;
    if (reel->trouble != TUB_OK) {
        reel->error = reel->trouble_error;
        tub_fail_within(&reel->error, reel->trouble, "%s", reel->path);
    } else if (reel->rows != total && !d->closed) {
        reel->trouble = tub_fail(&reel->error, TUB_ERROR_INTERNAL, "%s: %lld rows instead of %lld", reel->path,
                                 (long long)reel->rows, (long long)total);
    }
    return reel->trouble;
}

static void fill_in_done(const device *d, tub_reel *reel, tub_result *done)
{
    const tub_sampling *s = &d->x->sampling;
    int64_t rows = tub_sampling_rows(s, reel->frames);
    int64_t span = (int64_t)(s->clip_length - 1) * s->interval + 1;
    done->kind = TUB_RESULT_DONE;
    done->tag = reel->tag;
    done->info = reel->info;
    done->frames = reel->frames;
    done->fps = s->fps > 0 ? s->fps : reel->info.fps;
    done->is_short = reel->frames < span;
    done->dim = d->x->info->dim;
    done->status = judge(d, reel, rows);
    done->total_rows = done->status == TUB_OK ? rows : 0;
    const char *text = done->status != TUB_OK ? reel->error.text : reel->info.partial ? reel->info.reason : "";
    snprintf(done->text, sizeof done->text, "%s", text);
    done->init_seconds = reel->init_seconds;
    done->decode_seconds = reel->decode_seconds;
    done->convert_seconds = reel->convert_seconds;
    done->forward_seconds = reel->forward_seconds;
    done->wall_seconds = tub_now() - reel->started;
}

static void end_reel(device *d, tub_reel *reel)
{
    tub_result done = {0};
    if (reel->status == TUB_OK && reel->trouble == TUB_OK && reel->frame_rows)
        finish_frames(d, reel);
    fill_in_done(d, reel, &done);
    if (done.status == TUB_OK)
        send_chunk(d, reel);
    if (!d->closed)
        send(d, &done);
    tub_reel_release(d->x, reel);
}

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

static tub_status run_encoder(device *d, const tub_load *load, tub_error *err)
{
    if (!d->positions)
        return tub_encoder_run(d->x->encoder, d->frames, load->items, d->rows, NULL, err);
    fill_in_positions(d, load);
    return tub_encoder_run_at(d->x->encoder, d->frames, d->positions, load->items, d->rows, NULL, err);
}

static void trace_depths(device *d)
{
    if (!d->lane)
        return;
    tub_lane_count(d->lane, "clips ready", tub_batcher_count(d->x->batcher));
    tub_lane_count(d->lane, "free slots", tub_slot_pool_free_count(d->x->pool));
}

static tub_status encode(device *d, const tub_load *load, double *seconds, tub_error *err)
{
    int slots = load->items * d->x->info->frames;
    for (int i = 0; i < slots; i++)
        d->frames[i] = tub_slot_pool_memory(d->x->pool, load->slots[i]);
    trace_depths(d);
    double start = tub_now();
    tub_lane_begin(d->lane, "forward");
    tub_status status = run_encoder(d, load, err);
    tub_lane_end(d->lane, NULL, load->items);
    *seconds = tub_now() - start;
    tub_count_seconds(&d->x->counters.forward, *seconds);
    atomic_fetch_add_explicit(&d->x->counters.batches, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&d->x->counters.items, load->items, memory_order_relaxed);
    tub_slot_pool_release_all(d->x->pool, load->slots, slots);
    return status;
}

static void deliver(device *d, const tub_load *load, double seconds)
{
    const float *values = d->rows;
    for (int i = 0; i < load->count && !d->closed; i++) {
        const tub_entry *entry = &load->entries[i];
        if (entry->kind == TUB_ENTRY_END) {
            end_reel(d, entry->reel);
            continue;
        }
        entry->reel->forward_seconds += seconds / load->items;
        add_item(d, entry, values);
        values += d->x->info->dim;
    }
}

static bool take(device *d, tub_load *load)
{
    tub_idle_mark mark;
    tub_idle_begin(&d->x->counters, &mark);
    bool taken = tub_batcher_take(d->x->batcher, load);
    double seconds = tub_idle_end(&d->x->counters, &mark);
    tub_lane_took(d->lane, "wait for clips", seconds);
    d->waited = seconds;
    return taken;
}

static void work(device *d)
{
    tub_load load;
    tub_error err = {0};
    while (!d->closed && take(d, &load)) {
        double seconds = 0;
        tub_extractor_encoding(d->x, true);
        tub_status status = load.items > 0 ? encode(d, &load, &seconds, &err) : TUB_OK;
        tub_extractor_encoding(d->x, false);
        if (status != TUB_OK) {
            tub_extractor_fail(d->x, &err);
            break;
        }
        tub_core_share_note(d->x->share, d->waited, seconds);
        deliver(d, &load, seconds);
    }
}

void *tub_device_thread(void *extractor)
{
    tub_extractor *x = extractor;
    const tub_encoder_info *info = x->info;
    size_t batch = (size_t)info->batch;
    device d = {.x = x, .lane = tub_trace_lane(x->trace, "device")};
    tub_error err;
    d.frames = tub_calloc(batch, (size_t)info->frames * sizeof *d.frames);
    d.rows = tub_alloc_aligned(batch * (size_t)info->dim, sizeof *d.rows);
    const bool placed = info->positions == TUB_POSITIONS_VIDEO;
    if (placed) {
        d.positions = tub_calloc(batch, (size_t)info->frames * sizeof *d.positions);
        d.numbers = tub_calloc((size_t)info->frames, sizeof *d.numbers);
    }
    if (d.frames && d.rows && (!placed || (d.positions && d.numbers))) {
        work(&d);
    } else {
        tub_fail_memory(&err, "a batch of rows");
        tub_extractor_fail(x, &err);
    }
    tub_queue_finish(x->results);
    tub_free(d.rows);
    tub_free(d.frames);
    tub_free(d.positions);
    tub_free(d.numbers);
    return NULL;
}
