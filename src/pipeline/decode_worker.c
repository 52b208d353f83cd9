#include <string.h>

#include "clock.h"
#include "extractor_impl.h"
#include "fail.h"
#include "frame_count.h"
#include "frame_walk.h"
#include "memory.h"
#include "window_again.h"

enum { MOST_THREADS = 8 }; // per video: each thread holds its own frames

// One video being decoded by one worker.
typedef struct shift {
    tub_extractor *x;
    tub_reel *reel;
    void *source;
    double opened, decoded, converted, cpu, convert_cpu; // seconds already in the counters
    tub_walk walk;
    tub_lane *lane;
    int device;              // the encoder's device whose GPU decodes the video or makes its frames
    double made;             // seconds in which it made frames
    tub_window_again *again; // work that windows have to repeat, or NULL
    int encodes;             // how often the current frame is to be encoded again
    tub_status trouble;      // why the work couldn't be repeated
} shift;

static void count_progress(shift *s)
{
    double open = 0, decode = 0, convert = 0;
    s->x->source->seconds(s->source, &open, &decode, &convert);
    convert += s->made;
    tub_count_seconds(&s->x->counters.open, open - s->opened);
    tub_count_seconds(&s->x->counters.decode, decode - s->decoded);
    tub_count_seconds(&s->x->counters.convert, convert - s->converted);
    double cpu = tub_thread_cpu();
    double convert_cpu = s->walk.convert_cpu;
    tub_count_seconds(&s->x->counters.convert_cpu, convert_cpu - s->convert_cpu);
    tub_count_seconds(&s->x->counters.decode_cpu, cpu - s->cpu - (convert_cpu - s->convert_cpu));
    s->cpu = cpu;
    s->convert_cpu = convert_cpu;
    s->opened = open;
    s->decoded = decode;
    s->converted = convert;
}

static bool step(void *user)
{
    shift *s = user;
    atomic_fetch_add_explicit(&s->x->counters.frames, 1, memory_order_relaxed);
    count_progress(s);
    if (s->again)
        s->trouble = tub_again_frame(s->again, &s->encodes, &s->reel->error);
    tub_extractor_stand(s->x);
    return s->trouble == TUB_OK && !atomic_load(&s->x->stopping);
}

// Others may work meanwhile.
static void waits(void *user)
{
    tub_core_share_leave(((shift *)user)->x->share);
}

static void waited(void *user, double seconds)
{
    shift *s = user;
    tub_core_share_enter(s->x->share);
    tub_count_seconds(&s->x->counters.decode_wait, seconds);
    tub_lane_took(s->lane, "wait for the device", seconds);
}

static tub_status make(void *user, int slot, tub_error *err)
{
    shift *s = user;
    tub_extractor *x = s->x;
    double before = 0, after = 0, other = 0, start = tub_now();
    if (!x->gpu_slots)
        return TUB_END;
    x->source->seconds(s->source, &other, &other, &before);
    const tub_status status =
        tub_gpu_slots_make(x->gpu_slots, s->device, x->source, s->source, x->resizer == TUB_RESIZER_GPU, slot, err);
    x->source->seconds(s->source, &other, &other, &after);
    s->made += tub_now() - start - (after - before);
    return status;
}

static bool put(shift *s, const tub_entry *entry, const int *slots)
{
    double start = tub_now();
    waits(s);
    bool ok = tub_batcher_put(s->x->batcher, entry, slots);
    waited(s, tub_now() - start);
    return ok;
}

// The same for the whole video, even if some of its frames are made on the host.
static int home_of(const shift *s)
{
    return s->x->gpu_slots ? 1 + s->device : 0;
}

static bool put_window(void *user, int64_t row, const int *slots)
{
    shift *s = user;
    tub_entry entry = {.kind = TUB_ENTRY_CLIP, .reel = s->reel, .first = row, .count = 1, .home = home_of(s)};
    tub_slot_pool_hold_all(s->x->pool, slots, s->x->sampling.clip_length);
    return put(s, &entry, slots);
}

static bool put_frame(void *user, int slot, int64_t first, int64_t count, bool last)
{
    shift *s = user;
    tub_entry_kind kind = last ? TUB_ENTRY_LAST : TUB_ENTRY_FRAME;
    tub_entry entry = {.kind = kind, .reel = s->reel, .first = first, .count = count, .home = home_of(s)};
    const tub_entry once_more = {.kind = TUB_ENTRY_AGAIN, .reel = s->reel, .home = home_of(s)};
    for (int i = 0; i < s->encodes; i++)
        tub_slot_pool_hold(s->x->pool, slot);
    bool ok = put(s, &entry, &slot);
    for (; ok && s->encodes > 0; s->encodes--)
        ok = put(s, &once_more, &slot);
    return ok;
}

static const tub_walk_sink clip_sink = {
    .window = put_window, .step = step, .make = make, .waits = waits, .waited = waited};
static const tub_walk_sink frame_sink = {
    .frame = put_frame, .step = step, .make = make, .waits = waits, .waited = waited};

static tub_status check_pixels(const shift *s, tub_error *err)
{
    const tub_encoder_info *info = s->x->info;
    int height = 0, width = 0;
    bool is_float = false;
    size_t bytes = 0;
    s->x->source->pixels(s->source, &height, &width, &is_float, &bytes);
    if (height != info->height || width != info->width)
        return tub_fail(err, TUB_ERROR_VIDEO,
                        "frames are %dx%d after the transform, but the model takes %dx%d: choose a size or a crop",
                        height, width, info->height, info->width);
    if (is_float != info->pixels_are_float || bytes != info->pixel_bytes)
        return tub_fail(err, TUB_ERROR_VIDEO,
                        "frames are %zu bytes of %s after the transform, but the model takes %zu of %s", bytes,
                        is_float ? "float" : "uint8", info->pixel_bytes, info->pixels_are_float ? "float" : "uint8");
    return TUB_OK;
}

static tub_status extract(shift *s, tub_error *err)
{
    tub_extractor *x = s->x;
    TUB_TRY(check_pixels(s, err));
    if (x->info->per_frame)
        TUB_TRY(tub_frame_rows_open(&x->sampling, x->info->dim, &s->reel->frame_rows, err));
    s->walk = (tub_walk){.ops = x->source,
                         .source = s->source,
                         .sampling = &x->sampling,
                         .pool = x->pool,
                         .sink = x->info->per_frame ? &frame_sink : &clip_sink,
                         .user = s,
                         .lane = s->lane};
    if (tub_again_is_asked(x->without))
        TUB_TRY(tub_again_open(x->without, &x->sampling, x->source, s->source, s->reel->path, x->video_stream,
                               &s->again, err));
    tub_status status = tub_walk_run(&s->walk, err);
    s->reel->frames = s->walk.frames;
    tub_again_close(&s->again);
    return s->trouble != TUB_OK ? s->trouble : status;
}

static void note_seconds(shift *s)
{
    tub_reel *reel = s->reel;
    s->x->source->seconds(s->source, &reel->init_seconds, &reel->decode_seconds, &reel->convert_seconds);
    reel->convert_seconds += s->made;
    count_progress(s);
}

static void name_the_video(tub_reel *reel)
{
    if (!strstr(reel->error.text, reel->path))
        tub_fail_within(&reel->error, reel->status, "%s", reel->path);
}

static bool is_wanted(void *extractor)
{
    return !atomic_load(&((tub_extractor *)extractor)->stopping);
}

// If the model wants positions in the video, the whole video is decoded twice.
static tub_status count_frames(tub_extractor *x, tub_reel *reel, const tub_video_params *params)
{
    void *source = NULL;
    if (x->info->positions != TUB_POSITIONS_VIDEO)
        return TUB_OK;
    TUB_TRY(x->source->open(reel->path, params, &source, &reel->error));
    tub_status status = tub_frames_count(x->source, source, x->sampling.fps, is_wanted, x, &reel->total, &reel->error);
    x->source->close(&source);
    tub_count_seconds(&x->counters.decode, tub_now() - reel->started);
    return status;
}

// The encoder's GPUs take turns. If it computes elsewhere, the first GPU decodes.
static int choose_device(tub_extractor *x, bool on_gpus)
{
    return (int)(atomic_fetch_add(&x->videos_opened[on_gpus], 1) % (unsigned)x->devices);
}

// Whether the GPUs decode the next video. If so, leave_gpus() must follow. With "both", they get no more videos than
// keep them busy.
static bool enter_gpus(tub_extractor *x)
{
    if (x->decoder != TUB_DECODER_BOTH)
        return x->decoder == TUB_DECODER_NVDEC;
    if (atomic_fetch_add(&x->videos_on_gpus, 1) < TUB_NVDEC_BUSY * x->devices)
        return true;
    atomic_fetch_sub(&x->videos_on_gpus, 1);
    return false;
}

static void leave_gpus(tub_extractor *x)
{
    if (x->decoder == TUB_DECODER_BOTH)
        atomic_fetch_sub(&x->videos_on_gpus, 1);
}

// Whether the processor decodes it nevertheless.
static bool is_refused(const shift *s)
{
    tub_video_info info;
    s->x->source->info(s->source, &info);
    return info.why_not_gpu[0] != 0;
}

// The remaining videos share the decoding threads. If savings are left out, there is one thread, so that only what the
// worker waits for is decoded.
static int choose_threads(tub_extractor *x, bool on_gpus)
{
    const int elsewhere = atomic_load(&x->videos_on_gpus), workers = x->plan.asked_workers - elsewhere;
    const int64_t left = x->videos - atomic_load(&x->videos_read) - elsewhere;
    if (left < 1 || left >= workers || x->without || on_gpus)
        return 1;
    const int threads = (int)(workers / left);
    return threads < MOST_THREADS ? threads : MOST_THREADS;
}

static void decode(tub_extractor *x, tub_lane *lane, tub_reel *reel)
{
    bool on_gpus = enter_gpus(x);
    shift s = {.x = x, .reel = reel, .lane = lane, .device = choose_device(x, on_gpus), .cpu = tub_thread_cpu()};
    tub_video_params params = {.size = sizeof params,
                               .stream = x->video_stream,
                               .threads = choose_threads(x, on_gpus),
                               .transform = &x->info->transform,
                               .gpu = on_gpus ? 1 + x->info->gpus[s.device] : 0};
    if (!(x->without & TUB_WITHOUT_LEAVING_OUT))
        tub_walk_tell_wants(&x->sampling, &params);
    reel->started = tub_now();
    reel->status = count_frames(x, reel, &params);
    tub_lane_begin(lane, "open");
    if (reel->status == TUB_OK)
        reel->status = x->source->open(reel->path, &params, &s.source, &reel->error);
    tub_lane_end(lane, NULL, -1);
    if (reel->status == TUB_OK) {
        if (on_gpus && is_refused(&s)) { // another video may take its place
            leave_gpus(x);
            on_gpus = false;
        }
        atomic_fetch_add_explicit(&x->counters.by_gpu, on_gpus, memory_order_relaxed);
        reel->status = extract(&s, &reel->error);
        x->source->info(s.source, &reel->info);
        atomic_fetch_add_explicit(&x->counters.left_out, reel->info.frames_left_out, memory_order_relaxed);
        if (reel->info.why_not_gpu[0])
            tub_extractor_decodes_itself(x, reel->path, reel->info.why_not_gpu);
        if (reel->info.why_not_gpu[0] && on_gpus) // not any more
            atomic_fetch_sub_explicit(&x->counters.by_gpu, 1, memory_order_relaxed);
        note_seconds(&s);
        x->source->close(&s.source);
    } else {
        reel->init_seconds = tub_now() - reel->started;
    }
    if (on_gpus)
        leave_gpus(x);
}

static void run(tub_extractor *x, tub_lane *lane, tub_reel *reel)
{
    tub_core_share_enter(x->share);
    decode(x, lane, reel);
    tub_core_share_leave(x->share);
    atomic_fetch_add(&x->videos_read, 1);
    if (reel->status == TUB_END) // stopped: nobody waits for the reel any more
        return;
    if (reel->status != TUB_OK)
        name_the_video(reel);
    tub_batcher_end(x->batcher, reel);
}

void *tub_decode_worker(void *extractor)
{
    tub_extractor *x = extractor;
    tub_reel *reel = NULL;
    tub_lane *lane = tub_trace_lane(x->trace, "decode");
    while (tub_queue_receive(x->jobs, &reel) == TUB_OK) {
        // The reel may be gone at the end of the span.
        char *path = lane ? tub_strdup(reel->path) : NULL;
        tub_lane_begin(lane, "video");
        run(x, lane, reel);
        tub_lane_end(lane, path, -1);
        tub_free(path);
    }
    return NULL;
}
