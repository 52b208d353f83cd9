// Running a compiled program: parts, waves, one graph per wave, and what to do when something fails.
#include <math.h>
#include <string.h>

#include "fail.h"
#include "gpu_executable.h"
#include "gpu_fits.h"
#include "gpu_frames.h"

// Event numbers; gpu_overlap.c has the others. The stream itself waits for a wave's upload, so a few numbers are enough
// for many waves.
enum { RECORDINGS = 3 }; // tried before graphs are given up
enum { EVENT_DONE = 0, EVENT_UPLOADED = 1, UPLOADS = TUB_GPU_EVENTS - 1 - TUB_RUNS_BEGUN };

// A run, or the rest of it: the part that begins at `first`.
typedef struct part {
    tub_executable *e;
    const tub_batch *batch;
    tub_gpu_list *list;
    tub_gpu_room *room;
    int first, items;
    size_t uploaded; // number of this part's frames that are on the device
} part;

// If nothing is measured, it isn't known yet whether the algorithm computes this many rows.
static tub_status multiply(const tub_backend *b, const tub_gpu_gemm *g, const tub_gpu_algorithm *a, tub_error *err)
{
    const tub_status status = b->ops->multiply(b->gpu, g, a, err);
    if (status != TUB_END)
        return status;
    return tub_fail(err, TUB_ERROR_DEVICE,
                    "the algorithm that cuBLASLt advises computes no %d rows of %d columns by %d: run without "
                    "--no-autotune",
                    g->m, g->n, g->k);
}

static tub_status run_step(const tub_executable *e, const tub_gpu_step *step, tub_error *err)
{
    const tub_backend *b = e->backend;
    switch (step->kind) {
    case TUB_GPU_STEP_TASK:
        return b->ops->launch(b->gpu, &step->task, err);
    case TUB_GPU_STEP_PRODUCT:
        return multiply(b, &step->product.gemm, &step->product.algorithm, err);
    case TUB_GPU_STEP_ATTENTION:
        return b->ops->attend(b->gpu, step->attention.plan, &step->attention.shape, e->plan_scratch.data, err);
    }
    return tub_fail(err, TUB_ERROR_INTERNAL, "step %d", (int)step->kind);
}

static tub_status run_steps(const tub_executable *e, const tub_gpu_list *list, tub_error *err)
{
    for (size_t i = 0; i < list->count; i++) {
        const tub_status status = run_step(e, &list->steps[i], err);
        if (status != TUB_OK)
            return tub_fail_within(err, status, "%s", list->steps[i].label);
    }
    return TUB_OK;
}

static tub_status give_up_graphs(tub_executable *e, const tub_error *why)
{
    e->backend->without |= TUB_GPU_WITHOUT_GRAPHS;
    if (!e->said_eager)
        tub_inform(&e->backend->log, "%s: no CUDA graph, steps are launched one by one: %s", e->backend->info.name,
                   why->text);
    e->said_eager = true;
    return TUB_OK;
}

static tub_status record(tub_executable *e, tub_gpu_list *list, tub_error *err)
{
    const tub_gpu_ops *ops = e->backend->ops;
    tub_gpu *gpu = e->backend->gpu;
    tub_error why = {0};
    tub_status status = ops->capture(gpu, &why);
    if (status == TUB_OK) {
        const tub_status steps = run_steps(e, list, &why);
        tub_error end = {0};
        status = ops->captured(gpu, &list->graph, steps == TUB_OK ? &why : &end);
        status = steps == TUB_OK ? status : steps;
    }
    if (status == TUB_OK)
        return TUB_OK;
    ops->forget(gpu, list->graph);
    list->graph = NULL;
    if (status == TUB_ERROR_MEMORY) {
        if (err)
            *err = why;
        return status;
    }
    // Something else that uses the GPU, such as a decoder, may have interfered: try the next wave as well.
    if (status != TUB_END && ++e->spoiled_recordings < RECORDINGS)
        return TUB_OK;
    return give_up_graphs(e, &why);
}

// The first wave runs step by step, since libraries load their kernels when they first run; the second is recorded.
static tub_status compute(tub_executable *e, tub_gpu_list *list, tub_error *err)
{
    if (list->ran && !list->graph && !(e->backend->without & TUB_GPU_WITHOUT_GRAPHS))
        TUB_TRY(record(e, list, err));
    list->ran = true;
    if (list->graph)
        return e->backend->ops->replay(e->backend->gpu, list->graph, err);
    return run_steps(e, list, err);
}

// Where a frame of the part is on the device; *fresh: it must be copied there.
static size_t place_of(part *p, const void *frame, bool *fresh)
{
    tub_executable *e = p->e;
    // Addresses of frames differ by multiples of a power of two. So would the product's low bits; we use high ones.
    size_t at = (size_t)(((uintptr_t)frame >> 6) * 0x9e3779b97f4a7c15u >> 32) & (e->seen_places - 1);
    while (e->seen[at].host && e->seen[at].host != frame)
        at = (at + 1) & (e->seen_places - 1);
    *fresh = !e->seen[at].host;
    if (*fresh)
        e->seen[at] = (tub_gpu_seen){frame, p->uploaded++};
    return e->seen[at].place;
}

// Gives the place of frame `at` of the part, and begins to copy it there if necessary.
static tub_status bring_frame(part *p, size_t at, const void **out, tub_error *err)
{
    const tub_executable *e = p->e;
    const tub_backend *b = e->backend;
    const tub_input *input = &e->program->input;
    const size_t number = (size_t)p->first * (size_t)input->frames + at;
    const void *from = p->batch->frames[number];
    const bool made = p->batch->made && p->batch->made[number];
    const tub_gpu_stream stream = b->without & TUB_GPU_WITHOUT_OVERLAP ? TUB_GPU_COMPUTE : TUB_GPU_COPY;
    size_t bytes = 3 * (size_t)input->height * (size_t)input->width * (input->is_float ? sizeof(float) : 1);
    tub_gpu_type type = e->made;
    bool fresh = false;
    *out = from;
    if (made && (bytes = tub_gpu_frames_held(e, &type)) == 0)
        return tub_fail(err, TUB_ERROR_INTERNAL, "a frame that no GPU has made");
    if (!tub_gpu_frames_has(b, from)) {
        char *to = (char *)p->room->frames.data + place_of(p, from, &fresh) * e->frame_bytes;
        *out = to;
        if (fresh)
            TUB_TRY(b->ops->upload(b->gpu, stream, to, from, bytes, err));
    }
    if (made)
        *out = tub_gpu_made_frame(*out, type);
    return TUB_OK;
}

static tub_status bring_frames(part *p, int wave, int items, tub_error *err)
{
    tub_executable *e = p->e;
    const tub_backend *b = e->backend;
    const size_t count = (size_t)items * (size_t)e->program->input.frames;
    const size_t start = (size_t)wave * tub_gpu_wave_frames(e);
    const tub_gpu_stream stream = b->without & TUB_GPU_WITHOUT_OVERLAP ? TUB_GPU_COMPUTE : TUB_GPU_COPY;
    for (size_t i = 0; i < count; i++)
        TUB_TRY(bring_frame(p, (size_t)(wave * e->wave) * (size_t)e->program->input.frames + i,
                            &p->room->table[start + i], err));
    // A wave that isn't full reads some frame of the part again.
    for (size_t i = count; i < tub_gpu_wave_frames(e); i++)
        p->room->table[start + i] = p->room->table[start];
    const int event = EVENT_UPLOADED + wave % UPLOADS;
    TUB_TRY(b->ops->record(b->gpu, event, stream, err));
    TUB_TRY(b->ops->wait(b->gpu, TUB_GPU_COMPUTE, event, err));
    return b->ops->upload(b->gpu, TUB_GPU_COMPUTE, (void *)e->frame_table, p->room->table + start,
                          tub_gpu_wave_frames(e) * sizeof *p->room->table, err);
}

static tub_status bring_positions(const part *p, int wave, int items, tub_error *err)
{
    tub_executable *e = p->e;
    const size_t frames = (size_t)e->program->input.frames, start = (size_t)wave * tub_gpu_wave_frames(e);
    if (!e->program->positions)
        return TUB_OK;
    int *to = p->room->positions + start;
    memset(to, 0, tub_gpu_wave_frames(e) * sizeof *to);
    memcpy(to, p->batch->positions + ((size_t)p->first + (size_t)(wave * e->wave)) * frames,
           (size_t)items * frames * sizeof *to);
    return e->backend->ops->upload(e->backend->gpu, TUB_GPU_COMPUTE, e->positions, to,
                                   tub_gpu_wave_frames(e) * sizeof *to, err);
}

static size_t count_of(const tub_executable *e, tub_value v)
{
    return (size_t)e->program->values[v].rows * (size_t)e->program->values[v].cols;
}

static const char *output(const tub_executable *e, const tub_gpu_list *list, tub_value v)
{
    return e->values + list->offsets[v] * (size_t)e->wave;
}

static tub_status settle(const tub_executable *e, tub_error *err)
{
    TUB_TRY(e->backend->ops->record(e->backend->gpu, EVENT_DONE, TUB_GPU_COMPUTE, err));
    return e->backend->ops->settle(e->backend->gpu, EVENT_DONE, err);
}

static void join_copies(const tub_executable *e)
{
    const tub_backend *b = e->backend;
    if (b->ops->record(b->gpu, EVENT_UPLOADED, TUB_GPU_COPY, NULL) == TUB_OK)
        (void)b->ops->wait(b->gpu, TUB_GPU_COMPUTE, EVENT_UPLOADED, NULL);
}

// The last hidden state is large and rarely asked for: it goes through memory for one wave.
static tub_status fetch_tokens(const part *p, int wave, int items, tub_error *err)
{
    tub_executable *e = p->e;
    const tub_backend *b = e->backend;
    const size_t count = count_of(e, e->program->tokens);
    if (!e->host_tokens) {
        void *memory = NULL;
        TUB_TRY(b->ops->allocate_host(b->gpu, (size_t)e->wave * count * sizeof(float), &memory, err));
        e->host_tokens = memory;
    }
    TUB_TRY(b->ops->download(b->gpu, TUB_GPU_COMPUTE, e->host_tokens, output(e, p->list, e->program->tokens),
                             (size_t)items * count * sizeof(float), err));
    TUB_TRY(settle(e, err));
    memcpy(p->batch->tokens + ((size_t)p->first + (size_t)(wave * e->wave)) * count, e->host_tokens,
           (size_t)items * count * sizeof(float));
    return TUB_OK;
}

static tub_status run_wave(part *p, int wave, tub_error *err)
{
    tub_executable *e = p->e;
    const tub_backend *b = e->backend;
    const int left = p->items - wave * e->wave, items = left < e->wave ? left : e->wave;
    const size_t dim = count_of(e, e->program->feature);
    TUB_TRY(bring_frames(p, wave, items, err));
    TUB_TRY(bring_positions(p, wave, items, err));
    TUB_TRY(compute(e, p->list, err));
    TUB_TRY(b->ops->download(b->gpu, TUB_GPU_COMPUTE, p->room->rows + (size_t)(wave * e->wave) * dim,
                             output(e, p->list, e->program->feature), (size_t)items * dim * sizeof(float), err));
    return p->batch->tokens ? fetch_tokens(p, wave, items, err) : TUB_OK;
}

// Queues p->items of the run's items, at most as many as the frames' memory holds. After a failure, some copies may
// still run that COMPUTE doesn't wait for yet.
static tub_status queue_part(part *p, tub_error *err)
{
    tub_executable *e = p->e;
    const int left = p->batch->items - p->first, most = e->part_waves * e->wave;
    p->items = left < most ? left : most;
    p->uploaded = 0;
    memset(e->seen, 0, e->seen_places * sizeof *e->seen);
    tub_status status = TUB_OK;
    for (int wave = 0; status == TUB_OK && wave * e->wave < p->items; wave++)
        status =
            tub_batch_stopped(p->batch) ? tub_fail(err, TUB_ERROR_CANCELLED, "interrupted") : run_wave(p, wave, err);
    return status;
}

static void fetch_rows(const part *p)
{
    const size_t dim = count_of(p->e, p->e->program->feature);
    memcpy(p->batch->rows + (size_t)p->first * dim, p->room->rows, (size_t)p->items * dim * sizeof(float));
}

// In every case: nothing may still read the caller's frames.
static tub_status give_up_part(const part *p, tub_status status)
{
    join_copies(p->e);
    (void)settle(p->e, NULL);
    return status;
}

static tub_status run_part(part *p, tub_error *err)
{
    const tub_status status = queue_part(p, err);
    if (status != TUB_OK)
        return give_up_part(p, status);
    TUB_TRY(settle(p->e, err));
    fetch_rows(p);
    return TUB_OK;
}

static tub_status halve(tub_executable *e, tub_error *err)
{
    const int half = (e->wave + 1) / 2;
    tub_warn(&e->backend->log, "%s: out of GPU memory: %d items at once from now on instead of %d",
             e->backend->info.name, half, e->wave);
    tub_gpu_shape_forget(e);
    TUB_TRY(tub_gpu_shape_make(e, half, err));
    tub_gpu_fits_keep(e);
    return TUB_OK;
}

static tub_status run_halving(part *p, tub_status before, tub_error *err)
{
    for (tub_status status = before;;) {
        if (status == TUB_ERROR_MEMORY && p->e->wave > 1)
            TUB_TRY(halve(p->e, err));
        else if (!tub_gpu_shape_is_made(p->e)) // an earlier run failed to make it; there may be memory again
            TUB_TRY(tub_gpu_shape_make(p->e, p->e->wave, err));
        status = run_part(p, err);
        if (status != TUB_ERROR_MEMORY || p->e->wave == 1)
            return status;
    }
}

// ---- rows that float16 can't hold ----

static bool all_finite(const float *x, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (!isfinite(x[i]))
            return false;
    return true;
}

static tub_status open_rescue(tub_executable *e, tub_error *err)
{
    const tub_dtype dtype = e->backend->info.major >= 8 ? TUB_BF16 : TUB_F32;
    if (e->rescue)
        return TUB_OK;
    tub_warn(&e->backend->log, "%s: a row overflowed in float16: such rows are computed in %s", e->backend->info.name,
             tub_dtype_name(dtype));
    tub_status status = tub_gpu_compile_rescue(e, dtype, err);
    while (status == TUB_ERROR_MEMORY && e->wave > 1) { // there is no memory for its weights beside so many items
        tub_gpu_land(e);
        TUB_TRY(halve(e, err));
        status = tub_gpu_compile_rescue(e, dtype, err);
    }
    return status;
}

static tub_status rescue_item(tub_executable *e, const tub_batch *batch, int item, tub_error *err)
{
    const size_t frames = (size_t)e->program->input.frames;
    const size_t dim = count_of(e, e->program->feature), tokens = count_of(e, e->program->tokens);
    TUB_TRY(open_rescue(e, err));
    const tub_batch one = {.items = 1,
                           .frames = batch->frames + (size_t)item * frames,
                           .made = batch->made ? batch->made + (size_t)item * frames : NULL,
                           .positions = batch->positions ? batch->positions + (size_t)item * frames : NULL,
                           .rows = batch->rows + (size_t)item * dim,
                           .tokens = batch->tokens ? batch->tokens + (size_t)item * tokens : NULL,
                           .stop = batch->stop};
    e->rescued++;
    return tub_gpu_run(e->rescue, &one, err);
}

tub_status tub_gpu_run_rescue(tub_executable *e, const tub_batch *batch, tub_error *err)
{
    const size_t dim = count_of(e, e->program->feature), tokens = count_of(e, e->program->tokens);
    for (int i = 0; i < batch->items && e->dtype == TUB_F16; i++)
        if (!all_finite(batch->rows + (size_t)i * dim, dim) ||
            (batch->tokens && !all_finite(batch->tokens + (size_t)i * tokens, tokens)))
            TUB_TRY(rescue_item(e, batch, i, err));
    return TUB_OK;
}

tub_status tub_gpu_run_after(tub_executable *e, const tub_batch *batch, tub_status before, tub_error *err)
{
    part p = {.e = e, .batch = batch, .list = &e->lists[batch->tokens != NULL], .room = &e->rooms[0]};
    for (; p.first < batch->items; before = TUB_OK) {
        TUB_TRY(run_halving(&p, before, err));
        p.first += p.items;
    }
    return tub_gpu_run_rescue(e, batch, err);
}

tub_status tub_gpu_run(tub_executable *e, const tub_batch *batch, tub_error *err)
{
    return tub_gpu_run_after(e, batch, TUB_OK, err);
}

// ---- for runs that overlap ----

bool tub_gpu_run_fits(const tub_executable *e, const tub_batch *batch)
{
    return tub_gpu_shape_is_made(e) && !batch->tokens && batch->items <= e->part_waves * e->wave;
}

tub_status tub_gpu_run_queue(tub_executable *e, tub_gpu_room *room, const tub_batch *batch, tub_error *err)
{
    part p = {.e = e, .batch = batch, .list = &e->lists[0], .room = room};
    const tub_status status = queue_part(&p, err);
    return status == TUB_OK ? TUB_OK : give_up_part(&p, status);
}

void tub_gpu_run_fetch(tub_executable *e, tub_gpu_room *room, const tub_batch *batch)
{
    const part p = {.e = e, .batch = batch, .room = room, .items = batch->items};
    fetch_rows(&p);
}
