// The library of a GPU's video decoders (libnvcuvid.so.1). It returns the frames of the video that FAKE_NVDEC_VIDEO
// names, decoded by libav's software, in the layout and order in which a GPU would return them.
//
// FAKE_NVDEC:  "no_engines"    the GPU has no video decoder         "nothing"     it supports no codec
//              "small"         only frames up to 64x64              "refuses"     its decoder can't be opened
//              "fails"         it fails at the tenth picture        "keeps"       the tenth picture can't be fetched
#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <libavutil/pixdesc.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define EXPORT __attribute__((visibility("default")))

enum { OK = 0, INVALID = 1, NOT_SUPPORTED = 801, UNKNOWN = 999, PICTURES = 1024, SURFACES = 64, FATAL_PICTURE = 10 };

#define FUNCTION(name, ...)                                                                                            \
    EXPORT int name(__VA_ARGS__);                                                                                      \
    EXPORT int name(__VA_ARGS__)

typedef struct capabilities {
    int codec, chroma;
    unsigned bits_over_8, reserved[3];
    unsigned char supported, engines;
    unsigned short formats;
    unsigned widest, highest, most_blocks;
    unsigned short least_width, least_height;
} capabilities;

typedef struct creation {
    unsigned long width, height, surfaces;
    int codec, chroma;
    unsigned long flags, bits_over_8, intra_only, reserved[3];
    short area[4];
    int format, deinterlace;
    unsigned long target_width, target_height, outputs;
} creation;

typedef struct picture {
    int blocks_across, blocks_down, surface;
    int is_field, is_bottom, is_second;
} picture;

// Frames in packet order.
typedef struct decoder {
    creation how;
    AVFrame *frames[PICTURES];
    int64_t times[PICTURES];
    int packets, pictures;
    int shown[SURFACES]; // the picture that a surface holds
    void *unmapped[PICTURES];
    int unmapped_count;
} decoder;

static atomic_int calls, failing; // as in fake_nvdec_cuda.c

static bool failed(void)
{
    const int number = ++calls, at = failing;
    return number == at || (at < 0 && number >= -at);
}

FUNCTION(fake_failing_call, int at)
{
    failing = at;
    return atomic_exchange(&calls, 0);
}

static int is_told(const char *what)
{
    const char *told = getenv("FAKE_NVDEC");
    return told && !strcmp(told, what);
}

// Like current cards: H.264 and VP8 in 8 bits only.
static unsigned most_bits(int codec)
{
    enum { H264 = 4, VP8 = 9, AV1 = 11 };
    return codec == H264 || codec == VP8 ? 8 : codec == AV1 ? 10 : 12;
}

FUNCTION(cuvidGetDecoderCaps, capabilities *c)
{
    if (failed())
        return UNKNOWN;
    const unsigned most = is_told("small") ? 64 : 4096;
    if (is_told("no_engines"))
        return NOT_SUPPORTED;
    c->supported = !is_told("nothing") && c->bits_over_8 <= most_bits(c->codec) - 8;
    c->engines = 1;
    c->formats = 3;
    c->least_width = c->least_height = 48;
    c->widest = c->highest = most;
    c->most_blocks = most * most / 256;
    return OK;
}

// ---- the frames, by software ----

static void keep(decoder *d, AVFrame *frame)
{
    for (int i = 0; i < d->packets; i++)
        if (d->times[i] == frame->pts && !d->frames[i]) {
            d->frames[i] = av_frame_clone(frame);
            return;
        }
}

static void receive(decoder *d, AVCodecContext *software, AVFrame *frame)
{
    while (avcodec_receive_frame(software, frame) == 0) {
        keep(d, frame);
        av_frame_unref(frame);
    }
}

static void decode(decoder *d, AVFormatContext *format, int stream, AVCodecContext *software)
{
    AVPacket *packet = av_packet_alloc();
    AVFrame *frame = av_frame_alloc();
    while (av_read_frame(format, packet) == 0) {
        if (packet->stream_index == stream && d->packets < PICTURES) {
            d->times[d->packets++] = packet->pts;
            avcodec_send_packet(software, packet);
            receive(d, software, frame);
        }
        av_packet_unref(packet);
    }
    avcodec_send_packet(software, NULL);
    receive(d, software, frame);
    av_frame_free(&frame);
    av_packet_free(&packet);
}

static int read_video(decoder *d)
{
    AVFormatContext *format = NULL;
    if (avformat_open_input(&format, getenv("FAKE_NVDEC_VIDEO"), NULL, NULL) < 0)
        return INVALID;
    avformat_find_stream_info(format, NULL);
    const int stream = av_find_best_stream(format, AVMEDIA_TYPE_VIDEO, -1, -1, NULL, 0);
    const AVCodecParameters *p = format->streams[stream < 0 ? 0 : stream]->codecpar;
    const AVCodec *codec = avcodec_find_decoder(p->codec_id);
    AVCodecContext *software = avcodec_alloc_context3(codec);
    avcodec_parameters_to_context(software, p);
    if (avcodec_open2(software, codec, NULL) == 0)
        decode(d, format, stream, software);
    avcodec_free_context(&software);
    avformat_close_input(&format);
    return d->packets ? OK : INVALID;
}

FUNCTION(cuvidDestroyDecoder, decoder *d)
{
    for (int i = 0; i < d->packets; i++)
        av_frame_free(&d->frames[i]);
    for (int i = 0; i < d->unmapped_count; i++)
        free(d->unmapped[i]);
    free(d);
    return OK;
}

FUNCTION(cuvidCreateDecoder, decoder **out, const creation *how)
{
    if (failed())
        return UNKNOWN;
    decoder *d = is_told("refuses") ? NULL : calloc(1, sizeof *d);
    if (!d)
        return NOT_SUPPORTED;
    d->how = *how;
    if (read_video(d) == OK) {
        *out = d;
        return OK;
    }
    cuvidDestroyDecoder(d);
    return INVALID;
}

FUNCTION(cuvidDecodePicture, decoder *d, const picture *p)
{
    if (failed())
        return UNKNOWN;
    if (p->surface < 0 || p->surface >= SURFACES || d->pictures >= PICTURES)
        return INVALID;
    d->shown[p->surface] = d->pictures;
    d->pictures += !p->is_second;
    return is_told("fails") && d->pictures >= FATAL_PICTURE ? NOT_SUPPORTED : OK;
}

// ---- luma, then pairs of chroma; beyond 8 bits, values are in the upper bits of 16 ----

static unsigned sample(const AVFrame *frame, int plane, int x, int y, int bits)
{
    const uint8_t *row = frame->data[plane] + (ptrdiff_t)y * frame->linesize[plane];
    return bits == 8 ? row[x] : (unsigned)((const uint16_t *)(const void *)row)[x] << (16 - bits);
}

static void put(uint8_t *row, int x, unsigned value, int bits)
{
    if (bits == 8)
        row[x] = (uint8_t)value;
    else
        ((uint16_t *)(void *)row)[x] = (uint16_t)value;
}

// A GPU's planes begin at even rows, whatever size is requested.
static size_t luma_rows(const decoder *d)
{
    return (d->how.target_height + 1) / 2 * 2;
}

static void fill(const decoder *d, const AVFrame *frame, uint8_t *out, size_t pitch)
{
    const int bits = 8 + (int)d->how.bits_over_8, width = frame->width, height = frame->height;
    for (int y = 0; y < height; y++)
        for (int x = 0; x < width; x++)
            put(out + (size_t)y * pitch, x, sample(frame, 0, x, y, bits), bits);
    out += pitch * luma_rows(d);
    for (int y = 0; y < (height + 1) / 2; y++)
        for (int x = 0; x < (width + 1) / 2; x++)
            for (int c = 0; c < 2; c++)
                put(out + (size_t)y * pitch, 2 * x + c, sample(frame, 1 + c, x, y, bits), bits);
}

FUNCTION(cuvidMapVideoFrame64, decoder *d, int surface, uint64_t *out, unsigned *pitch, void *how)
{
    if (failed())
        return UNKNOWN;
    (void)how;
    const int number = surface >= 0 && surface < SURFACES ? d->shown[surface] : 0;
    if (!d->frames[number] || (is_told("keeps") && number >= FATAL_PICTURE))
        return INVALID;
    *pitch = (unsigned)((d->how.target_width * (d->how.bits_over_8 ? 2 : 1) + 255) / 256 * 256);
    const size_t bytes = *pitch * luma_rows(d) * 3 / 2;
    uint8_t *memory = malloc(bytes);
    if (!memory)
        return INVALID;
    memset(memory, 0x5a, bytes);
    fill(d, d->frames[number], memory, *pitch);
    *out = (uintptr_t)memory;
    return OK;
}

// Up to 5.1, libav passes mapped frames on: they may be unmapped only when all copies of them are done. Later versions
// copy each frame and unmap it at once, which the order of the stream allows.
FUNCTION(cuvidUnmapVideoFrame64, decoder *d, uint64_t memory)
{
    void *frame = (void *)(uintptr_t)memory;
    if (LIBAVCODEC_VERSION_MAJOR >= 60 && d->unmapped_count < PICTURES)
        d->unmapped[d->unmapped_count++] = frame;
    else
        free(frame);
    return OK;
}

// libav requires these to exist, whatever it uses them for.
#define UNUSED(name)                                                                                                   \
    EXPORT int name(void);                                                                                             \
    EXPORT int name(void)                                                                                              \
    {                                                                                                                  \
        return NOT_SUPPORTED;                                                                                          \
    }
UNUSED(cuvidCreateVideoParser)
UNUSED(cuvidCreateVideoSource)
UNUSED(cuvidCreateVideoSourceW)
UNUSED(cuvidCtxLock)
UNUSED(cuvidCtxLockCreate)
UNUSED(cuvidCtxLockDestroy)
UNUSED(cuvidCtxUnlock)
UNUSED(cuvidDestroyVideoParser)
UNUSED(cuvidDestroyVideoSource)
UNUSED(cuvidGetDecodeStatus)
UNUSED(cuvidGetSourceAudioFormat)
UNUSED(cuvidGetSourceVideoFormat)
UNUSED(cuvidGetVideoSourceState)
UNUSED(cuvidMapVideoFrame)
UNUSED(cuvidParseVideoData)
UNUSED(cuvidReconfigureDecoder)
UNUSED(cuvidSetVideoSourceState)
UNUSED(cuvidUnmapVideoFrame)
