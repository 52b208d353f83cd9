#include "frame_walk.h"

#include "clock.h"
#include "fail.h"
#include "memory.h"
#include "resampler.h"

// If a frame stays on the screen for longer than this (seconds), its timestamp counts as broken.
static const double longest_stay = 10 * 3600;

static bool wants(const void *sampling, const tub_frame_place *place)
{
    const tub_sampling *s = sampling;
    if (s->fps > 0)
        return tub_resampler_may_show(s->fps, place->first, place->pts, place->next_most);
    return tub_sampling_wants(s, place->index);
}

void tub_walk_tell_wants(const tub_sampling *sampling, tub_video_params *params)
{
    if (sampling->fps <= 0 && !tub_sampling_leaves_out(sampling))
        return;
    params->wants = wants;
    params->user = sampling;
}

static tub_status take_slot(tub_walk *w, int *slot)
{
    double start = tub_now();
    if (w->sink->waits)
        w->sink->waits(w->user);
    *slot = tub_slot_pool_take(w->pool);
    if (w->sink->waited)
        w->sink->waited(w->user, tub_now() - start);
    return *slot < 0 ? TUB_END : TUB_OK;
}

static tub_status convert(tub_walk *w, int slot, tub_error *err)
{
    double cpu = tub_thread_cpu();
    tub_lane_begin(w->lane, "convert");
    tub_status status = w->sink->make ? w->sink->make(w->user, slot, err) : TUB_END;
    if (status == TUB_END)
        status = w->ops->convert(w->source, tub_slot_pool_memory(w->pool, slot), err);
    tub_lane_end(w->lane, NULL, -1);
    w->convert_cpu += tub_thread_cpu() - cpu;
    return status;
}

static void let_go(tub_walk *w, int *slot)
{
    if (*slot >= 0)
        tub_slot_pool_release(w->pool, *slot);
    *slot = -1;
}

// Windows of slots pin their slots through the windower. Single frames travel alone, and the windower's handles mean
// nothing.
static bool pins(const tub_walk *w)
{
    return w->sink->window != NULL;
}

static tub_status emit(tub_walk *w)
{
    int64_t row = 0, handle = 0;
    while (tub_windower_next(w->windower, &row, w->handles)) {
        if (!pins(w))
            continue;
        for (int i = 0; i < w->sampling->clip_length; i++)
            w->slots[i] = (int)w->handles[i];
        if (!w->sink->window(w->user, row, w->slots))
            return TUB_END;
    }
    while (tub_windower_release(w->windower, &handle))
        if (pins(w))
            tub_slot_pool_release(w->pool, (int)handle);
    return TUB_OK;
}

static tub_status hand_over(tub_walk *w, int slot, int64_t first, int64_t count, bool last)
{
    tub_slot_pool_hold(w->pool, slot);
    return w->sink->frame(w->user, slot, first, count, last) ? TUB_OK : TUB_END;
}

static tub_status push(tub_walk *w, int slot, tub_error *err)
{
    if (pins(w))
        tub_slot_pool_hold(w->pool, slot);
    if (tub_windower_push(w->windower, w->frames, slot))
        return TUB_OK;
    if (pins(w))
        tub_slot_pool_release(w->pool, slot);
    return tub_fail_memory(err, "the windows of a video");
}

// The frame in `slot` stands for the next `count` output frames. The caller keeps its own count on the slot.
static tub_status give(tub_walk *w, int slot, int64_t count, tub_error *err)
{
    int64_t first = w->frames;
    bool wanted = false;
    for (; w->frames < first + count; w->frames++) {
        if (tub_windower_wants(w->windower, w->frames)) {
            wanted = true;
            TUB_TRY(push(w, slot, err));
        } else {
            tub_windower_skip(w->windower, w->frames);
        }
        TUB_TRY(emit(w));
    }
    return wanted && !pins(w) ? hand_over(w, slot, first, count, false) : TUB_OK;
}

static tub_status next(tub_walk *w, tub_frame *frame, tub_error *err)
{
    tub_lane_begin(w->lane, "decode");
    tub_status status = w->ops->next(w->source, frame, err);
    tub_lane_end(w->lane, NULL, status == TUB_OK ? frame->index : -1);
    TUB_TRY(status);
    return w->sink->step && !w->sink->step(w->user) ? TUB_AGAIN : TUB_OK;
}

// Both walkers return TUB_OK at the video's end. If they are stopped on the way, the caller of the walk gets TUB_END.
static tub_status walk_native(tub_walk *w, tub_error *err)
{
    tub_frame frame;
    tub_status status;
    while ((status = next(w, &frame, err)) == TUB_OK) {
        if (!tub_windower_wants(w->windower, w->frames)) {
            tub_windower_skip(w->windower, w->frames++);
            TUB_TRY(emit(w));
            continue;
        }
        TUB_TRY(take_slot(w, &w->candidate));
        TUB_TRY(convert(w, w->candidate, err));
        TUB_TRY(give(w, w->candidate, 1, err));
        let_go(w, &w->candidate);
    }
    if (status == TUB_END && w->frames > 0 && tub_windower_needs_last(w->windower, w->frames)) {
        TUB_TRY(take_slot(w, &w->previous));
        return convert(w, w->previous, err);
    }
    return status == TUB_END ? TUB_OK : status == TUB_AGAIN ? TUB_END : status;
}

static tub_status decide(tub_walk *w, int64_t count, tub_error *err)
{
    if (count == 0)
        return TUB_OK;
    if ((double)count > longest_stay * w->sampling->fps + 1)
        return tub_fail(err, TUB_ERROR_VIDEO, "timestamps jump by %.0f hours at output frame %lld",
                        (double)count / w->sampling->fps / 3600, (long long)w->frames);
    if (w->candidate < 0)
        return tub_fail(err, TUB_ERROR_INTERNAL, "a frame was left out that stands for output frame %lld",
                        (long long)w->frames);
    TUB_TRY(give(w, w->candidate, count, err));
    let_go(w, &w->previous);
    w->previous = w->candidate;
    w->candidate = -1;
    return TUB_OK;
}

static tub_status walk_resampled(tub_walk *w, tub_error *err)
{
    tub_resampler resampler;
    tub_resampler_init(&resampler, w->sampling->fps);
    tub_frame frame = {0};
    tub_status status;
    while ((status = next(w, &frame, err)) == TUB_OK) {
        TUB_TRY(decide(w, tub_resampler_push(&resampler, frame.pts), err));
        if (frame.left_out) {
            let_go(w, &w->candidate);
            continue;
        }
        if (w->candidate < 0)
            TUB_TRY(take_slot(w, &w->candidate));
        TUB_TRY(convert(w, w->candidate, err));
    }
    if (status != TUB_END)
        return status == TUB_AGAIN ? TUB_END : status;
    return w->candidate < 0 ? TUB_OK : decide(w, tub_resampler_finish(&resampler, frame.duration), err);
}

// `previous` is the last output frame, if it may be asked for.
static tub_status end(tub_walk *w, tub_error *err)
{
    int64_t n = w->frames;
    if (n == 0)
        return tub_fail(err, TUB_ERROR_VIDEO, "no frame could be decoded");
    int64_t handle = -1;
    if (tub_windower_needs_last(w->windower, n)) {
        if (w->previous < 0)
            return tub_fail(err, TUB_ERROR_INTERNAL, "the last of %lld frames is not there", (long long)n);
        if (!pins(w))
            TUB_TRY(hand_over(w, w->previous, n - 1, 1, true));
        else
            tub_slot_pool_hold(w->pool, w->previous);
        handle = w->previous;
    }
    if (!tub_windower_finish(w->windower, n, handle))
        return tub_fail_memory(err, "the windows of a video");
    return emit(w);
}

static tub_status prepare(tub_walk *w, tub_error *err)
{
    w->frames = 0;
    w->convert_cpu = 0;
    w->candidate = w->previous = -1;
    w->handles = tub_calloc((size_t)w->sampling->clip_length, sizeof *w->handles);
    w->slots = tub_calloc((size_t)w->sampling->clip_length, sizeof *w->slots);
    w->windower = tub_windower_create(w->sampling);
    return w->handles && w->slots && w->windower ? TUB_OK : tub_fail_memory(err, "the windows of a video");
}

static void clean_up(tub_walk *w)
{
    int64_t handle = 0;
    let_go(w, &w->candidate);
    let_go(w, &w->previous);
    while (w->windower && tub_windower_drop(w->windower, &handle))
        if (pins(w))
            tub_slot_pool_release(w->pool, (int)handle);
    tub_windower_destroy(&w->windower);
    tub_free(w->slots);
    tub_free(w->handles);
    w->slots = NULL;
    w->handles = NULL;
}

tub_status tub_walk_run(tub_walk *walk, tub_error *err)
{
    tub_status status = prepare(walk, err);
    if (status == TUB_OK)
        status = walk->sampling->fps > 0 ? walk_resampled(walk, err) : walk_native(walk, err);
    if (status == TUB_OK)
        status = end(walk, err);
    clean_up(walk);
    return status;
}
