#include "video_file.h"

#include <errno.h>
#include <fcntl.h>
#include <libavutil/avstring.h>
#include <libavutil/opt.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fail.h"
#include "file_window.h"
#include "memory.h"
#include "shortage.h"
#include "unwritten.h"

enum { IO_BYTES = 64 << 10, STREAMS_MOST = 64 };

// No playlists, no pictures by pattern, no devices: only files that contain their video.
static const char formats[] = "mov,matroska,avi,mpegts,mpeg,mpegvideo,flv,asf,ogg,gif,ivf";

static const char decoders[] =
    "h264,hevc,av1,libdav1d,libaom-av1,vp8,vp9,libvpx,libvpx-vp9,vvc,mpeg1video,mpeg2video,mpeg4,msmpeg4v1,msmpeg4v2,"
    "msmpeg4,h261,h263,h263i,h263p,flv,vp6,vp6a,vp6f,wmv1,wmv2,wmv3,vc1,mjpeg,theora,prores,dnxhd,gif,svq1,svq3,"
    "cinepak,dvvideo,ffv1,huffyuv,ffvhuff,utvideo,qtrle,rpza,png,rawvideo";

bool tub_video_decoder_is_known(const char *name)
{
    return av_match_list(name, decoders, ',') > 0;
}

static int read_bytes(void *opaque, uint8_t *buffer, int bytes)
{
    tub_video_file *file = opaque;
    const ssize_t got = tub_read_at(file->fd, buffer, (size_t)bytes, file->position);
    if (got < 0) {
        file->system_error = errno;
        return AVERROR(errno);
    }
    file->position += got;
    return got ? (int)got : AVERROR_EOF;
}

static int64_t seek_bytes(void *opaque, int64_t offset, int whence)
{
    tub_video_file *file = opaque;
    whence &= ~AVSEEK_FORCE;
    if (whence == AVSEEK_SIZE)
        return file->size;
    int64_t base = whence == SEEK_SET ? 0 : whence == SEEK_CUR ? file->position : file->size;
    if (offset < -base)
        return AVERROR(EINVAL);
    return file->position = base + offset;
}

static int refuse_open(AVFormatContext *format, AVIOContext **io, const char *url, int flags, AVDictionary **options)
{
    (void)format, (void)io, (void)url, (void)flags, (void)options;
    return AVERROR(EPERM);
}

static tub_status open_descriptor(tub_video_file *file, const char *path, tub_error *err)
{
    struct stat about;
    file->fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); // a FIFO must not block
    if (file->fd < 0)
        return tub_fail(err, TUB_ERROR_INPUT, "can't be opened: %s", strerror(errno));
    if (fstat(file->fd, &about) != 0)
        return tub_fail(err, TUB_ERROR_INPUT, "can't be read: %s", strerror(errno));
    if (S_ISDIR(about.st_mode))
        return tub_fail(err, TUB_ERROR_INPUT, "is a folder, not a video");
    if (!S_ISREG(about.st_mode))
        return tub_fail(err, TUB_ERROR_INPUT, "is not a regular file");
    file->size = about.st_size;
    if (file->size == 0)
        return tub_fail(err, TUB_ERROR_VIDEO, "is empty (0 bytes)");
    return TUB_OK;
}

static bool prepare_demuxer(tub_video_file *file)
{
    uint8_t *buffer = av_malloc(IO_BYTES);
    file->io = buffer ? avio_alloc_context(buffer, IO_BYTES, 0, file, read_bytes, NULL, seek_bytes) : NULL;
    if (!file->io) {
        av_free(buffer);
        return false;
    }
    file->format = avformat_alloc_context();
    if (!file->format)
        return false;
    file->format->pb = file->io;
    file->format->flags |= AVFMT_FLAG_CUSTOM_IO;
    file->format->io_open = refuse_open;
    file->format->max_streams = STREAMS_MOST;
    file->format->format_whitelist = av_strdup(formats);
    file->format->codec_whitelist = av_strdup(decoders);
    file->format->protocol_whitelist = av_strdup("none");
    return file->format->format_whitelist && file->format->codec_whitelist && file->format->protocol_whitelist;
}

// The decoders that libav uses for probing get our limit too.
static int find_stream_info(AVFormatContext *format)
{
    unsigned count = format->nb_streams;
    AVDictionary **options = tub_calloc(count, sizeof *options);
    if (!options)
        return AVERROR(ENOMEM);
    for (unsigned i = 0; i < count; i++)
        av_dict_set(&options[i], "max_pixels", TUB_PIXELS_MOST, 0);
    int r = avformat_find_stream_info(format, options);
    for (unsigned i = 0; i < count; i++)
        av_dict_free(&options[i]);
    tub_free(options);
    return r;
}

bool tub_video_file_is_short(tub_video_file *file)
{
    enum { PART = 256 }; // a file's index or a packet is at most 1 / PART of it
    const AVCodecParameters *p = file->stream ? file->stream->codecpar : NULL;
    const int64_t pixels = p && p->width > 0 && p->height > 0 ? (int64_t)p->width * p->height : 0;
    file->was_short |= tub_shortage_may_be();
    return atomic_load(&file->lacks_frame) || tub_shortage_is((size_t)(file->size / PART + pixels));
}

// Decoders may silently go on without the frame.
int tub_video_file_get_buffer(AVCodecContext *decoder, AVFrame *frame, int flags)
{
    tub_video_file *file = decoder->opaque;
    int r = avcodec_default_get_buffer2(decoder, frame, flags);
    if (r == AVERROR(ENOMEM))
        atomic_store(&file->lacks_frame, true);
    return r;
}

static tub_status fail_libav(tub_error *err, const tub_video_file *file, const char *what, int code)
{
    char text[AV_ERROR_MAX_STRING_SIZE];
    if (code == AVERROR(ENOMEM) || tub_shortage_may_be())
        return tub_fail(err, TUB_ERROR_MEMORY, "%s: not enough memory", what);
    if (file->system_error)
        return tub_fail(err, TUB_ERROR_INPUT, "%s: %s", what, strerror(file->system_error));
    if (code == AVERROR_INVALIDDATA || code == AVERROR_EOF)
        return tub_fail(err, TUB_ERROR_VIDEO, "%s: it is damaged, cut off, or not a video", what);
    av_strerror(code, text, sizeof text);
    return tub_fail(err, TUB_ERROR_VIDEO, "%s: %s", what, text);
}

static bool is_video(const AVStream *stream)
{
    return stream->codecpar->codec_type == AVMEDIA_TYPE_VIDEO && !(stream->disposition & AV_DISPOSITION_ATTACHED_PIC);
}

static tub_status choose_stream(tub_video_file *file, int number, tub_error *err)
{
    AVFormatContext *format = file->format;
    int best = av_find_best_stream(format, AVMEDIA_TYPE_VIDEO, -1, -1, NULL, 0);
    bool keep_best = best >= 0 && is_video(format->streams[best]);
    for (unsigned i = 0; i < format->nb_streams; i++) {
        if (!is_video(format->streams[i]))
            continue;
        bool take = number ? file->video_streams + 1 == number : keep_best ? (int)i == best : !file->stream;
        if (take) {
            file->stream = format->streams[i];
            file->stream_number = file->video_streams;
        }
        file->video_streams++;
    }
    if (!file->video_streams)
        return tub_fail(err, TUB_ERROR_VIDEO, "has no video stream (%u other stream%s)", format->nb_streams,
                        format->nb_streams == 1 ? "" : "s");
    if (!file->stream)
        return tub_fail(err, TUB_ERROR_ARGUMENT, "has no video stream %d: it has %d, counted from 0", number - 1,
                        file->video_streams);
    for (unsigned i = 0; i < format->nb_streams; i++)
        if (format->streams[i] != file->stream)
            format->streams[i]->discard = AVDISCARD_ALL;
    return TUB_OK;
}

static tub_status open_file(tub_video_file *file, const char *path, int number, tub_error *err)
{
    TUB_TRY(open_descriptor(file, path, err));
    if (!prepare_demuxer(file))
        return tub_fail_memory(err, "the demuxer");
    tub_shortage_watch();
    int r = avformat_open_input(&file->format, path, NULL, NULL);
    // libav's error for what isn't on the list of formats.
    if (r == AVERROR(EINVAL) && !file->system_error && !tub_shortage_may_be())
        return tub_fail(err, TUB_ERROR_VIDEO,
                        "no container that can be read: it is a playlist, a picture, or another kind that isn't taken");
    if (r < 0)
        return fail_libav(err, file, "no container that can be read", r);
    r = find_stream_info(file->format);
    if (r < 0 || tub_video_file_is_short(file))
        return fail_libav(err, file, "no streams that can be read", r);
    tub_status status = choose_stream(file, number, err);
    return status == TUB_ERROR_VIDEO && file->was_short ? tub_fail_memory(err, "its streams") : status;
}

tub_status tub_video_file_open(tub_video_file *file, const char *path, int number, tub_error *err)
{
    *file = (tub_video_file){.fd = -1};
    tub_status status = open_file(file, path, number, err);
    if (status != TUB_OK)
        tub_video_file_close(file);
    return status;
}

// For the decoders tried here (tests/unit/test_decoding.c), frames don't depend on the threads, nor on frames that are
// left out. With several threads, or if strict, an error in a frame is an error of the call and never concealed.
static void set_threads(AVCodecContext *decoder, const AVCodec *codec, int threads, bool strict)
{
    bool tried = av_match_list(codec->name, "h264,hevc,vp9,libdav1d", ',') > 0;
    decoder->thread_count = tried && threads > 1 ? threads : 1;
    if (decoder->thread_count > 1)
        decoder->thread_type = FF_THREAD_FRAME;
    if (tried && (threads > 1 || strict)) {
        decoder->err_recognition |= AV_EF_EXPLODE;
        tub_unwritten_watch(decoder);
    }
}

static tub_status open_decoder(tub_video_file *file, const AVCodec *codec, int threads, bool strict,
                               AVCodecContext **out, tub_error *err)
{
    tub_shortage_watch();
    AVCodecContext *decoder = avcodec_alloc_context3(codec);
    if (!decoder || avcodec_parameters_to_context(decoder, file->stream->codecpar) < 0) {
        avcodec_free_context(&decoder);
        return tub_fail_memory(err, "a decoder");
    }
    decoder->pkt_timebase = file->stream->time_base;
    decoder->opaque = file;
    decoder->get_buffer2 = tub_video_file_get_buffer;
    set_threads(decoder, codec, threads, strict);
    av_opt_set(decoder, "max_pixels", TUB_PIXELS_MOST, 0);
    int r = avcodec_open2(decoder, codec, NULL);
    if (r < 0 || tub_video_file_is_short(file)) {
        avcodec_free_context(&decoder);
        return fail_libav(err, file, "its decoder can't be opened", r);
    }
    *out = decoder;
    return TUB_OK;
}

tub_status tub_video_file_decoder(tub_video_file *file, int threads, bool strict, AVCodecContext **out, tub_error *err)
{
    const AVCodecParameters *parameters = file->stream->codecpar;
    const AVCodec *codec = avcodec_find_decoder(parameters->codec_id);
    if (!codec && file->was_short) // there was no memory to keep what told of it
        return tub_fail_memory(err, "a decoder");
    if (!codec || av_match_list(codec->name, decoders, ',') <= 0)
        return tub_fail(err, TUB_ERROR_VIDEO, "there is no decoder for its codec %s",
                        avcodec_get_name(parameters->codec_id));
    tub_status status = open_decoder(file, codec, threads, strict, out, err);
    if (status != TUB_OK && threads > 1) // the machine may have no threads left, or no memory for their frames
        status = open_decoder(file, codec, 1, strict, out, err);
    return status;
}

void tub_video_file_close(tub_video_file *file)
{
    avformat_close_input(&file->format);
    if (file->io)
        av_freep(&file->io->buffer);
    avio_context_free(&file->io);
    if (file->fd >= 0)
        close(file->fd);
    *file = (tub_video_file){.fd = -1};
}
