#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "clock.h"
#include "delivery.h"
#include "encoder_impl.h"
#include "extractor_impl.h"
#include "fail.h"
#include "idle.h"
#include "memory.h"
#include "params.h"
#include "team.h"
#include "window_again.h"

enum { RESULTS = 32, CHUNK_ROWS = 64, CHUNK_BYTES = 256 * 1024, LOADS_PER_DEVICE = 4 };

void tub_count_seconds(_Atomic int64_t *counter, double seconds)
{
    atomic_fetch_add_explicit(counter, (int64_t)(seconds * 1e9), memory_order_relaxed);
}

double tub_counted_seconds(_Atomic int64_t *counter)
{
    return (double)atomic_load_explicit(counter, memory_order_relaxed) / 1e9;
}

double tub_extractor_encoder_cpu(const tub_extractor *x)
{
    return x->encoder->ops->cpu ? x->encoder->ops->cpu(x->encoder) : 0;
}

static void starving(void *context, bool starved)
{
    tub_batcher_starving(context, starved);
}

static void stop_decoding(tub_extractor *x)
{
    atomic_store(&x->stopping, true);
    if (x->jobs)
        tub_queue_stop(x->jobs);
    if (x->pool)
        tub_slot_pool_stop(x->pool);
    if (x->batcher)
        tub_batcher_stop(x->batcher);
    if (x->share)
        tub_core_share_stop(x->share);
}

void tub_extractor_fail(tub_extractor *x, const tub_error *error)
{
    pthread_mutex_lock(&x->lock);
    x->failure = *error;
    x->failed = true;
    pthread_mutex_unlock(&x->lock);
    stop_decoding(x);
}

void tub_extractor_lost(tub_extractor *x, int device, const tub_error *error)
{
    tub_warn(&x->log, "GPU %d, one of %d, failed, the others take its work: %s", x->info->gpus[device], x->devices,
             error->text);
}

void tub_extractor_shares_anew(tub_extractor *x, double waited)
{
    tub_inform(&x->log, "%d of %d decoding threads work at once from here on: the encoder waited %.0f %% of the time",
               tub_core_share_allowed(x->share), x->plan.workers, 100 * waited);
}

void tub_extractor_decodes_itself(tub_extractor *x, const char *path, const char *why)
{
    bool fresh = true;
    pthread_mutex_lock(&x->lock);
    for (int i = 0; i < x->reasons; i++)
        fresh = fresh && strcmp(x->not_on_gpu[i], why) != 0;
    fresh = fresh && x->reasons < TUB_REASONS;
    if (fresh)
        snprintf(x->not_on_gpu[x->reasons++], sizeof *x->not_on_gpu, "%s", why);
    pthread_mutex_unlock(&x->lock);
    if (fresh)
        tub_warn(&x->log, "%s: decoded on the processor, as are others like it: %s", path, why);
}

void tub_extractor_encoding(tub_extractor *x, bool encoding)
{
    if (!(x->without & TUB_WITHOUT_OVERLAP))
        return;
    pthread_mutex_lock(&x->lock);
    x->encoding += encoding ? 1 : -1;
    pthread_cond_broadcast(&x->encoded);
    pthread_mutex_unlock(&x->lock);
}

void tub_extractor_stand(tub_extractor *x)
{
    if (!(x->without & TUB_WITHOUT_OVERLAP))
        return;
    pthread_mutex_lock(&x->lock);
    while (x->encoding)
        pthread_cond_wait(&x->encoded, &x->lock);
    pthread_mutex_unlock(&x->lock);
}

static void stop(tub_extractor *x)
{
    atomic_store(&x->cancelled, true);
    tub_encoder_interrupt(x->encoder, true);
    stop_decoding(x);
    if (x->results)
        tub_queue_stop(x->results);
}

void tub_extractor_cancel(tub_extractor *x)
{
    if (!x)
        return;
    atomic_store(&x->encoder->hurried, true);
    stop(x);
}

// A library's threads leave the process's signals to the program's threads.
static bool start_thread(pthread_t *thread, void *(*run)(void *), void *argument)
{
    sigset_t all, before;
    sigfillset(&all);
    if (pthread_sigmask(SIG_SETMASK, &all, &before) != 0)
        return false;
    bool ok = pthread_create(thread, NULL, run, argument) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return ok;
}

static tub_status start_threads(tub_extractor *x, tub_error *err)
{
    atomic_store(&x->devices_running, x->devices);
    atomic_store(&x->devices_working, x->devices);
    for (; x->started_devices < x->devices; x->started_devices++) {
        x->device_starts[x->started_devices] = (tub_device_start){x, x->started_devices};
        if (!start_thread(&x->device_threads[x->started_devices], tub_device_thread,
                          &x->device_starts[x->started_devices]))
            return tub_fail(err, TUB_ERROR_MEMORY, "a device thread can't be started: too many threads");
    }
    while (x->started_workers < x->plan.workers) {
        if (!start_thread(&x->workers[x->started_workers], tub_decode_worker, x))
            break;
        x->started_workers++;
    }
    if (x->started_workers == 0)
        return tub_fail(err, TUB_ERROR_MEMORY, "no decoding thread can be started: too many threads");
    if (x->started_workers < x->plan.workers)
        tub_warn(&x->log, "only %d of %d decoding threads could be started", x->started_workers, x->plan.workers);
    return TUB_OK;
}

static tub_status check_clip(const tub_encoder_info *info, const tub_sampling *s, tub_error *err)
{
    if (info->dim < 1 || info->pixel_bytes < 1 || info->frames < 1 || info->batch < 1)
        return tub_fail(err, TUB_ERROR_INTERNAL, "the encoder's info is incomplete");
    if (info->per_frame && info->frames != 1)
        return tub_fail(err, TUB_ERROR_INTERNAL, "a frame model with %d frames an item", info->frames);
    if (!info->per_frame && s->clip_length != info->frames)
        return tub_fail(err, TUB_ERROR_MODEL,
                        "windows of %d frames were asked for, but the model is open for clips of %d", s->clip_length,
                        info->frames);
    return TUB_OK;
}

// If NVDEC decodes, the GPU already has what frames are made from. Otherwise it makes frames only on request.
static bool makes_frames_on_gpus(const tub_extractor *x)
{
    return x->resizer == TUB_RESIZER_GPU || (x->resizer == TUB_RESIZER_AUTO && tub_decodes_on_gpus(x->decoder));
}

static tub_status resolve(tub_extractor *x, const tub_extractor_params *params, tub_error *err)
{
    tub_sampling asked = params->sampling;
    if (!x->info->per_frame && asked.clip_length == 0)
        asked.clip_length = x->info->frames;
    TUB_TRY(tub_sampling_resolve(&asked, x->info->clip_length, &x->sampling, err));
    TUB_TRY(check_clip(x->info, &x->sampling, err));
    TUB_TRY(tub_again_check(x->without, &x->sampling, err));
    tub_extractor_params planned = *params;
    tub_encoder_info slots = *x->info; // slots hold either form of a frame
    if (makes_frames_on_gpus(x) && tub_gpu_slots_host_bytes(x->encoder) > slots.pixel_bytes)
        slots.pixel_bytes = tub_gpu_slots_host_bytes(x->encoder);
    if (x->without & TUB_WITHOUT_MIXING)
        planned.decode_threads = 1;
    TUB_TRY(tub_resource_plan_make(&slots, &x->sampling, &planned, tub_usable_processors(), tub_usable_memory(),
                                   &x->plan, err));
    if (x->plan.workers < x->plan.asked_workers)
        tub_inform(&x->log, "the slot memory allows %d videos at once instead of %d", x->plan.workers,
                   x->plan.asked_workers);
    return TUB_OK;
}

static int choose_chunk_rows(int dim)
{
    size_t rows = CHUNK_BYTES / ((size_t)dim * sizeof(float));
    return rows < 1 ? 1 : rows > CHUNK_ROWS ? CHUNK_ROWS : (int)rows;
}

// If pinning isn't possible, the run goes on without it.
static void pin_slots(tub_extractor *x)
{
    void *memory = NULL;
    size_t bytes = 0;
    tub_error why = {0};
    tub_slot_pool_extent(x->pool, &memory, &bytes);
    const tub_status status = tub_encoder_pin(x->encoder, memory, bytes, &why);
    x->pinned = status == TUB_OK;
    if (status < 0)
        tub_inform(&x->log, "frames are copied to the device more slowly: %s", why.text);
}

static void unpin_slots(tub_extractor *x)
{
    void *memory = NULL;
    size_t bytes = 0;
    if (!x->pinned)
        return;
    tub_slot_pool_extent(x->pool, &memory, &bytes);
    tub_encoder_unpin(x->encoder, memory);
    x->pinned = false;
}

// If this isn't possible, the run goes on without it, unless it was asked for.
static tub_status open_gpu_slots(tub_extractor *x, tub_error *err)
{
    tub_error why = {0};
    if (!makes_frames_on_gpus(x))
        return TUB_OK;
    const tub_status status = tub_gpu_slots_open(x->encoder, x->pool, x->plan.slots, &x->log, &x->gpu_slots, &why);
    if (status == TUB_OK)
        return TUB_OK;
    if (status == TUB_END)
        tub_fail(&why, TUB_ERROR_DEVICE, "the encoder computes on %s", x->info->device);
    if (x->resizer == TUB_RESIZER_GPU)
        return tub_fail(err, why.status, "frames can't be resized on a GPU: %s: take `--resize auto`", why.text);
    tub_inform(&x->log, "frames are resized on the processor: %s", why.text);
    return TUB_OK;
}

// With several devices, some loads may wait for a slower device's, so that a faster one isn't held up. A device whose
// runs overlap has several loads itself.
static tub_status share_devices(tub_extractor *x, tub_error *err)
{
    const int loads = x->devices == 1 && x->runs_ahead == 1 ? 1 : LOADS_PER_DEVICE * x->devices;
    TUB_TRY(tub_batcher_share(x->batcher, loads, err));
    TUB_TRY(tub_delivery_open(x, loads, &x->delivery, err));
    x->device_threads = tub_calloc((size_t)x->devices, sizeof *x->device_threads);
    x->device_starts = tub_calloc((size_t)x->devices, sizeof *x->device_starts);
    return x->device_threads && x->device_starts ? TUB_OK : tub_fail_memory(err, "the devices' threads");
}

static tub_status build(tub_extractor *x, const tub_extractor_params *params, tub_error *err)
{
    TUB_TRY(resolve(x, params, err));
    const tub_encoder_info *info = x->info;
    x->chunk_rows = choose_chunk_rows(info->dim);
    TUB_TRY(tub_slot_pool_open(x->plan.slots, x->plan.slot_bytes, &x->pool, err));
    TUB_TRY(tub_batcher_open(info->batch, x->plan.ready, info->frames, info->eager, &x->batcher, err));
    if (x->without & TUB_WITHOUT_MIXING)
        tub_batcher_keep_apart(x->batcher);
    TUB_TRY(share_devices(x, err));
    pin_slots(x);
    TUB_TRY(open_gpu_slots(x, err));
    if (tub_decodes_on_gpus(x->decoder))
        x->decoders = tub_nvdec_hold_open(info->gpus, x->devices);
    tub_slot_pool_watch(x->pool, starving, x->batcher);
    TUB_TRY(tub_core_share_open(x->plan.workers, x->plan.adapt, &x->share, err));
    x->jobs = tub_queue_create((size_t)x->plan.jobs, sizeof(tub_reel *));
    x->results = tub_queue_create(RESULTS, sizeof(tub_result));
    x->workers = tub_calloc((size_t)x->plan.workers, sizeof *x->workers);
    if (!x->jobs || !x->results || !x->workers)
        return tub_fail_memory(err, "the extractor's queues");
    return start_threads(x, err);
}

tub_status tub_extractor_check_params(const tub_extractor_params *p, tub_error *err)
{
    const unsigned without = TUB_WITHOUT_DECODE_ONCE | TUB_WITHOUT_CONVERT_ONCE | TUB_WITHOUT_ENCODE_ONCE |
                             TUB_WITHOUT_OVERLAP | TUB_WITHOUT_MIXING | TUB_WITHOUT_LEAVING_OUT;
    TUB_TRY(tub_check_size("tub_extractor_params", p->size, sizeof *p, err));
    TUB_TRY(tub_check_choice("tub_extractor_params.decoder", (int)p->decoder, TUB_DECODER_BOTH, err));
    TUB_TRY(tub_check_choice("tub_extractor_params.resizer", (int)p->resizer, TUB_RESIZER_GPU, err));
    TUB_TRY(tub_check_flags("tub_extractor_params.without", p->without, without, err));
    TUB_TRY(tub_check_count("tub_extractor_params.decode_threads", p->decode_threads, err));
    TUB_TRY(tub_check_count("tub_extractor_params.prefetch", p->prefetch, err));
    TUB_TRY(tub_check_count("tub_extractor_params.video_stream", p->video_stream, err));
    return tub_check_count("tub_extractor_params.videos", p->videos, err);
}

tub_status tub_extractor_open_source(tub_encoder *encoder, const tub_extractor_params *params,
                                     const tub_source_ops *source, tub_extractor **out, tub_error *err)
{
    if (!out)
        return tub_fail(err, TUB_ERROR_ARGUMENT, "extractor: nowhere to put it");
    *out = NULL;
    if (!encoder || !source)
        return tub_fail(err, TUB_ERROR_ARGUMENT, "extractor: no encoder");
    const tub_extractor_params defaults = {.size = sizeof defaults};
    const tub_extractor_params *p = params ? params : &defaults;
    TUB_TRY(tub_extractor_check_params(p, err));
    tub_extractor *x = tub_calloc(1, sizeof *x);
    if (!x)
        return tub_fail_memory(err, "an extractor");
    pthread_mutex_init(&x->lock, NULL);
    pthread_cond_init(&x->encoded, NULL);
    x->encoder = encoder;
    x->info = tub_encoder_get_info(encoder);
    x->encoder_cpu = tub_extractor_encoder_cpu(x);
    x->devices = x->info->lanes > 1 ? x->info->lanes : 1;
    x->runs_ahead = tub_encoder_overlaps(encoder) && !(p->without & TUB_WITHOUT_OVERLAP) ? TUB_LANE_RUNS : 1;
    x->source = source;
    x->log = tub_log_turns_open(&x->turns, &p->log);
    x->trace = p->trace;
    x->video_stream = p->video_stream;
    x->without = p->without;
    x->videos = p->videos;
    x->decoder = p->decoder;
    x->resizer = p->resizer;
    tub_status status = build(x, p, err);
    if (status != TUB_OK)
        tub_extractor_close(&x);
    *out = x;
    return status;
}

tub_status tub_extractor_open(tub_encoder *encoder, const tub_extractor_params *params, tub_extractor **out,
                              tub_error *err)
{
    return tub_extractor_open_source(encoder, params, &tub_source_video, out, err);
}

// Why nothing comes any more.
static tub_status how_it_ended(tub_extractor *x, tub_error *err)
{
    if (atomic_load(&x->cancelled))
        return tub_fail(err, TUB_ERROR_CANCELLED, "cancelled");
    pthread_mutex_lock(&x->lock);
    bool failed = x->failed;
    tub_status status = x->failure.status;
    if (failed && err)
        *err = x->failure;
    pthread_mutex_unlock(&x->lock);
    return failed ? status : TUB_END;
}

tub_status tub_extractor_submit(tub_extractor *x, const tub_job *job, tub_error *err)
{
    TUB_TRY(tub_check_given("the extractor", x, err));
    if (!job || !job->path)
        return tub_fail(err, TUB_ERROR_ARGUMENT, "extractor: a job without a path");
    tub_status ended = how_it_ended(x, err);
    if (ended != TUB_END)
        return ended;
    if (x->finished)
        return tub_fail(err, TUB_ERROR_ARGUMENT, "extractor: %s was submitted after finish", job->path);
    // Jobs come only from this thread, so room that is free now stays free.
    if (tub_queue_count(x->jobs) >= (size_t)x->plan.jobs)
        return TUB_AGAIN;
    tub_reel *reel = tub_reel_create(x, job);
    if (!reel)
        return tub_fail_memory(err, "a job");
    tub_batcher_expect(x->batcher);
    x->submitted++;
    if (tub_queue_send(x->jobs, &reel) == TUB_OK)
        return TUB_OK;
    return how_it_ended(x, err); // stopped meanwhile; close() finds the reel
}

void tub_extractor_finish(tub_extractor *x)
{
    if (x->finished)
        return;
    x->finished = true;
    tub_queue_finish(x->jobs);
    tub_batcher_finish(x->batcher);
}

tub_status tub_extractor_receive(tub_extractor *x, tub_result *out, tub_error *err)
{
    TUB_TRY(tub_check_given("the extractor", x, err));
    TUB_TRY(tub_check_given("out", out, err));
    if (x->delivered == x->submitted && !x->finished) {
        tub_status ended = how_it_ended(x, err);
        return ended == TUB_END ? TUB_AGAIN : ended;
    }
    if (tub_queue_receive(x->results, out) != TUB_OK)
        return how_it_ended(x, err);
    if (out->kind == TUB_RESULT_DONE)
        x->delivered++;
    return TUB_OK;
}

void tub_result_release(tub_extractor *x, tub_result *result)
{
    (void)x;
    if (!result)
        return;
    union {
        const float *given;
        void *ours;
    } rows = {.given = result->rows}; // const for the caller only
    tub_free(rows.ours);
    result->rows = NULL;
}

void tub_extractor_progress(tub_extractor *x, tub_progress *out)
{
    tub_counters *c = &x->counters;
    *out = (tub_progress){
        .frames_decoded = atomic_load_explicit(&c->frames, memory_order_relaxed),
        .frames_left_out = atomic_load_explicit(&c->left_out, memory_order_relaxed),
        .rows_done = atomic_load_explicit(&c->rows, memory_order_relaxed),
        .open_seconds = tub_counted_seconds(&c->open),
        .decode_seconds = tub_counted_seconds(&c->decode),
        .convert_seconds = tub_counted_seconds(&c->convert),
        .forward_seconds = tub_counted_seconds(&c->forward),
        .decode_wait_seconds = tub_counted_seconds(&c->decode_wait),
        .device_wait_seconds = tub_counted_seconds(&c->device_wait),
        .output_wait_seconds = tub_counted_seconds(&c->output_wait),
        .decode_cpu_seconds = tub_counted_seconds(&c->decode_cpu),
        .convert_cpu_seconds = tub_counted_seconds(&c->convert_cpu),
        .forward_cpu_seconds = tub_counted_seconds(&c->forward_cpu) + tub_extractor_encoder_cpu(x) - x->encoder_cpu,
        .batches = atomic_load_explicit(&c->batches, memory_order_relaxed),
        .items = atomic_load_explicit(&c->items, memory_order_relaxed),
        .batch = x->info->batch,
        .decode_threads = x->started_workers,
        .decode_active = tub_core_share_allowed(x->share),
        .slots = x->plan.slots,
        .slots_free = tub_slot_pool_free_count(x->pool),
        .jobs_waiting = (int)tub_queue_count(x->jobs),
        .ready = tub_batcher_count(x->batcher),
        .ready_most = x->plan.ready,
        .results_waiting = (int)tub_queue_count(x->results),
        .videos_by_gpu = atomic_load_explicit(&c->by_gpu, memory_order_relaxed),
    };
    tub_idle_explain(c, out);
}

static void free_queues(tub_extractor *x)
{
    tub_result result;
    if (x->results)
        while (tub_queue_drain(x->results, &result))
            tub_result_release(x, &result);
    tub_queue_destroy(&x->results);
    tub_queue_destroy(&x->jobs);
}

void tub_extractor_close(tub_extractor **extractor)
{
    if (!extractor || !*extractor)
        return;
    tub_extractor *x = *extractor;
    stop(x);
    for (int i = 0; i < x->started_workers; i++)
        pthread_join(x->workers[i], NULL);
    for (int i = 0; i < x->started_devices; i++)
        pthread_join(x->device_threads[i], NULL);
    tub_encoder_interrupt(x->encoder, false); // another may use it
    free_queues(x);
    while (x->reels)
        tub_reel_release(x, x->reels);
    unpin_slots(x);
    tub_gpu_slots_close(&x->gpu_slots);
    tub_nvdec_hold_close(&x->decoders);
    tub_delivery_close(&x->delivery);
    tub_batcher_close(&x->batcher);
    tub_core_share_close(&x->share);
    tub_slot_pool_close(&x->pool);
    tub_free(x->device_starts);
    tub_free(x->device_threads);
    tub_free(x->workers);
    pthread_cond_destroy(&x->encoded);
    pthread_mutex_destroy(&x->lock);
    tub_log_turns_close(&x->turns);
    tub_free(x);
    *extractor = NULL;
}
