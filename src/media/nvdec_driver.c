#include "nvdec_driver.h"

#include <dlfcn.h>
#include <libavutil/hwcontext.h>
#include <libavutil/imgutils.h>
#include <libavutil/pixdesc.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "decoder_list.h"
#include "memory.h"
#include "nvdec_hold.h"

// hwcontext_cuda.h needs CUDA's header only for these two pointer types.
#define CUDA_VERSION 0
typedef struct CUctx_st *CUcontext;
typedef struct CUstream_st *CUstream;
#include <libavutil/hwcontext_cuda.h>

// What cuMemcpy2DAsync() takes: CUDA_MEMCPY2D.
typedef struct copy_side {
    size_t x_bytes, y;
    int memory; // HOST_MEMORY, DEVICE_MEMORY
    void *host;
    unsigned long long device;
    void *array;
    size_t pitch;
} copy_side;

typedef struct copy_2d {
    copy_side from, to;
    size_t bytes, rows;
} copy_2d;

typedef struct tub_nvdec_driver {
    void *cuda, *cuvid; // libraries
    int device;
    CUcontext context; // NULL: not retained
    CUstream stream;   // this decoder's; NULL: not created
    int (*init)(unsigned flags);
    int (*get)(int *device, int ordinal);
    int (*retain)(CUcontext *context, int device);
    int (*release)(int device);
    int (*push)(CUcontext context);
    int (*pop)(CUcontext *context);
    int (*create)(CUstream *stream, unsigned flags);
    int (*destroy)(CUstream stream);
    int (*synchronize)(CUstream stream);
    int (*copy)(const copy_2d *copy, CUstream stream);
    int (*capabilities)(void *query);
} tub_nvdec_driver;

// What cuvidGetDecoderCaps() takes and fills in: CUVIDDECODECAPS of NVIDIA's Video Codec SDK, whose layout is fixed.
typedef struct tub_nvdec_query {
    int codec, chroma; // in
    unsigned bits_over_8, reserved_in[3];
    unsigned char supported, engines; // out
    unsigned short formats;
    unsigned widest, highest, most_blocks;
    unsigned short least_width, least_height;
    unsigned reserved_out[11];
} tub_nvdec_query;

enum { CHROMA_420 = 1, NON_BLOCKING = 1, NOT_SUPPORTED = 801, HOST_MEMORY = 1, DEVICE_MEMORY = 2 };

typedef struct symbol {
    const char *name;
    void *slot;
} symbol;

// Loads symbols of an open library. False: one is missing.
static bool load(void *library, const symbol *symbols, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        void *found = dlsym(library, symbols[i].name);
        if (!found)
            return false;
        memcpy(symbols[i].slot, &found, sizeof found); // dlsym() returns a function's address as an object's
    }
    return true;
}

// The library stays loaded: the driver has threads and exit handlers.
static void *open_library(const char *name)
{
    return dlopen(name, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
}

static bool load_libraries(tub_nvdec_driver *d, char *reason, size_t bytes)
{
    const symbol cuda[] = {{"cuInit", &d->init},
                           {"cuDeviceGet", &d->get},
                           {"cuDevicePrimaryCtxRetain", &d->retain},
                           {"cuDevicePrimaryCtxRelease", &d->release},
                           {"cuCtxPushCurrent_v2", &d->push},
                           {"cuCtxPopCurrent_v2", &d->pop},
                           {"cuStreamCreate", &d->create},
                           {"cuStreamDestroy_v2", &d->destroy},
                           {"cuStreamSynchronize", &d->synchronize},
                           {"cuMemcpy2DAsync_v2", &d->copy}};
    const symbol cuvid[] = {{"cuvidGetDecoderCaps", &d->capabilities}};
    d->cuda = open_library("libcuda.so.1");
    if (!d->cuda) {
        snprintf(reason, bytes, "there is no NVIDIA driver (libcuda.so.1)");
        return false;
    }
    d->cuvid = open_library("libnvcuvid.so.1");
    if (!d->cuvid) {
        snprintf(reason, bytes,
                 "the driver's libnvcuvid.so.1 isn't here (containers: NVIDIA_DRIVER_CAPABILITIES must name video)");
        return false;
    }
    if (load(d->cuda, cuda, sizeof cuda / sizeof *cuda) && load(d->cuvid, cuvid, sizeof cuvid / sizeof *cuvid))
        return true;
    snprintf(reason, bytes, "the NVIDIA driver is too old");
    return false;
}

static bool retain(tub_nvdec_driver *d, int gpu, char *reason, size_t bytes)
{
    int code = d->init(0);
    if (code == 0)
        code = d->get(&d->device, gpu);
    if (code == 0)
        code = d->retain(&d->context, d->device);
    if (code == 0)
        return true;
    d->context = NULL;
    snprintf(reason, bytes, "GPU %d can't be used (CUDA error %d)", gpu, code);
    return false;
}

static bool ask(const tub_nvdec_driver *d, tub_nvdec_query *query, char *reason, size_t bytes)
{
    CUcontext popped;
    int code = d->push(d->context);
    if (code == 0) {
        code = d->capabilities(query);
        d->pop(&popped);
    }
    if (code == 0)
        return true;
    if (code == NOT_SUPPORTED)
        snprintf(reason, bytes, "this GPU has no video decoder");
    else
        snprintf(reason, bytes, "this GPU's video decoder doesn't answer (CUDA error %d)", code);
    return false;
}

static const char *name_of(tub_nvdec_codec codec)
{
    switch (codec) {
    case TUB_NVDEC_H264:
        return "h264";
    case TUB_NVDEC_HEVC:
        return "hevc";
    case TUB_NVDEC_VP8:
        return "vp8";
    case TUB_NVDEC_VP9:
        return "vp9";
    case TUB_NVDEC_AV1:
        return "av1";
    }
    return "?";
}

static tub_nvdec_query query_of(tub_nvdec_codec codec, int bits)
{
    return (tub_nvdec_query){.codec = (int)codec, .chroma = CHROMA_420, .bits_over_8 = (unsigned)bits - 8};
}

static bool can_decode(const tub_nvdec_driver *d, const tub_nvdec_need *need, char *reason, size_t bytes)
{
    tub_nvdec_query q = query_of(need->codec, need->bits);
    if (!ask(d, &q, reason, bytes))
        return false;
    if (!q.supported) {
        snprintf(reason, bytes, "this GPU doesn't decode %s of %d bits", name_of(need->codec), need->bits);
        return false;
    }
    const unsigned width = (unsigned)need->width, height = (unsigned)need->height;
    const unsigned blocks = (width + 15) / 16 * ((height + 15) / 16);
    if (width >= q.least_width && height >= q.least_height && width <= q.widest && height <= q.highest &&
        blocks <= q.most_blocks)
        return true;
    snprintf(reason, bytes, "frames are %ux%u; this GPU decodes %s of %ux%u to %ux%u", width, height,
             name_of(need->codec), q.least_width, q.least_height, q.widest, q.highest);
    return false;
}

// Each decoder has its own stream for what libav queues. On the default stream, which all would share, each would wait
// for the copies of the others.
static bool create_stream(tub_nvdec_driver *d, char *reason, size_t bytes)
{
    CUcontext popped;
    int code = d->push(d->context);
    if (code == 0) {
        code = d->create(&d->stream, NON_BLOCKING);
        d->pop(&popped);
    }
    if (code == 0)
        return true;
    d->stream = NULL;
    snprintf(reason, bytes, "the GPU has no stream for it (CUDA error %d)", code);
    return false;
}

static void destroy_stream(tub_nvdec_driver *d)
{
    CUcontext popped;
    if (!d->stream || d->push(d->context) != 0)
        return;
    d->destroy(d->stream);
    d->pop(&popped);
}

static void close_driver(tub_nvdec_driver *d)
{
    destroy_stream(d);
    if (d->context)
        d->release(d->device);
    if (d->cuvid)
        dlclose(d->cuvid);
    if (d->cuda)
        dlclose(d->cuda);
    tub_free(d);
}

static void free_device(AVHWDeviceContext *device)
{
    close_driver(device->user_opaque);
}

// From here on the device owns the driver and closes it. If this fails, the driver is closed too.
static AVBufferRef *make_device(tub_nvdec_driver *d, char *reason, size_t bytes)
{
    AVBufferRef *out = av_hwdevice_ctx_alloc(AV_HWDEVICE_TYPE_CUDA);
    if (!out) {
        close_driver(d);
        snprintf(reason, bytes, "this libav was built without CUDA");
        return NULL;
    }
    AVHWDeviceContext *device = (AVHWDeviceContext *)(void *)out->data;
    device->user_opaque = d;
    device->free = free_device;
    AVCUDADeviceContext *cuda = device->hwctx;
    cuda->cuda_ctx = d->context;
    cuda->stream = d->stream;
    if (av_hwdevice_ctx_init(out) == 0)
        return out;
    av_buffer_unref(&out);
    snprintf(reason, bytes, "libav can't use this GPU's driver");
    return NULL;
}

static copy_side side_of(const AVFrame *frame, int plane)
{
    copy_side side = {.memory = HOST_MEMORY, .host = frame->data[plane], .pitch = (size_t)frame->linesize[plane]};
    if (frame->format == AV_PIX_FMT_CUDA) {
        side.memory = DEVICE_MEMORY;
        side.host = NULL;
        side.device = (uintptr_t)frame->data[plane];
    }
    return side;
}

static int copy_planes(const tub_nvdec_driver *d, const AVHWFramesContext *pool, const AVFrame *from, const AVFrame *to)
{
    const AVPixFmtDescriptor *format = av_pix_fmt_desc_get(pool->sw_format);
    int code = 0;
    for (int i = 0; code == 0 && i < av_pix_fmt_count_planes(pool->sw_format); i++) {
        const copy_2d copy = {.from = side_of(from, i),
                              .to = side_of(to, i),
                              .bytes = (size_t)av_image_get_linesize(pool->sw_format, pool->width, i),
                              .rows = (size_t)AV_CEIL_RSHIFT(pool->height, i ? format->log2_chroma_h : 0)};
        code = d->copy(&copy, d->stream);
    }
    return code;
}

bool tub_nvdec_device_copy(const AVFrame *from, const AVFrame *to)
{
    const AVHWFramesContext *pool = (const AVHWFramesContext *)(const void *)from->hw_frames_ctx->data;
    const tub_nvdec_driver *d = pool->device_ctx->user_opaque;
    CUcontext popped;
    if (d->push(d->context) != 0)
        return false;
    const int copied = copy_planes(d, pool, from, to), settled = d->synchronize(d->stream);
    d->pop(&popped);
    return copied == 0 && settled == 0;
}

AVBufferRef *tub_nvdec_device_open(int gpu, const tub_nvdec_need *need, char *reason, size_t bytes)
{
    tub_nvdec_driver *d = tub_calloc(1, sizeof *d);
    if (!d) {
        snprintf(reason, bytes, "out of memory");
        return NULL;
    }
    if (load_libraries(d, reason, bytes) && retain(d, gpu, reason, bytes) && can_decode(d, need, reason, bytes) &&
        create_stream(d, reason, bytes))
        return make_device(d, reason, bytes);
    close_driver(d);
    return NULL;
}

static bool list(const tub_nvdec_driver *d, char *out, size_t out_bytes, char *reason, size_t bytes)
{
    static const tub_nvdec_codec codecs[] = {TUB_NVDEC_H264, TUB_NVDEC_HEVC, TUB_NVDEC_VP8, TUB_NVDEC_VP9,
                                             TUB_NVDEC_AV1};
    size_t used = 0;
    for (size_t i = 0; i < sizeof codecs / sizeof *codecs; i++)
        for (int bits = 8; bits <= 12; bits += 2) {
            tub_nvdec_query q = query_of(codecs[i], bits);
            if (!ask(d, &q, reason, bytes))
                return false;
            if (!q.supported || used >= out_bytes)
                continue;
            used += (size_t)snprintf(out + used, out_bytes - used, "%s%s", used ? ", " : "", name_of(codecs[i]));
            if (bits > 8 && used < out_bytes)
                used += (size_t)snprintf(out + used, out_bytes - used, " %d bit", bits);
        }
    if (!used)
        snprintf(reason, bytes, "this GPU's video decoder takes no codec that is decoded there");
    return used > 0;
}

bool tub_nvdec_list(int gpu, char *out, size_t out_bytes, char *reason, size_t bytes)
{
    tub_nvdec_driver *d = tub_calloc(1, sizeof *d);
    *out = *reason = 0;
    if (!d) {
        snprintf(reason, bytes, "out of memory");
        return false;
    }
    const bool any =
        load_libraries(d, reason, bytes) && retain(d, gpu, reason, bytes) && list(d, out, out_bytes, reason, bytes);
    close_driver(d);
    return any;
}

// ---- GPUs that are kept ready ----

struct tub_nvdec_hold {
    int count;
    tub_nvdec_driver *drivers[];
};

static tub_nvdec_driver *keep(int gpu)
{
    char reason[160];
    tub_nvdec_driver *d = tub_calloc(1, sizeof *d);
    if (d && load_libraries(d, reason, sizeof reason) && retain(d, gpu, reason, sizeof reason))
        return d;
    if (d)
        close_driver(d);
    return NULL;
}

tub_nvdec_hold *tub_nvdec_hold_open(const int *gpus, int count)
{
    tub_nvdec_hold *h = tub_calloc(1, sizeof *h + (size_t)count * sizeof *h->drivers);
    for (int i = 0; h && i < count; i++) {
        tub_nvdec_driver *d = keep(gpus[i]);
        if (d)
            h->drivers[h->count++] = d;
    }
    return h;
}

void tub_nvdec_hold_close(tub_nvdec_hold **hold)
{
    if (!*hold)
        return;
    for (int i = 0; i < (*hold)->count; i++)
        close_driver((*hold)->drivers[i]);
    tub_free(*hold);
    *hold = NULL;
}
