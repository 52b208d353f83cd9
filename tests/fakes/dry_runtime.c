// The part of the CUDA runtime that the plug-in uses, for cards that compute nothing: see dry_gpu.h. Launches are in
// dry_kernels.c.
//
// A recording stream must follow what the runtime's documents say of thread-local capture: until it ends, its thread
// allocates nothing and waits for nothing.
#include <cuda_runtime_api.h>
#include <dlfcn.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "dry_cards.h"
#include "dry_runtime.h"

enum { BLOCKS = 4096 };

struct CUstream_st {
    int device;
    bool captures;
    long recorded;
    long worked; // milliseconds
};

struct CUevent_st {
    int device;
    bool recorded, ready;
    long at; // milliseconds of its stream's work
};

struct CUgraph_st {
    int device;
    long nodes;
};

struct CUgraphExec_st {
    int device;
    long nodes;
};

typedef struct block {
    char *data;
    size_t bytes;
    int device; // -1: pinned host memory
} block;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static dry_tally tally;
static block blocks[BLOCKS];
static size_t block_count;

static _Thread_local int current;
static _Thread_local cudaError_t last;
static _Thread_local cudaStream_t capturing; // the stream that this thread records

// ---- what is shared ----

const dry_card *dry_card_at(int wanted)
{
    const char *list = getenv("DRY_GPUS");
    int i = 0;
    for (const char *at = list ? list : "h100"; at; at = strchr(at, ',') ? strchr(at, ',') + 1 : NULL, i++)
        if (i == wanted)
            for (size_t k = 0; k < sizeof dry_cards / sizeof *dry_cards; k++)
                if (strncmp(at, dry_cards[k].key, strlen(dry_cards[k].key)) == 0)
                    return &dry_cards[k];
    return NULL;
}

const dry_card *dry_current(void)
{
    return dry_card_at(current);
}

void dry_get_tally(dry_tally *out)
{
    pthread_mutex_lock(&lock);
    *out = tally;
    pthread_mutex_unlock(&lock);
}

void dry_clear_tally(void)
{
    pthread_mutex_lock(&lock);
    const dry_tally there = tally;
    tally = (dry_tally){.blocks = there.blocks,
                        .pinned = there.pinned,
                        .streams = there.streams,
                        .events = there.events,
                        .graphs = there.graphs,
                        .handles = there.handles,
                        .descriptions = there.descriptions};
    pthread_mutex_unlock(&lock);
}

dry_tally *dry_the_tally(void)
{
    return &tally;
}

void dry_count(long *what, long by)
{
    pthread_mutex_lock(&lock);
    *what += by;
    pthread_mutex_unlock(&lock);
}

bool dry_refuse(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    pthread_mutex_lock(&lock);
    if (tally.refused++ == 0)
        vsnprintf(tally.first, sizeof tally.first, format, arguments);
    pthread_mutex_unlock(&lock);
    va_end(arguments);
    return false;
}

cudaError_t dry_keep(cudaError_t code)
{
    last = code == cudaSuccess ? last : code;
    return code;
}

static cudaError_t refused(cudaError_t code, const char *why)
{
    dry_refuse("%s", why);
    return dry_keep(code);
}

static const block *find_block(const void *data)
{
    for (size_t i = 0; i < block_count; i++)
        if ((const char *)data >= blocks[i].data && (const char *)data < blocks[i].data + blocks[i].bytes)
            return &blocks[i];
    return NULL;
}

// -1: pinned; -2: in no known block; -3: it goes beyond the end of its block.
static int device_of(const void *data, size_t bytes)
{
    pthread_mutex_lock(&lock);
    const block *b = find_block(data);
    const int device = !b ? -2 : (size_t)(b->data + b->bytes - (const char *)data) >= bytes ? b->device : -3;
    pthread_mutex_unlock(&lock);
    return device;
}

bool dry_is_device(const void *data, size_t bytes, const char *what)
{
    return device_of(data, bytes) == current ||
           dry_refuse("%s: %zu bytes at %p aren't in one block of device %d", what, bytes, data, current);
}

bool dry_work(cudaStream_t stream, long *what, const char *name)
{
    if (!stream || stream->device != current)
        return dry_refuse("%s: not a stream of device %d", name, current);
    if (stream->captures && capturing != stream)
        return dry_refuse("%s: another thread records this stream", name);
    if (!stream->captures) {
        stream->worked += 2;
        dry_count(what, 1);
        return true;
    }
    stream->recorded++;
    dry_count(&tally.captured, 1);
    return true;
}

static bool may_wait(const char *call)
{
    return !capturing || dry_refuse("%s while a stream records", call);
}

// ---- errors ----

cudaError_t cudaGetLastError(void)
{
    const cudaError_t code = last;
    last = cudaSuccess;
    return code;
}

const char *cudaGetErrorName(cudaError_t code)
{
    return code == cudaErrorMemoryAllocation ? "cudaErrorMemoryAllocation" : "an error of the dry runtime";
}

const char *cudaGetErrorString(cudaError_t code)
{
    (void)code;
    return tally.refused ? tally.first : "an error of the dry runtime";
}

// ---- devices ----

cudaError_t cudaDriverGetVersion(int *version)
{
    *version = CUDART_VERSION;
    return cudaSuccess;
}

// The real runtime has opened the driver by then, and keeps it.
cudaError_t cudaGetDeviceCount(int *count)
{
    (void)dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    for (*count = 0; dry_card_at(*count); ++*count)
        ;
    return *count ? cudaSuccess : cudaErrorNoDevice;
}

cudaError_t cudaGetDeviceProperties(struct cudaDeviceProp *out, int device)
{
    const dry_card *card = dry_card_at(device);
    memset(out, 0, sizeof *out);
    if (!card)
        return refused(cudaErrorInvalidDevice, "cudaGetDeviceProperties: no such device");
    snprintf(out->name, sizeof out->name, "%s", card->name);
    out->major = card->major;
    out->minor = card->minor;
    out->multiProcessorCount = card->processors;
    out->totalGlobalMem = card->memory;
    return cudaSuccess;
}

cudaError_t cudaSetDevice(int device)
{
    if (!dry_card_at(device))
        return refused(cudaErrorInvalidDevice, "cudaSetDevice: no such device");
    current = device;
    return cudaSuccess;
}

cudaError_t cudaGetDevice(int *device)
{
    *device = current;
    return cudaSuccess;
}

cudaError_t cudaDeviceGetAttribute(int *value, enum cudaDeviceAttr attribute, int device)
{
    const dry_card *card = dry_card_at(device);
    if (!card || attribute != cudaDevAttrMultiProcessorCount)
        return refused(cudaErrorInvalidValue, "cudaDeviceGetAttribute: no such device, or another attribute");
    *value = card->processors;
    return cudaSuccess;
}

cudaError_t cudaDeviceGetStreamPriorityRange(int *least, int *greatest)
{
    *least = 0;
    *greatest = -5;
    return cudaSuccess;
}

// ---- memory ----

static size_t used_by(int device)
{
    size_t used = 0;
    for (size_t i = 0; i < block_count; i++)
        used += blocks[i].device == device ? blocks[i].bytes : 0;
    return used;
}

cudaError_t cudaMemGetInfo(size_t *unused, size_t *whole)
{
    if (!may_wait("cudaMemGetInfo"))
        return last = cudaErrorStreamCaptureUnsupported;
    pthread_mutex_lock(&lock);
    *whole = dry_current()->memory;
    *unused = *whole - used_by(current);
    pthread_mutex_unlock(&lock);
    return cudaSuccess;
}

static cudaError_t add_block(char *data, size_t bytes, int device)
{
    if (block_count == BLOCKS)
        return cudaErrorMemoryAllocation;
    blocks[block_count++] = (block){data, bytes, device};
    if (device < 0)
        tally.pinned++;
    else
        tally.blocks++;
    return cudaSuccess;
}

cudaError_t cudaMalloc(void **out, size_t bytes)
{
    if (!may_wait("cudaMalloc"))
        return last = cudaErrorStreamCaptureUnsupported;
    pthread_mutex_lock(&lock);
    const bool fits = bytes <= dry_current()->memory - used_by(current);
    *out = fits ? mmap(NULL, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0) : MAP_FAILED;
    const cudaError_t code = *out == MAP_FAILED ? cudaErrorMemoryAllocation : add_block(*out, bytes, current);
    pthread_mutex_unlock(&lock);
    return dry_keep(code);
}

// Returns the block that begins there, and forgets it; no data: there is none.
static block take_block(const void *data, bool pinned)
{
    block found = {0};
    pthread_mutex_lock(&lock);
    for (size_t i = 0; i < block_count && !found.data; i++)
        if (blocks[i].data == data && (blocks[i].device < 0) == pinned) {
            found = blocks[i];
            blocks[i] = blocks[--block_count];
            tally.pinned -= pinned;
            tally.blocks -= !pinned;
        }
    pthread_mutex_unlock(&lock);
    return found;
}

cudaError_t cudaFree(void *data)
{
    if (!may_wait("cudaFree"))
        return last = cudaErrorStreamCaptureUnsupported;
    const block b = take_block(data, false);
    if (!b.data)
        return refused(cudaErrorInvalidValue, "cudaFree: not a block of a device");
    munmap(b.data, b.bytes);
    return cudaSuccess;
}

cudaError_t cudaHostAlloc(void **out, size_t bytes, unsigned flags)
{
    if (flags != cudaHostAllocPortable)
        return refused(cudaErrorInvalidValue, "cudaHostAlloc: not for all devices");
    if (!may_wait("cudaHostAlloc"))
        return last = cudaErrorStreamCaptureUnsupported;
    *out = malloc(bytes);
    pthread_mutex_lock(&lock);
    const cudaError_t code = *out ? add_block(*out, bytes, -1) : cudaErrorMemoryAllocation;
    pthread_mutex_unlock(&lock);
    return dry_keep(code);
}

cudaError_t cudaFreeHost(void *data)
{
    if (!may_wait("cudaFreeHost"))
        return last = cudaErrorStreamCaptureUnsupported;
    const block b = take_block(data, true);
    if (!b.data)
        return refused(cudaErrorInvalidValue, "cudaFreeHost: not pinned memory");
    free(b.data);
    return cudaSuccess;
}

cudaError_t cudaHostRegister(void *data, size_t bytes, unsigned flags)
{
    if (flags != cudaHostRegisterPortable || bytes == 0)
        return refused(cudaErrorInvalidValue, "cudaHostRegister: not for all devices");
    if (!may_wait("cudaHostRegister"))
        return last = cudaErrorStreamCaptureUnsupported;
    if (device_of(data, 1) != -2)
        return refused(cudaErrorHostMemoryAlreadyRegistered, "cudaHostRegister: registered already");
    pthread_mutex_lock(&lock);
    const cudaError_t code = add_block(data, bytes, -1);
    pthread_mutex_unlock(&lock);
    return dry_keep(code);
}

cudaError_t cudaHostUnregister(void *data)
{
    if (!may_wait("cudaHostUnregister"))
        return last = cudaErrorStreamCaptureUnsupported;
    if (!take_block(data, true).data)
        return refused(cudaErrorHostMemoryNotRegistered, "cudaHostUnregister: not registered");
    return cudaSuccess;
}

cudaError_t cudaMemcpyAsync(void *to, const void *from, size_t bytes, enum cudaMemcpyKind kind, cudaStream_t stream)
{
    const bool up = kind == cudaMemcpyHostToDevice;
    long copies = 0;
    if (!up && kind != cudaMemcpyDeviceToHost)
        return refused(cudaErrorInvalidMemcpyDirection, "cudaMemcpyAsync: of another kind");
    if (!dry_work(stream, &copies, "cudaMemcpyAsync"))
        return last = cudaErrorInvalidResourceHandle;
    if (!dry_is_device(up ? to : from, bytes, up ? "an upload" : "a download"))
        return last = cudaErrorInvalidValue;
    if (device_of(up ? from : to, bytes) >= 0)
        return refused(cudaErrorInvalidValue, "cudaMemcpyAsync: the host's memory is a device's");
    for (size_t i = 0; up && i < bytes; i += 4096)
        (void)((const volatile char *)from)[i];
    if (!up)
        memset(to, 0, bytes);
    return cudaSuccess;
}

// ---- streams and events ----

cudaError_t cudaStreamCreateWithPriority(cudaStream_t *out, unsigned flags, int priority)
{
    if (flags != cudaStreamNonBlocking || priority > 0 || priority < -5)
        return refused(cudaErrorInvalidValue, "cudaStreamCreateWithPriority: not as ours are");
    *out = calloc(1, sizeof **out);
    if (!*out)
        return last = cudaErrorMemoryAllocation;
    (*out)->device = current;
    dry_count(&tally.streams, 1);
    return cudaSuccess;
}

cudaError_t cudaStreamDestroy(cudaStream_t stream)
{
    if (!stream || stream->captures)
        return refused(cudaErrorInvalidResourceHandle, "cudaStreamDestroy: none, or it records");
    free(stream);
    dry_count(&tally.streams, -1);
    return cudaSuccess;
}

cudaError_t cudaEventCreateWithFlags(cudaEvent_t *out, unsigned flags)
{
    if (flags & cudaEventDisableTiming)
        return refused(cudaErrorInvalidValue, "cudaEventCreateWithFlags: events that can't be timed");
    *out = calloc(1, sizeof **out);
    if (!*out)
        return last = cudaErrorMemoryAllocation;
    (*out)->device = current;
    dry_count(&tally.events, 1);
    return cudaSuccess;
}

cudaError_t cudaEventDestroy(cudaEvent_t event)
{
    if (!event)
        return refused(cudaErrorInvalidResourceHandle, "cudaEventDestroy: none");
    free(event);
    dry_count(&tally.events, -1);
    return cudaSuccess;
}

// During a recording, the host can't wait for an event.
cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream)
{
    if (!event || !stream || event->device != stream->device || stream->device != current)
        return refused(cudaErrorInvalidResourceHandle, "cudaEventRecord: event and stream of other devices");
    if (!may_wait("cudaEventRecord"))
        return last = cudaErrorStreamCaptureUnsupported;
    event->recorded = true;
    event->ready = false;
    event->at = stream->worked;
    return cudaSuccess;
}

cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event, unsigned flags)
{
    if (!event || !stream || stream->device != current || flags != 0)
        return refused(cudaErrorInvalidResourceHandle, "cudaStreamWaitEvent: not a stream of this device");
    if (!may_wait("cudaStreamWaitEvent")) // on an event from before the recording
        return last = cudaErrorStreamCaptureIsolation;
    return cudaSuccess;
}

// The first query says that it isn't ready.
cudaError_t cudaEventQuery(cudaEvent_t event)
{
    if (!event || !may_wait("cudaEventQuery"))
        return last = cudaErrorStreamCaptureUnsupported;
    const bool ready = event->ready || !event->recorded;
    event->ready = true;
    return dry_keep(ready ? cudaSuccess : cudaErrorNotReady);
}

cudaError_t cudaEventSynchronize(cudaEvent_t event)
{
    if (!event || !may_wait("cudaEventSynchronize"))
        return last = cudaErrorStreamCaptureUnsupported;
    return cudaSuccess;
}

cudaError_t cudaEventElapsedTime(float *milliseconds, cudaEvent_t from, cudaEvent_t to)
{
    if (!from || !to || !from->recorded || !to->recorded || !may_wait("cudaEventElapsedTime"))
        return refused(cudaErrorInvalidResourceHandle, "cudaEventElapsedTime: of an event that wasn't recorded");
    *milliseconds = (float)(to->at - from->at);
    return cudaSuccess;
}

// ---- graphs ----

cudaError_t cudaStreamBeginCapture(cudaStream_t stream, enum cudaStreamCaptureMode mode)
{
    if (!stream || stream->device != current || stream->captures || capturing ||
        mode != cudaStreamCaptureModeThreadLocal)
        return refused(cudaErrorIllegalState, "cudaStreamBeginCapture: it records already");
    stream->captures = true;
    stream->recorded = 0;
    capturing = stream;
    return cudaSuccess;
}

cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t *out)
{
    *out = NULL;
    if (!stream || capturing != stream)
        return refused(cudaErrorIllegalState, "cudaStreamEndCapture: this thread records no such stream");
    stream->captures = false;
    capturing = NULL;
    *out = calloc(1, sizeof **out);
    if (!*out)
        return last = cudaErrorMemoryAllocation;
    **out = (struct CUgraph_st){stream->device, stream->recorded};
    dry_count(&tally.graphs, 1);
    return cudaSuccess;
}

cudaError_t cudaGraphInstantiate(cudaGraphExec_t *out, cudaGraph_t graph, unsigned long long flags)
{
    if (!graph || flags || !may_wait("cudaGraphInstantiate"))
        return refused(cudaErrorInvalidValue, "cudaGraphInstantiate: no graph");
    *out = calloc(1, sizeof **out);
    if (!*out)
        return last = cudaErrorMemoryAllocation;
    **out = (struct CUgraphExec_st){graph->device, graph->nodes};
    dry_count(&tally.graphs, 1);
    return cudaSuccess;
}

cudaError_t cudaGraphDestroy(cudaGraph_t graph)
{
    free(graph);
    dry_count(&tally.graphs, -1);
    return cudaSuccess;
}

cudaError_t cudaGraphExecDestroy(cudaGraphExec_t graph)
{
    free(graph);
    dry_count(&tally.graphs, -1);
    return cudaSuccess;
}

cudaError_t cudaGraphLaunch(cudaGraphExec_t graph, cudaStream_t stream)
{
    if (!graph || !stream || graph->device != stream->device || stream->device != current || stream->captures)
        return refused(cudaErrorInvalidValue, "cudaGraphLaunch: not a graph of this device, or while it is recorded");
    dry_count(&tally.replayed, graph->nodes > 0);
    return cudaSuccess;
}
