#include "nvdec.h"

#include <libavutil/hwcontext.h>
#include <libavutil/opt.h>
#include <libavutil/pixdesc.h>
#include <stdio.h>
#include <string.h>

#include "fail.h"
#include "libav_compat.h"
#include "nvdec_driver.h"

#define SAY(n, ...) snprintf((n)->reason, sizeof(n)->reason, __VA_ARGS__)

static int codec_number(enum AVCodecID id)
{
    switch (id) {
    case AV_CODEC_ID_H264:
        return TUB_NVDEC_H264;
    case AV_CODEC_ID_HEVC:
        return TUB_NVDEC_HEVC;
    case AV_CODEC_ID_VP8:
        return TUB_NVDEC_VP8;
    case AV_CODEC_ID_VP9:
        return TUB_NVDEC_VP9;
    case AV_CODEC_ID_AV1:
        return TUB_NVDEC_AV1;
    default:
        return 0;
    }
}

static bool runs_on_gpus(const AVCodec *codec)
{
    const AVCodecHWConfig *config;
    for (int i = 0; (config = avcodec_get_hw_config(codec, i)); i++)
        if (config->device_type == AV_HWDEVICE_TYPE_CUDA && config->pix_fmt == AV_PIX_FMT_CUDA &&
            (config->methods & AV_CODEC_HW_CONFIG_METHOD_HW_DEVICE_CTX))
            return true;
    return false;
}

// Not libav's first choice: for AV1 that is dav1d, which doesn't use GPUs.
static const AVCodec *find_codec(enum AVCodecID id)
{
    const AVCodec *codec;
    void *state = NULL;
    while ((codec = av_codec_iterate(&state)))
        if (codec->id == id && av_codec_is_decoder(codec) && tub_video_decoder_is_known(codec->name) &&
            runs_on_gpus(codec))
            return codec;
    return NULL;
}

// H.264's other profiles have tools that no card supports (such as lossless blocks), and no card is asked about them.
static bool has_profile(tub_nvdec *n, const AVCodecParameters *p, int bits)
{
    enum { BASELINE = 66, MAIN = 77, HIGH = 100, HIGH_10 = 110, BITS = 0xff };
    const int profile = p->profile & BITS; // without libav's flags for subsets of a profile
    if (p->codec_id != AV_CODEC_ID_H264 || p->profile < 0 || profile == BASELINE || profile == MAIN ||
        profile == HIGH || (profile == HIGH_10 && bits == 10))
        return true;
    const char *name = avcodec_profile_name(p->codec_id, p->profile);
    SAY(n, "h264 of profile %s isn't decoded on GPUs", name ? name : "?");
    return false;
}

// For the size of a decoder's surfaces. NVDEC rounds it, but libav doesn't know: it would take chroma from where luma
// still is.
static bool is_odd(tub_nvdec *n, int width, int height)
{
    if (width % 2 == 0 && height % 2 == 0)
        return false;
    SAY(n, "frames are %dx%d; odd sizes aren't decoded on GPUs", width, height);
    return true;
}

// What the GPU would have to decode. False: no GPU decodes it to the software decoder's pixels.
static bool describe(tub_nvdec *n, const AVCodecParameters *p, tub_nvdec_need *out)
{
    const AVPixFmtDescriptor *format = av_pix_fmt_desc_get(p->format);
    const int number = codec_number(p->codec_id), bits = format ? format->comp[0].depth : 0;
    if (!number) {
        SAY(n, "%s isn't decoded on GPUs", avcodec_get_name(p->codec_id));
        return false;
    }
    const bool planar = format && format->nb_components == 3 && (format->flags & AV_PIX_FMT_FLAG_PLANAR) &&
                        !(format->flags & (AV_PIX_FMT_FLAG_RGB | AV_PIX_FMT_FLAG_BE));
    const bool is_420 = planar && format->log2_chroma_w == 1 && format->log2_chroma_h == 1;
    if (!is_420 || (bits != 8 && bits != 10 && bits != 12)) {
        SAY(n, "pixels of format %s aren't decoded on GPUs", format ? format->name : "?");
        return false;
    }
    const bool in_blocks = p->codec_id == AV_CODEC_ID_H264 || p->codec_id == AV_CODEC_ID_HEVC; // its surfaces are even
    if (!has_profile(n, p, bits) || (!in_blocks && is_odd(n, p->width, p->height)))
        return false;
    *out = (tub_nvdec_need){(tub_nvdec_codec)number, bits, p->width, p->height};
    return true;
}

// If libav couldn't open the GPU's decoder, it asks again without CUDA in the list. Software could decode then, but
// that is left to whoever starts over.
static enum AVPixelFormat choose_format(AVCodecContext *decoder, const enum AVPixelFormat *formats)
{
    tub_nvdec *n = decoder->opaque;
    bool offered = false;
    for (; *formats != AV_PIX_FMT_NONE; formats++) {
        const AVPixFmtDescriptor *format = av_pix_fmt_desc_get(*formats);
        offered = offered || *formats == AV_PIX_FMT_CUDA;
        if (format && !(format->flags & AV_PIX_FMT_FLAG_HWACCEL))
            n->format = *formats;
    }
    if (offered)
        return AV_PIX_FMT_CUDA;
    if (!n->reason[0])
        SAY(n, "the GPU's video decoder can't be opened for it");
    return AV_PIX_FMT_NONE;
}

static AVCodecContext *make_decoder(tub_nvdec *n, const tub_video_file *file, const AVCodec *codec)
{
    AVCodecContext *decoder = avcodec_alloc_context3(codec);
    if (!decoder || avcodec_parameters_to_context(decoder, file->stream->codecpar) < 0) {
        avcodec_free_context(&decoder);
        return NULL;
    }
    decoder->pkt_timebase = file->stream->time_base;
    decoder->thread_count = 1;
    decoder->err_recognition |= AV_EF_EXPLODE; // report damage that libav itself sees
    decoder->opaque = n;
    decoder->get_format = choose_format;
    tub_take_surfaces(decoder); // we copy them at once
    decoder->hw_device_ctx = av_buffer_ref(n->device);
    av_opt_set(decoder, "max_pixels", TUB_PIXELS_MOST, 0);
    if (!decoder->hw_device_ctx)
        avcodec_free_context(&decoder);
    return decoder;
}

static tub_status open_decoder(tub_nvdec *n, const tub_video_file *file, const AVCodec *codec, AVCodecContext **out,
                               tub_error *err)
{
    *out = make_decoder(n, file, codec);
    if (!*out)
        return tub_fail_memory(err, "a decoder");
    if (avcodec_open2(*out, codec, NULL) == 0)
        return TUB_OK;
    SAY(n, "libav's decoder for GPUs can't be opened");
    return TUB_END;
}

tub_status tub_nvdec_open(tub_nvdec *n, const tub_video_file *file, int gpu, AVCodecContext **out, tub_error *err)
{
    tub_nvdec_need need;
    *n = (tub_nvdec){.format = AV_PIX_FMT_NONE};
    if (!describe(n, file->stream->codecpar, &need))
        return TUB_END;
    const AVCodec *codec = find_codec(file->stream->codecpar->codec_id);
    if (!codec) {
        SAY(n, "this libav decodes no %s on GPUs", avcodec_get_name(file->stream->codecpar->codec_id));
        return TUB_END;
    }
    n->device = tub_nvdec_device_open(gpu, &need, n->reason, sizeof n->reason);
    if (!n->device)
        return TUB_END;
    tub_status status = open_decoder(n, file, codec, out, err);
    if (status != TUB_OK) {
        avcodec_free_context(out);
        tub_nvdec_close(n);
    }
    return status;
}

// ---- from the GPU's layout, luma and one plane of interleaved chroma, to three planes ----

static void split_bytes(const AVFrame *from, AVFrame *to)
{
    const int width = (to->width + 1) / 2, height = (to->height + 1) / 2;
    for (int y = 0; y < to->height; y++)
        memcpy(to->data[0] + (ptrdiff_t)y * to->linesize[0], from->data[0] + (ptrdiff_t)y * from->linesize[0],
               (size_t)to->width);
    for (int y = 0; y < height; y++) {
        const uint8_t *pairs = from->data[1] + (ptrdiff_t)y * from->linesize[1];
        uint8_t *u = to->data[1] + (ptrdiff_t)y * to->linesize[1], *v = to->data[2] + (ptrdiff_t)y * to->linesize[2];
        for (int x = 0; x < width; x++) {
            u[x] = pairs[2 * x];
            v[x] = pairs[2 * x + 1];
        }
    }
}

static const uint16_t *words(const AVFrame *frame, int plane, int y)
{
    return (const uint16_t *)(const void *)(frame->data[plane] + (ptrdiff_t)y * frame->linesize[plane]);
}

// The GPU has the bits of a sample at the upper end of 16 bits, software at the lower end.
static void split_words(const AVFrame *from, AVFrame *to, int bits)
{
    const int width = (to->width + 1) / 2, height = (to->height + 1) / 2, down = 16 - bits;
    for (int y = 0; y < to->height; y++) {
        const uint16_t *row = words(from, 0, y);
        uint16_t *out = (uint16_t *)words(to, 0, y);
        for (int x = 0; x < to->width; x++)
            out[x] = (uint16_t)(row[x] >> down);
    }
    for (int y = 0; y < height; y++) {
        const uint16_t *pairs = words(from, 1, y);
        uint16_t *u = (uint16_t *)words(to, 1, y), *v = (uint16_t *)words(to, 2, y);
        for (int x = 0; x < width; x++) {
            u[x] = (uint16_t)(pairs[2 * x] >> down);
            v[x] = (uint16_t)(pairs[2 * x + 1] >> down);
        }
    }
}

// P010, P016, and the formats between them that later versions of libav have.
static bool is_words(enum AVPixelFormat format)
{
    const AVPixFmtDescriptor *d = av_pix_fmt_desc_get(format);
    return d && d->nb_components == 3 && av_pix_fmt_count_planes(format) == 2 && !(d->flags & AV_PIX_FMT_FLAG_BE) &&
           d->log2_chroma_w == 1 && d->log2_chroma_h == 1 && d->comp[0].step == 2 &&
           d->comp[0].depth + d->comp[0].shift == 16 && d->comp[1].offset < d->comp[2].offset;
}

static bool split(const AVFrame *from, AVFrame *to)
{
    const AVPixFmtDescriptor *wanted = av_pix_fmt_desc_get(to->format);
    const int bits = wanted ? wanted->comp[0].depth : 0;
    if (from->format == AV_PIX_FMT_NV12 && bits == 8)
        split_bytes(from, to);
    else if (is_words(from->format) && bits > 8 && bits < 16)
        split_words(from, to, bits);
    else
        return false;
    return true;
}

// ---- frames in their own memory ----

static const AVHWFramesContext *pool_of(const AVFrame *frame)
{
    return (const AVHWFramesContext *)(const void *)frame->hw_frames_ctx->data;
}

bool tub_nvdec_is_kept(const AVFrame *frame)
{
    return frame->format == AV_PIX_FMT_CUDA;
}

// The format travels with the frame.
int tub_nvdec_format(const AVFrame *frame)
{
    return tub_nvdec_is_kept(frame) ? (int)(intptr_t)frame->opaque : frame->format;
}

bool tub_nvdec_has_pairs(const AVFrame *frame, int bits)
{
    const enum AVPixelFormat format = pool_of(frame)->sw_format;
    return bits > 8 ? is_words(format) : format == AV_PIX_FMT_NV12;
}

static bool open_pool(tub_nvdec *n, const AVHWFramesContext *like)
{
    const AVHWFramesContext *pool = n->pool ? (const AVHWFramesContext *)(const void *)n->pool->data : NULL;
    if (pool && pool->sw_format == like->sw_format && pool->width == like->width && pool->height == like->height)
        return true;
    av_buffer_unref(&n->pool);
    n->pool = av_hwframe_ctx_alloc(n->device);
    if (!n->pool)
        return false;
    AVHWFramesContext *fresh = (AVHWFramesContext *)(void *)n->pool->data;
    fresh->format = AV_PIX_FMT_CUDA;
    fresh->sw_format = like->sw_format;
    fresh->width = like->width;
    fresh->height = like->height;
    return av_hwframe_ctx_init(n->pool) == 0;
}

static tub_status copy_on_gpu(tub_nvdec *n, AVFrame *frame, AVFrame *out)
{
    int r = open_pool(n, pool_of(frame)) ? av_hwframe_get_buffer(n->pool, out, 0) : AVERROR(ENOSYS);
    if (r == 0 && !tub_nvdec_device_copy(frame, out))
        r = AVERROR(EIO);
    if (r == 0)
        r = av_frame_copy_props(out, frame);
    if (r == AVERROR(ENOMEM))
        SAY(n, "the GPU has no memory left for its frames");
    else if (r < 0)
        SAY(n, "its frames can't be copied on the GPU");
    if (r < 0)
        return TUB_AGAIN;
    out->width = frame->width;
    out->height = frame->height;
    out->opaque = (void *)(intptr_t)n->format;
    av_frame_unref(frame);
    av_frame_move_ref(frame, out);
    return TUB_OK;
}

tub_status tub_nvdec_keep(tub_nvdec *n, const AVCodecContext *decoder, AVFrame *frame, tub_error *err)
{
    // For frames on a GPU, libav crops only at the right and at the bottom.
    if (frame->format != AV_PIX_FMT_CUDA || frame->crop_left || frame->crop_top) {
        SAY(n, frame->format == AV_PIX_FMT_CUDA ? "its frames are cropped at the left or at the top"
                                                : "libav doesn't decode it on the GPU");
        return TUB_AGAIN;
    }
    if (is_odd(n, decoder->coded_width, decoder->coded_height)) // the container said otherwise
        return TUB_AGAIN;
    AVFrame *out = av_frame_alloc();
    if (!out)
        return tub_fail_memory(err, "a frame");
    const tub_status status = copy_on_gpu(n, frame, out);
    av_frame_free(&out);
    return status;
}

// Allocates a frame of the whole surface, in its layout.
static bool allocate_whole(const AVHWFramesContext *pool, AVFrame *out)
{
    out->format = pool->sw_format;
    out->width = pool->width;
    out->height = pool->height;
    return av_frame_get_buffer(out, 0) == 0;
}

static bool lay_out(const AVFrame *frame, const AVFrame *fetched, AVFrame *out)
{
    av_frame_unref(out);
    out->format = tub_nvdec_format(frame);
    out->width = frame->width;
    out->height = frame->height;
    return av_frame_get_buffer(out, 0) == 0 && av_frame_copy_props(out, frame) == 0 && fetched->width >= out->width &&
           fetched->height >= out->height && split(fetched, out);
}

tub_status tub_nvdec_fetch(const AVFrame *frame, AVFrame *out, tub_error *err)
{
    AVFrame *fetched = av_frame_alloc();
    const bool memory = fetched && allocate_whole(pool_of(frame), fetched);
    const bool ok = memory && tub_nvdec_device_copy(frame, fetched) && lay_out(frame, fetched, out);
    av_frame_free(&fetched);
    if (!memory)
        return tub_fail_memory(err, "a frame");
    return ok ? TUB_OK : TUB_AGAIN;
}

void tub_nvdec_close(tub_nvdec *n)
{
    av_buffer_unref(&n->pool);
    av_buffer_unref(&n->device);
}
