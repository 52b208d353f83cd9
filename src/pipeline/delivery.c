#include "delivery.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "clock.h"
#include "fail.h"
#include "memory.h"
#include "unit_row.h"

// Holds an encoded load until its turn comes.
typedef struct place {
    bool filled;
    tub_encoded encoded;
} place;

struct tub_delivery {
    tub_extractor *x;
    pthread_mutex_t lock; // protects places, next and busy
    place *places;        // [loads], by number
    int loads;
    int64_t next; // number of the load whose turn it is
    bool busy;    // a thread is delivering
    // of the delivering thread
    tub_lane *lane;
    tub_reel *reel; // whose rows are being made
    bool closed;    // nobody takes results any more
};

static bool send(tub_delivery *d, const tub_result *result)
{
    double start = tub_now();
    if (tub_queue_send(d->x->results, result) != TUB_OK)
        d->closed = true;
    double seconds = tub_now() - start;
    tub_count_seconds(&d->x->counters.output_wait, seconds);
    tub_lane_took(d->lane, "wait for the writer", seconds);
    return !d->closed;
}

static bool send_chunk(tub_delivery *d, tub_reel *reel)
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
    reel->chunk = NULL; // now owned by the result
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
    tub_delivery *d = user;
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
    // A clip model's rows come normalized already.
    if (d->x->info->l2_normalize && d->x->info->per_frame)
        tub_make_unit(to, dim);
    reel->chunk_rows++;
    reel->rows++;
    atomic_fetch_add_explicit(&d->x->counters.rows, 1, memory_order_relaxed);
    return reel->chunk_rows < d->x->chunk_rows || send_chunk(d, reel);
}

static void add_item(tub_delivery *d, const tub_entry *entry, const float *values)
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

// Frame models: delivers windows that only the end of the video completes.
static void finish_frames(tub_delivery *d, tub_reel *reel)
{
    d->reel = reel;
    tub_status status = tub_frame_rows_finish(reel->frame_rows, reel->frames, add_row, d, &reel->trouble_error);
    if (status < 0)
        reel->trouble = status;
}

static tub_status judge(const tub_delivery *d, tub_reel *reel, int64_t total)
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

// The rate that the container states, if the timestamps agree. Matroska, WebM and MPEG-TS state one rate even if frames
// were left out of the video. AVI files that were made by copying streams (`ffmpeg -i v.mp4 -c copy v.avi`) have empty
// packets after each frame, and state two or many times the rate.
static double frame_rate(const tub_video_info *info)
{
    const double few_frames = 1.5; // AVI has no better timestamps if frames are reordered
    double seconds = info->last_pts - info->first_pts, steps = (double)info->frames - 1;
    if (!(seconds > 0 && steps > 0 && info->fps > 0))
        return info->fps;
    double times = round(info->fps * seconds / steps);
    if (times >= 2 && fabs(info->fps / times * seconds - steps) < few_frames)
        return info->fps / times;
    double off = fabs(seconds - steps / info->fps); // of the last frame
    return off > 1 || off > seconds / 10 ? steps / seconds : info->fps;
}

static void fill_in_done(const tub_delivery *d, tub_reel *reel, tub_result *done)
{
    const tub_sampling *s = &d->x->sampling;
    int64_t rows = tub_sampling_rows(s, reel->frames);
    int64_t span = (int64_t)(s->clip_length - 1) * s->interval + 1;
    done->kind = TUB_RESULT_DONE;
    done->tag = reel->tag;
    done->info = reel->info;
    done->frames = reel->frames;
    done->fps = s->fps > 0 ? s->fps : frame_rate(&reel->info);
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

static void end_reel(tub_delivery *d, tub_reel *reel)
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

// Two devices failed on the load: its videos fail, the others go on.
static void give_up(tub_reel *reel, const tub_encoded *e)
{
    if (reel->trouble != TUB_OK)
        return;
    reel->trouble = e->status;
    reel->trouble_error = e->error;
    drop_rows(reel);
}

static void deliver(tub_delivery *d, const tub_encoded *e)
{
    const tub_load *load = &e->load;
    const float *values = e->rows;
    for (int i = 0; i < load->count && !d->closed; i++) {
        const tub_entry *entry = &load->entries[i];
        if (entry->kind == TUB_ENTRY_END) {
            end_reel(d, entry->reel);
            continue;
        }
        entry->reel->forward_seconds += e->seconds / load->items;
        if (e->status != TUB_OK)
            give_up(entry->reel, e);
        else
            add_item(d, entry, values);
        values = values ? values + d->x->info->dim : NULL;
    }
}

tub_status tub_delivery_open(tub_extractor *x, int loads, tub_delivery **out, tub_error *err)
{
    tub_delivery *d = *out = tub_calloc(1, sizeof *d);
    if (!d)
        return tub_fail_memory(err, "the order of the results");
    pthread_mutex_init(&d->lock, NULL);
    d->x = x;
    d->loads = loads;
    d->places = tub_calloc((size_t)loads, sizeof *d->places);
    return d->places ? TUB_OK : tub_fail_memory(err, "the order of the results");
}

void tub_delivery_close(tub_delivery **delivery)
{
    if (!delivery || !*delivery)
        return;
    for (int i = 0; (*delivery)->places && i < (*delivery)->loads; i++)
        tub_free((*delivery)->places[i].encoded.rows);
    tub_free((*delivery)->places);
    pthread_mutex_destroy(&(*delivery)->lock);
    tub_free(*delivery);
    *delivery = NULL;
}

static void deliver_one(tub_delivery *d, place *p)
{
    pthread_mutex_unlock(&d->lock);
    deliver(d, &p->encoded);
    tub_free(p->encoded.rows);
    pthread_mutex_lock(&d->lock);
    const tub_load load = p->encoded.load;
    *p = (place){0};
    d->next++;
    tub_batcher_done(d->x->batcher, &load); // from now on its place may be filled again
}

bool tub_delivery_put(tub_delivery *d, const tub_encoded *encoded, tub_lane *lane)
{
    pthread_mutex_lock(&d->lock);
    d->places[encoded->load.number % d->loads] = (place){true, *encoded};
    const bool mine = !d->busy;
    if (mine) {
        d->busy = true;
        d->lane = lane;
        for (place *p; (p = &d->places[d->next % d->loads])->filled && !d->closed;)
            deliver_one(d, p);
        d->busy = false;
    }
    const bool open = !d->closed;
    pthread_mutex_unlock(&d->lock);
    return open;
}
