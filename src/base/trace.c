#include <tubelet/trace.h>

#include <inttypes.h>
#include <jansson.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "atomic_file.h"
#include "fail.h"
#include "memory.h"
#include "nvtx.h"
#include "params.h"

enum { CHUNK_EVENTS = 1024, DEEPEST = 8, SHORTEST = 10000 };

static const size_t most_events = (size_t)1 << 20;

// In nanoseconds of the monotonic clock, or (cpu) of the thread's processor time.
typedef struct event {
    const char *name, *detail;
    int64_t start, length; // length < 0: a sample of a counter
    int64_t cpu_start, cpu;
    int64_t value;
} event;

typedef struct chunk {
    struct chunk *next;
    int count;
    event events[CHUNK_EVENTS];
} chunk;

struct tub_lane {
    tub_lane *next;
    tub_trace *trace;
    char *name;
    chunk *first, *last;
    size_t events;
    int64_t dropped;
    tub_arena details;
    int depth;
    struct {
        const char *name;
        int64_t start, cpu_start;
    } open[DEEPEST];
};

struct tub_trace {
    pthread_mutex_t lock; // of the list of lanes
    tub_lane *first, *last;
    size_t most_events; // 0: ranges only
    int64_t start;
    tub_nvtx nvtx;
};

static int64_t read_clock(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static int64_t now(void)
{
    return read_clock(CLOCK_MONOTONIC);
}

// This is a system call, and a profiler's ranges don't need it.
static int64_t cpu_now(const tub_lane *lane)
{
    return lane->trace->most_events ? read_clock(CLOCK_THREAD_CPUTIME_ID) : 0;
}

tub_status tub_trace_open(const tub_trace_params *params, tub_trace **out, tub_error *err)
{
    if (!out)
        return tub_fail(err, TUB_ERROR_ARGUMENT, "trace: nowhere to put it");
    *out = NULL;
    TUB_TRY(tub_check_size("tub_trace_params", params ? params->size : 0, sizeof *params, err));
    tub_trace *trace = tub_calloc(1, sizeof *trace);
    if (!trace)
        return tub_fail_memory(err, "a trace");
    pthread_mutex_init(&trace->lock, NULL);
    trace->most_events = params && params->most_events ? params->most_events : most_events;
    if (params && params->ranges_only)
        trace->most_events = 0;
    trace->start = now();
    tub_nvtx_load(&trace->nvtx);
    *out = trace;
    return TUB_OK;
}

tub_lane *tub_trace_lane(tub_trace *trace, const char *name)
{
    tub_lane *lane = trace ? tub_calloc(1, sizeof *lane) : NULL;
    if (!lane)
        return NULL;
    lane->trace = trace;
    lane->name = tub_strdup(name);
    tub_arena_init(&lane->details);
    pthread_mutex_lock(&trace->lock);
    *(trace->last ? &trace->last->next : &trace->first) = lane;
    trace->last = lane;
    pthread_mutex_unlock(&trace->lock);
    if (trace->nvtx.name_thread && lane->name)
        trace->nvtx.name_thread((unsigned)syscall(SYS_gettid), lane->name);
    return lane;
}

static void record(tub_lane *lane, const event *e)
{
    chunk *last = lane->last;
    if (lane->trace->most_events == 0)
        return;
    if (lane->events < lane->trace->most_events && (!last || last->count == CHUNK_EVENTS)) {
        chunk *more = tub_calloc(1, sizeof *more);
        if (more) {
            *(last ? &last->next : &lane->first) = more;
            lane->last = last = more;
        }
    }
    if (lane->events >= lane->trace->most_events || !last || last->count == CHUNK_EVENTS) {
        lane->dropped++;
        return;
    }
    last->events[last->count++] = *e;
    lane->events++;
}

void tub_lane_begin(tub_lane *lane, const char *name)
{
    if (!lane)
        return;
    if (lane->depth < DEEPEST) {
        lane->open[lane->depth].name = name;
        lane->open[lane->depth].start = now();
        lane->open[lane->depth].cpu_start = cpu_now(lane);
    }
    lane->depth++;
    if (lane->trace->nvtx.push)
        lane->trace->nvtx.push(name);
}

void tub_lane_end(tub_lane *lane, const char *detail, int64_t value)
{
    if (!lane || lane->depth == 0)
        return;
    if (lane->trace->nvtx.pop)
        lane->trace->nvtx.pop();
    if (--lane->depth >= DEEPEST)
        return;
    event e = {.name = lane->open[lane->depth].name,
               .start = lane->open[lane->depth].start,
               .cpu_start = lane->open[lane->depth].cpu_start,
               .value = value};
    e.cpu = cpu_now(lane) - e.cpu_start;
    e.length = now() - e.start;
    if (detail && lane->events < lane->trace->most_events)
        e.detail = tub_arena_strdup(&lane->details, detail);
    record(lane, &e);
}

void tub_lane_took(tub_lane *lane, const char *name, double seconds)
{
    const double most = 1e9; // seconds; nanoseconds in int64_t hold far more
    if (!lane || !(seconds * 1e9 >= SHORTEST))
        return;
    int64_t length = (int64_t)((seconds < most ? seconds : most) * 1e9), end = now();
    int64_t least = lane->depth > 0 && lane->depth <= DEEPEST ? lane->open[lane->depth - 1].start : lane->trace->start;
    int64_t start = end - length > least ? end - length : least;
    record(lane, &(event){.name = name, .start = start, .length = end - start, .cpu_start = -1, .value = -1});
}

void tub_lane_count(tub_lane *lane, const char *name, int64_t value)
{
    if (lane)
        record(lane, &(event){.name = name, .start = now(), .length = -1, .value = value});
}

int64_t tub_trace_dropped(const tub_trace *trace)
{
    int64_t dropped = 0;
    for (const tub_lane *lane = trace->first; lane; lane = lane->next)
        dropped += lane->dropped;
    return dropped;
}

// ---- the file

// A JSON string, quotes included; what isn't UTF-8 becomes '?'. To be freed with free().
static char *quoted(const char *text)
{
    json_t *string = json_string(text);
    char *plain = string ? NULL : tub_strdup(text);
    for (char *c = plain; c && *c; c++)
        *c = (unsigned char)*c < 0x80 ? *c : '?';
    if (plain)
        string = json_string(plain);
    char *out = string ? json_dumps(string, JSON_ENCODE_ANY) : NULL;
    json_decref(string);
    tub_free(plain);
    return out;
}

// The lines of the file are put together in memory and written in large pieces.
typedef struct page {
    tub_atomic_file *file;
    tub_error *err; // the caller's, or NULL
    char text[1 << 16];
    size_t used;
    int pid;
    int64_t origin;
    bool first;
} page;

static tub_status flush(page *p)
{
    size_t bytes = p->used;
    p->used = 0;
    return tub_atomic_write(p->file, p->text, bytes, p->err);
}

// Adds one event. `format` begins after the common fields.
static tub_status add(page *p, int thread, const char *name, const char *format, ...) TUB_PRINTF(4, 5);

static tub_status add(page *p, int thread, const char *name, const char *format, ...)
{
    char *detail = NULL;
    va_list arguments;
    va_start(arguments, format);
    int length = vasprintf(&detail, format, arguments);
    va_end(arguments);
    if (length < 0)
        return tub_fail_memory(p->err, "a trace");
    tub_status status = TUB_OK;
    if (p->used + (size_t)length + 256 > sizeof p->text)
        status = flush(p);
    if (status == TUB_OK && (size_t)length + 256 <= sizeof p->text)
        p->used += (size_t)snprintf(p->text + p->used, sizeof p->text - p->used,
                                    "%s{\"pid\":%d,\"tid\":%d,\"name\":\"%s\",%s}", p->first ? "\n" : ",\n", p->pid,
                                    thread, name, detail);
    p->first = false;
    free(detail);
    return status;
}

static tub_status add_name(page *p, int thread, const char *what, const char *name)
{
    char *text = quoted(name);
    tub_status status = add(p, thread, what, "\"ph\":\"M\",\"args\":{\"name\":%s}", text ? text : "\"\"");
    free(text);
    return status;
}

#define MICRO "%" PRId64 ".%03d"
#define IN_MICRO(ns) (ns) / 1000, (int)((ns) % 1000)

static tub_status add_event(page *p, int thread, const event *e)
{
    int64_t start = e->start - p->origin;
    if (e->length < 0)
        return add(p, thread, e->name, "\"ph\":\"C\",\"ts\":" MICRO ",\"args\":{\"value\":%" PRId64 "}",
                   IN_MICRO(start), e->value);
    char *detail = e->detail ? quoted(e->detail) : NULL, value[40] = "", cpu[80] = "";
    if (e->value >= 0)
        snprintf(value, sizeof value, "%s\"value\":%" PRId64, detail ? "," : "", e->value);
    if (e->cpu_start >= 0) // else it is a wait
        snprintf(cpu, sizeof cpu, ",\"tts\":" MICRO ",\"tdur\":" MICRO, IN_MICRO(e->cpu_start), IN_MICRO(e->cpu));
    tub_status status =
        add(p, thread, e->name, "\"ph\":\"X\",\"ts\":" MICRO ",\"dur\":" MICRO "%s,\"args\":{%s%s%s}", IN_MICRO(start),
            IN_MICRO(e->length), cpu, detail ? "\"detail\":" : "", detail ? detail : "", value);
    free(detail);
    return status;
}

static tub_status add_lane(page *p, int thread, const tub_lane *lane)
{
    TUB_TRY(add_name(p, thread, "thread_name", lane->name ? lane->name : "?"));
    TUB_TRY(add(p, thread, "thread_sort_index", "\"ph\":\"M\",\"args\":{\"sort_index\":%d}", thread));
    for (const chunk *c = lane->first; c; c = c->next)
        for (int i = 0; i < c->count; i++)
            TUB_TRY(add_event(p, thread, &c->events[i]));
    return TUB_OK;
}

static tub_status write_all(const tub_trace *trace, page *p)
{
    static const char head[] = "{\"displayTimeUnit\":\"ms\",\"traceEvents\":[";
    char tail[128];
    int thread = 0;
    TUB_TRY(tub_atomic_write(p->file, head, sizeof head - 1, p->err));
    TUB_TRY(add_name(p, 0, "process_name", "tubelet"));
    for (const tub_lane *lane = trace->first; lane; lane = lane->next)
        TUB_TRY(add_lane(p, ++thread, lane));
    TUB_TRY(flush(p));
    int length = snprintf(tail, sizeof tail, "\n],\"otherData\":{\"version\":\"%s\",\"dropped\":%" PRId64 "}}\n",
                          tub_version(), tub_trace_dropped(trace));
    return tub_atomic_write(p->file, tail, (size_t)length, p->err);
}

tub_status tub_trace_save(const tub_trace *trace, const char *path, tub_error *err)
{
    TUB_TRY(tub_check_given("the trace", trace, err));
    TUB_TRY(tub_check_given("path", path, err));
    page *p = tub_calloc(1, sizeof *p);
    if (!p)
        return tub_fail_memory(err, "a trace");
    p->err = err;
    p->pid = (int)getpid();
    p->origin = trace->start;
    p->first = true;
    tub_status status = tub_atomic_open(path, &p->file, err);
    if (status == TUB_OK)
        status = write_all(trace, p);
    if (status == TUB_OK)
        status = tub_atomic_commit(&p->file, err);
    else
        tub_atomic_abandon(&p->file);
    tub_free(p);
    return status;
}

void tub_trace_close(tub_trace **trace)
{
    if (!trace || !*trace)
        return;
    tub_lane *lane = (*trace)->first;
    while (lane) {
        tub_lane *next = lane->next;
        for (chunk *c = lane->first, *after; c; c = after) {
            after = c->next;
            tub_free(c);
        }
        tub_arena_finish(&lane->details);
        tub_free(lane->name);
        tub_free(lane);
        lane = next;
    }
    pthread_mutex_destroy(&(*trace)->lock);
    tub_free(*trace);
    *trace = NULL;
}
