#include "fake_gpu.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fail.h"
#include "fake_gpu_checks.h"
#include "fake_library.h"
#include "gpu_host.h"

enum { MOST_DEVICES = 8, BLOCK_HEADER = 64, FILLED = 1 << 20 };

fake_gpu_params fake_gpu;
fake_gpu_counts fake_gpu_counted[MOST_DEVICES];
atomic_int fake_gpu_calls;
static atomic_bool lost[MOST_DEVICES]; // for everybody who has opened it

// One piece of work, for now or for when a graph is replayed.
typedef struct work {
    enum { TASK, PRODUCT, ATTENTION, UPLOAD, DOWNLOAD } kind;
    union {
        tub_gpu_task task;
        struct {
            tub_gpu_gemm gemm;
            tub_gpu_algorithm algorithm;
        } product;
        tub_gpu_attention attention;
        struct {
            void *to;
            const void *from;
            size_t bytes;
        } copy;
    };
} work;

struct tub_gpu_graph {
    work *list;
    size_t count;
};

struct tub_gpu_plan {
    int batch, heads, dim, queries, keys;
};

struct tub_gpu {
    int index, calls;
    atomic_int inside; // number of threads inside
    bool bare;
    bool dead;
    int shorts; // calls that found no memory
    tub_gpu_graph *recording;
    pthread_mutex_t lock; // protects deferred work: any thread may release memory, and then waits for the work
    work *deferred;       // on the copy stream or, if `late`, on COMPUTE
    size_t deferred_count, deferred_capacity;
    size_t event_depth[TUB_GPU_EVENTS]; // deferred work before the event
    double clock, event_clock[TUB_GPU_EVENTS];
};

void fake_gpu_reset(void)
{
    fake_gpu = (fake_gpu_params){0};
    memset(fake_gpu_counted, 0, sizeof fake_gpu_counted);
    memset(lost, 0, sizeof lost);
    fake_gpu_calls = 0;
}

static fake_gpu_counts *counts(const tub_gpu *gpu)
{
    return &fake_gpu_counted[gpu->index];
}

static int devices(void)
{
    return fake_gpu.devices ? fake_gpu.devices : 1;
}

static size_t memory(int device)
{
    if (fake_gpu.small && device == fake_gpu.small_device)
        return fake_gpu.small;
    return fake_gpu.memory ? fake_gpu.memory : (size_t)1 << 30;
}

// Whether this call is the one that fails.
static tub_status refuse(tub_gpu *gpu, fake_gpu_call call, tub_error *err)
{
    if (fake_gpu.refuse_kinds && !(fake_gpu.refuse_kinds & 1u << call))
        return TUB_OK;
    const int number = ++fake_gpu_calls;
    if (number != fake_gpu.refuse_call)
        return TUB_OK;
    if (gpu && fake_gpu.refuse_for_good)
        lost[gpu->index] = true;
    return tub_fail(err, fake_gpu.refuse_short ? TUB_ERROR_MEMORY : TUB_ERROR_DEVICE,
                    "fake GPU: call %d, of kind %d, failed", number, (int)call);
}

static tub_status fake_count(int *out, tub_error *err)
{
    (void)err;
    *out = devices();
    return TUB_OK;
}

static tub_status fake_describe(int index, tub_gpu_facts *out, tub_error *err)
{
    TUB_TRY(refuse(NULL, FAKE_GPU_DESCRIBE, err));
    if (index < 0 || index >= devices())
        return tub_fail(err, TUB_ERROR_DEVICE, "no GPU %d", index);
    *out = (tub_gpu_facts){.major = fake_gpu.major ? fake_gpu.major : 9, .minor = fake_gpu.minor, .processors = 1};
    out->row_scales = !fake_gpu.no_row_scales;
    out->code = fake_gpu.code ? fake_gpu.code : 10 * out->major + out->minor;
    snprintf(out->name, sizeof out->name, "fake GPU %d", index);
    snprintf(out->key, sizeof out->key, "fake");
    snprintf(out->libraries, sizeof out->libraries, "none");
    out->memory = memory(index);
    return TUB_OK;
}

static tub_status fake_open(int index, bool bare, tub_gpu **out, tub_error *err)
{
    TUB_TRY(refuse(NULL, FAKE_GPU_OPEN, err));
    if (index < 0 || index >= devices())
        return tub_fail(err, TUB_ERROR_DEVICE, "no GPU %d", index);
    *out = calloc(1, sizeof **out);
    (*out)->index = index;
    (*out)->bare = bare;
    pthread_mutex_init(&(*out)->lock, NULL);
    return TUB_OK;
}

static void fake_close(tub_gpu **gpu)
{
    if (!*gpu)
        return;
    pthread_mutex_destroy(&(*gpu)->lock);
    free((*gpu)->deferred);
    free(*gpu);
    *gpu = NULL;
}

static tub_status check(const tub_gpu *gpu, bool recordable, tub_error *err)
{
    if (gpu->dead || lost[gpu->index])
        return tub_fail(err, TUB_ERROR_DEVICE, "fake GPU %d fell off the bus", gpu->index);
    if (gpu->recording && !recordable)
        return tub_fail(err, TUB_ERROR_DEVICE, "not while work is recorded");
    return TUB_OK;
}

static tub_status fake_memory_free(tub_gpu *gpu, size_t *out, tub_error *err)
{
    TUB_TRY(refuse(gpu, FAKE_GPU_MEMORY_FREE, err));
    *out = fake_gpu.lies_free ? fake_gpu.lies_free : memory(gpu->index) - counts(gpu)->bytes;
    return check(gpu, false, err);
}

static tub_status fake_allocate(tub_gpu *gpu, size_t bytes, void **out, tub_error *err)
{
    TUB_TRY(refuse(gpu, FAKE_GPU_ALLOCATE, err));
    TUB_TRY(check(gpu, false, err));
    fake_gpu_counts *c = counts(gpu);
    if (bytes > memory(gpu->index) - c->bytes)
        return tub_fail(err, TUB_ERROR_MEMORY, "fake GPU %d has no %zu bytes", gpu->index, bytes);
    char *block = aligned_alloc(64, (BLOCK_HEADER + bytes + 63) / 64 * 64);
    memcpy(block, &bytes, sizeof bytes);
    memset(block + BLOCK_HEADER, 0xff, bytes < FILLED ? bytes : FILLED); // unwritten values are NaN
    c->blocks++;
    c->allocated++;
    c->bytes += bytes;
    c->most_bytes = c->bytes > c->most_bytes ? c->bytes : c->most_bytes;
    *out = block + BLOCK_HEADER;
    return TUB_OK;
}

static void flush(tub_gpu *gpu, const size_t *depth);

static void fake_release(tub_gpu *gpu, void *data)
{
    if (!data)
        return;
    if (fake_gpu.late) // like a driver, wait first
        flush(gpu, &gpu->deferred_count);
    size_t bytes;
    memcpy(&bytes, (char *)data - BLOCK_HEADER, sizeof bytes);
    counts(gpu)->bytes -= bytes;
    counts(gpu)->blocks--;
    free((char *)data - BLOCK_HEADER);
}

static tub_status fake_allocate_host(tub_gpu *gpu, size_t bytes, void **out, tub_error *err)
{
    TUB_TRY(refuse(gpu, FAKE_GPU_ALLOCATE_HOST, err));
    TUB_TRY(check(gpu, false, err));
    *out = malloc(bytes ? bytes : 1);
    counts(gpu)->host_blocks++;
    return TUB_OK;
}

static void fake_release_host(tub_gpu *gpu, void *data)
{
    if (fake_gpu.late && data)
        flush(gpu, &gpu->deferred_count);
    counts(gpu)->host_blocks -= data != NULL;
    free(data);
}

static tub_status fake_pin(tub_gpu *gpu, void *host, size_t bytes, tub_error *err)
{
    TUB_TRY(refuse(gpu, FAKE_GPU_PIN, err));
    (void)host;
    (void)bytes;
    TUB_TRY(check(gpu, false, err));
    counts(gpu)->pinned++;
    return TUB_OK;
}

static void fake_unpin(tub_gpu *gpu, void *host)
{
    (void)host;
    counts(gpu)->pinned--;
}

// ---- products ----

enum { ADVISED, FASTER, OTHER_ORDER, UNABLE, ALGORITHMS };

static tub_status fake_algorithms(tub_gpu *gpu, const tub_gpu_gemm *gemm, tub_gpu_algorithm *out, int *count,
                                  tub_error *err)
{
    TUB_TRY(refuse(gpu, FAKE_GPU_ALGORITHMS, err));
    if (gemm->type == TUB_GPU_E4M3 && (fake_gpu.no_fp8 || gemm->k % 16 || gemm->n % 16 || !gemm->weight_scales)) {
        *count = 0;
        return check(gpu, false, err);
    }
    const uint64_t first = gemm->m < fake_gpu.advice_rows ? FASTER : ADVISED;
    for (uint64_t i = first; i < ALGORITHMS; i++)
        out[i - first] = (tub_gpu_algorithm){.data = {i}};
    *count = (int)(ALGORITHMS - first);
    return check(gpu, false, err);
}

static bool is_able(const tub_gpu_gemm *gemm, const tub_gpu_algorithm *algorithm)
{
    return algorithm->data[0] < UNABLE && (algorithm->data[0] != ADVISED || gemm->m >= fake_gpu.advice_rows);
}

static tub_status fake_serves(tub_gpu *gpu, const tub_gpu_gemm *gemm, const tub_gpu_algorithm *algorithm,
                              tub_error *err)
{
    TUB_TRY(refuse(gpu, FAKE_GPU_SERVES, err));
    TUB_TRY(check(gpu, false, err));
    return is_able(gemm, algorithm) ? TUB_OK : TUB_END;
}

// ---- attention ----

enum { PLAN_TEXT = 80 };

static void write_text(const tub_gpu_plan *p, char text[PLAN_TEXT])
{
    memset(text, 0, PLAN_TEXT);
    snprintf(text, PLAN_TEXT, "%d x %d heads of %d, %d by %d", p->batch, p->heads, p->dim, p->queries, p->keys);
}

// *read: the text is this plan's own; false: it has none.
static tub_status is_text_of(const tub_gpu_plan *made, tub_gpu_text text, bool *read, tub_error *err)
{
    char own[PLAN_TEXT];
    write_text(made, own);
    *read = text.bytes == PLAN_TEXT && memcmp(text.data, own, PLAN_TEXT) == 0;
    return *read || text.bytes == 0 ? TUB_OK : tub_fail(err, TUB_ERROR_INTERNAL, "another plan's text");
}

static tub_status fake_plan_attention(tub_gpu *gpu, const tub_gpu_attention *shape, tub_gpu_text text,
                                      tub_gpu_plan **out, size_t *workspace, tub_error *err)
{
    TUB_TRY(refuse(gpu, FAKE_GPU_PLAN_ATTENTION, err));
    const tub_gpu_plan made = {shape->batch, shape->heads, shape->dim, shape->queries, shape->keys};
    bool read;
    TUB_TRY(check(gpu, false, err));
    *out = NULL;
    *workspace = 0;
    if (fake_gpu.no_attention || shape->dim % 8 || shape->queries == 1 || shape->q_batch == 0) {
        tub_fail(err, TUB_ERROR_DEVICE, "%d queries of %d columns aren't served", shape->queries, shape->dim);
        return TUB_END;
    }
    TUB_TRY(is_text_of(&made, text, &read, err));
    *out = malloc(sizeof **out);
    **out = made;
    *workspace = 4096;
    counts(gpu)->plans++;
    counts(gpu)->compiled += !read;
    counts(gpu)->read += read;
    return TUB_OK;
}

static bool fake_write_plan(tub_gpu *gpu, const tub_gpu_plan *plan, char *text, size_t *bytes)
{
    (void)gpu;
    if (*bytes >= PLAN_TEXT)
        write_text(plan, text);
    *bytes = PLAN_TEXT;
    return true;
}

static void fake_release_plan(tub_gpu *gpu, tub_gpu_plan *plan)
{
    counts(gpu)->plans -= plan != NULL;
    free(plan);
}

// ---- work ----

static void do_task(tub_gpu *gpu, const tub_gpu_task *task)
{
    gpu->dead = gpu->dead || (task->kind == TUB_GPU_JOINED && fake_gpu.deadly_joined);
    tub_gpu_host_launch(task);
    if (task->kind == TUB_GPU_JOINED)
        *(uint16_t *)task->joined.out ^= fake_gpu.other_joined;
    gpu->clock += task->kind != TUB_GPU_JOINED ? 0.5 : fake_gpu.slow_joined ? 4 : task->joined.wide ? 0.75 : 1;
}

static void do_work(tub_gpu *gpu, const work *w)
{
    static const double costs[ALGORITHMS] = {3, 2, 1, 1};
    switch (w->kind) {
    case TASK:
        do_task(gpu, &w->task);
        break;
    case PRODUCT:
        fake_library_multiply(&w->product.gemm, w->product.algorithm.data[0] != OTHER_ORDER ? FAKE_USUAL
                                                : fake_gpu.near_order                       ? FAKE_NEAR
                                                                                            : FAKE_OTHER);
        gpu->clock += costs[w->product.algorithm.data[0]];
        break;
    case ATTENTION:
        fake_library_attend(&w->attention);
        break;
    case UPLOAD:
    case DOWNLOAD:
        memcpy(w->copy.to, w->copy.from, w->copy.bytes);
        break;
    }
}

static void flush_some(tub_gpu *gpu, size_t depth)
{
    if (depth == 0)
        return;
    for (size_t i = 0; i < depth && !lost[gpu->index]; i++)
        do_work(gpu, &gpu->deferred[i]);
    gpu->deferred_count -= depth;
    counts(gpu)->pending -= (int)depth;
    memmove(gpu->deferred, gpu->deferred + depth, gpu->deferred_count * sizeof(work));
    for (int i = 0; i < TUB_GPU_EVENTS; i++)
        gpu->event_depth[i] -= gpu->event_depth[i] < depth ? gpu->event_depth[i] : depth;
}

static void flush(tub_gpu *gpu, const size_t *depth)
{
    pthread_mutex_lock(&gpu->lock);
    flush_some(gpu, *depth);
    pthread_mutex_unlock(&gpu->lock);
}

// A kernel, product, attention or replay: these are counted, and can fail.
static tub_status count_call(tub_gpu *gpu, tub_error *err)
{
    TUB_TRY(check(gpu, true, err));
    gpu->calls++;
    const int fail_call = gpu->bare ? fake_gpu.fail_frame : fake_gpu.fail_call;
    if (fail_call && gpu->index == fake_gpu.fail_device && gpu->calls >= fail_call) {
        gpu->dead = true;
        return check(gpu, true, err);
    }
    const int shorts = fake_gpu.short_times > 0 ? fake_gpu.short_times : 1;
    if (!gpu->bare && fake_gpu.short_call && gpu->calls >= fake_gpu.short_call && gpu->shorts < shorts) {
        gpu->shorts++;
        return tub_fail(err, TUB_ERROR_MEMORY, "fake GPU %d: no memory for a kernel", gpu->index);
    }
    return TUB_OK;
}

static void defer(tub_gpu *gpu, const work *w)
{
    pthread_mutex_lock(&gpu->lock);
    if (gpu->deferred_count == gpu->deferred_capacity) {
        gpu->deferred_capacity = 2 * gpu->deferred_capacity + 64;
        gpu->deferred = realloc(gpu->deferred, gpu->deferred_capacity * sizeof *gpu->deferred);
    }
    gpu->deferred[gpu->deferred_count++] = *w;
    counts(gpu)->pending++;
    pthread_mutex_unlock(&gpu->lock);
}

// Depending on the stream, work is done at once or deferred.
static void do_or_defer(tub_gpu *gpu, tub_gpu_stream stream, const work *w)
{
    if ((stream == TUB_GPU_COPY) == fake_gpu.late)
        do_work(gpu, w);
    else
        defer(gpu, w);
}

static tub_status enqueue(tub_gpu *gpu, const work *w, tub_error *err)
{
    TUB_TRY(count_call(gpu, err));
    tub_gpu_graph *g = gpu->recording;
    if (!g) {
        do_or_defer(gpu, TUB_GPU_COMPUTE, w);
        return TUB_OK;
    }
    g->list = realloc(g->list, (g->count + 1) * sizeof *g->list);
    g->list[g->count++] = *w;
    return TUB_OK;
}

static tub_status fake_launch(tub_gpu *gpu, const tub_gpu_task *task, tub_error *err)
{
    TUB_TRY(refuse(gpu, FAKE_GPU_LAUNCH, err));
    const work w = {.kind = TASK, .task = *task};
    TUB_TRY(fake_gpu_check_task(task, err));
    if (task->kind == TUB_GPU_JOINED && (fake_gpu.no_joined || (fake_gpu.no_wide && task->joined.wide)))
        return tub_fail(err, TUB_ERROR_DEVICE, "no such kernel");
    counts(gpu)->launches++;
    counts(gpu)->kinds[task->kind]++;
    counts(gpu)->wide += task->kind == TUB_GPU_JOINED && task->joined.wide;
    counts(gpu)->frames += task->kind == TUB_GPU_PIXELS ? task->pixels.count : 0;
    counts(gpu)->tiled += task->kind == TUB_GPU_PIXELS && task->pixels.tile_rows > 0;
    return enqueue(gpu, &w, err);
}

static tub_status fake_multiply(tub_gpu *gpu, const tub_gpu_gemm *gemm, const tub_gpu_algorithm *algorithm,
                                tub_error *err)
{
    TUB_TRY(refuse(gpu, FAKE_GPU_MULTIPLY, err));
    if (gpu->bare)
        return tub_fail(err, TUB_ERROR_INTERNAL, "a product on a device without libraries");
    const work w = {.kind = PRODUCT, .product = {*gemm, *algorithm}};
    if (!is_able(gemm, algorithm))
        return TUB_END;
    TUB_TRY(fake_gpu_check_gemm(gemm, err));
    if (gemm->has_residual && gemm->out_type != TUB_GPU_F32)
        return tub_fail(err, TUB_ERROR_INTERNAL, "a narrow residual");
    counts(gpu)->multiplies++;
    counts(gpu)->last_algorithm = algorithm->data[0];
    return enqueue(gpu, &w, err);
}

static tub_status fake_attend(tub_gpu *gpu, const tub_gpu_plan *plan, const tub_gpu_attention *a, void *workspace,
                              tub_error *err)
{
    TUB_TRY(refuse(gpu, FAKE_GPU_ATTEND, err));
    const work w = {.kind = ATTENTION, .attention = *a};
    if (!plan || !workspace)
        return tub_fail(err, TUB_ERROR_INTERNAL, "attention without a plan or its workspace");
    counts(gpu)->attends++;
    return enqueue(gpu, &w, err);
}

static tub_status copy(tub_gpu *gpu, tub_gpu_stream stream, const work *w, tub_error *err)
{
    TUB_TRY(check(gpu, false, err));
    do_or_defer(gpu, stream, w);
    return TUB_OK;
}

static tub_status fake_upload(tub_gpu *gpu, tub_gpu_stream stream, void *to, const void *host, size_t bytes,
                              tub_error *err)
{
    TUB_TRY(refuse(gpu, FAKE_GPU_UPLOAD, err));
    const work w = {.kind = UPLOAD, .copy = {to, host, bytes}};
    if (++counts(gpu)->uploads == fake_gpu.fail_upload)
        return tub_fail(err, fake_gpu.short_upload ? TUB_ERROR_MEMORY : TUB_ERROR_DEVICE, "fake GPU %d: a copy failed",
                        gpu->index);
    counts(gpu)->copies += stream == TUB_GPU_COPY;
    return copy(gpu, stream, &w, err);
}

static tub_status fake_download(tub_gpu *gpu, tub_gpu_stream stream, void *host, const void *from, size_t bytes,
                                tub_error *err)
{
    TUB_TRY(refuse(gpu, FAKE_GPU_DOWNLOAD, err));
    const work w = {.kind = DOWNLOAD, .copy = {host, from, bytes}};
    return copy(gpu, stream, &w, err);
}

// For a call that reports an error of earlier work, which has ended by then.
static tub_status refuse_behind(tub_gpu *gpu, fake_gpu_call call, tub_error *err)
{
    const tub_status status = refuse(gpu, call, err);
    if (status != TUB_OK)
        flush(gpu, &gpu->deferred_count);
    return status;
}

static tub_status fake_record(tub_gpu *gpu, int event, tub_gpu_stream stream, tub_error *err)
{
    TUB_TRY(refuse_behind(gpu, FAKE_GPU_RECORD, err));
    pthread_mutex_lock(&gpu->lock);
    gpu->event_depth[event] = (stream == TUB_GPU_COPY) == fake_gpu.late ? 0 : gpu->deferred_count;
    pthread_mutex_unlock(&gpu->lock);
    gpu->event_clock[event] = gpu->clock;
    return check(gpu, false, err);
}

static tub_status fake_wait(tub_gpu *gpu, tub_gpu_stream stream, int event, tub_error *err)
{
    TUB_TRY(refuse_behind(gpu, FAKE_GPU_WAIT, err));
    if (stream == TUB_GPU_COMPUTE && !fake_gpu.late)
        flush(gpu, &gpu->event_depth[event]);
    return check(gpu, false, err);
}

static tub_status fake_settle(tub_gpu *gpu, int event, tub_error *err)
{
    if (fake_gpu.slow && gpu->index == fake_gpu.slow_device)
        usleep((useconds_t)fake_gpu.slow);
    flush(gpu, &gpu->event_depth[event]);
    TUB_TRY(refuse(gpu, FAKE_GPU_SETTLE, err));
    return check(gpu, false, err);
}

static tub_status fake_elapsed(tub_gpu *gpu, int from, int to, double *milliseconds, tub_error *err)
{
    TUB_TRY(refuse(gpu, FAKE_GPU_ELAPSED, err));
    *milliseconds = gpu->event_clock[to] - gpu->event_clock[from];
    return check(gpu, false, err);
}

// ---- graphs ----

static tub_status fake_capture(tub_gpu *gpu, tub_error *err)
{
    TUB_TRY(refuse(gpu, FAKE_GPU_CAPTURE, err));
    TUB_TRY(check(gpu, false, err));
    if (fake_gpu.no_graphs) {
        tub_fail(err, TUB_ERROR_DEVICE, "this device records nothing");
        return TUB_END;
    }
    counts(gpu)->captures++;
    gpu->recording = calloc(1, sizeof *gpu->recording);
    return TUB_OK;
}

static void fake_forget(tub_gpu *gpu, tub_gpu_graph *graph)
{
    if (!graph)
        return;
    counts(gpu)->graphs--;
    free(graph->list);
    free(graph);
}

static tub_status fake_captured(tub_gpu *gpu, tub_gpu_graph **out, tub_error *err)
{
    *out = gpu->recording;
    gpu->recording = NULL;
    counts(gpu)->graphs++;
    if (counts(gpu)->captures <= fake_gpu.spoiled) {
        fake_forget(gpu, *out);
        *out = NULL;
        return tub_fail(err, TUB_ERROR_DEVICE, "a recording was spoiled");
    }
    const tub_status status = refuse(gpu, FAKE_GPU_CAPTURED, err);
    if (status != TUB_OK) {
        fake_forget(gpu, *out);
        *out = NULL;
        return status;
    }
    return check(gpu, false, err);
}

static tub_status fake_replay(tub_gpu *gpu, tub_gpu_graph *graph, tub_error *err)
{
    TUB_TRY(refuse(gpu, FAKE_GPU_REPLAY, err));
    TUB_TRY(check(gpu, false, err));
    TUB_TRY(count_call(gpu, err));
    counts(gpu)->replays++;
    for (size_t i = 0; i < graph->count; i++)
        do_or_defer(gpu, TUB_GPU_COMPUTE, &graph->list[i]);
    return TUB_OK;
}

// ---- one thread at a time ----

static tub_status leave(tub_gpu *gpu, tub_status status)
{
    gpu->inside--;
    return status;
}

#define ONE_THREAD(name, arguments, ...)                                                                               \
    static tub_status alone_##name(__VA_ARGS__, tub_error *err)                                                        \
    {                                                                                                                  \
        if (gpu->inside++ > 0)                                                                                         \
            return leave(gpu, tub_fail(err, TUB_ERROR_INTERNAL, "fake GPU %d: two threads at once", gpu->index));      \
        return leave(gpu, fake_##name arguments);                                                                      \
    }

ONE_THREAD(upload, (gpu, stream, to, host, bytes, err), tub_gpu *gpu, tub_gpu_stream stream, void *to, const void *host,
           size_t bytes)
ONE_THREAD(download, (gpu, stream, host, from, bytes, err), tub_gpu *gpu, tub_gpu_stream stream, void *host,
           const void *from, size_t bytes)
ONE_THREAD(launch, (gpu, task, err), tub_gpu *gpu, const tub_gpu_task *task)
ONE_THREAD(record, (gpu, event, stream, err), tub_gpu *gpu, int event, tub_gpu_stream stream)
ONE_THREAD(wait, (gpu, stream, event, err), tub_gpu *gpu, tub_gpu_stream stream, int event)
ONE_THREAD(settle, (gpu, event, err), tub_gpu *gpu, int event)
ONE_THREAD(elapsed, (gpu, from, to, milliseconds, err), tub_gpu *gpu, int from, int to, double *milliseconds)
ONE_THREAD(algorithms, (gpu, gemm, out, count, err), tub_gpu *gpu, const tub_gpu_gemm *gemm, tub_gpu_algorithm *out,
           int *count)
ONE_THREAD(serves, (gpu, gemm, algorithm, err), tub_gpu *gpu, const tub_gpu_gemm *gemm,
           const tub_gpu_algorithm *algorithm)
ONE_THREAD(multiply, (gpu, gemm, algorithm, err), tub_gpu *gpu, const tub_gpu_gemm *gemm,
           const tub_gpu_algorithm *algorithm)
ONE_THREAD(plan_attention, (gpu, shape, text, out, workspace, err), tub_gpu *gpu, const tub_gpu_attention *shape,
           tub_gpu_text text, tub_gpu_plan **out, size_t *workspace)
ONE_THREAD(attend, (gpu, plan, attention, workspace, err), tub_gpu *gpu, const tub_gpu_plan *plan,
           const tub_gpu_attention *attention, void *workspace)
ONE_THREAD(replay, (gpu, graph, err), tub_gpu *gpu, tub_gpu_graph *graph)

const tub_gpu_ops fake_gpu_ops = {
    .version = TUB_GPU_VERSION,
    .count = fake_count,
    .describe = fake_describe,
    .open = fake_open,
    .close = fake_close,
    .memory_free = fake_memory_free,
    .allocate = fake_allocate,
    .release = fake_release,
    .allocate_host = fake_allocate_host,
    .release_host = fake_release_host,
    .pin = fake_pin,
    .unpin = fake_unpin,
    .upload = alone_upload,
    .download = alone_download,
    .launch = alone_launch,
    .record = alone_record,
    .wait = alone_wait,
    .settle = alone_settle,
    .elapsed = alone_elapsed,
    .algorithms = alone_algorithms,
    .serves = alone_serves,
    .multiply = alone_multiply,
    .plan_attention = alone_plan_attention,
    .write_plan = fake_write_plan,
    .attend = alone_attend,
    .release_plan = fake_release_plan,
    .capture = fake_capture,
    .captured = fake_captured,
    .replay = alone_replay,
    .forget = fake_forget,
};
