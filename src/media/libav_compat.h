// The differences between FFmpeg 5.1 and 7.x, in one place.
#ifndef TUB_LIBAV_COMPAT_H
#define TUB_LIBAV_COMPAT_H

#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>

// The display matrix of a stream (9 numbers), or NULL.
static inline const int32_t *tub_stream_display_matrix(const AVStream *stream)
{
#if LIBAVCODEC_VERSION_INT >= AV_VERSION_INT(60, 31, 102)
    const AVCodecParameters *p = stream->codecpar;
    const AVPacketSideData *data =
        av_packet_side_data_get(p->coded_side_data, p->nb_coded_side_data, AV_PKT_DATA_DISPLAYMATRIX);
    return data && data->size >= 9 * sizeof(int32_t) ? (const int32_t *)(const void *)data->data : NULL;
#else
    size_t size = 0;
    const uint8_t *data = av_stream_get_side_data(stream, AV_PKT_DATA_DISPLAYMATRIX, &size);
    return data && size >= 9 * sizeof(int32_t) ? (const int32_t *)(const void *)data : NULL;
#endif
}

// Allows the decoder to call get_buffer2 from its own threads; later versions take this for granted.
static inline void tub_callbacks_are_thread_safe(AVCodecContext *decoder)
{
#if LIBAVCODEC_VERSION_MAJOR < 60
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
    decoder->thread_safe_callbacks = 1;
#pragma GCC diagnostic pop
#else
    (void)decoder;
#endif
}

// Makes a GPU's decoder give its own surfaces, as it always did: later versions copy each surface, and don't report
// copies that failed.
static inline void tub_take_surfaces(AVCodecContext *decoder)
{
#ifdef AV_HWACCEL_FLAG_UNSAFE_OUTPUT
    decoder->hwaccel_flags |= AV_HWACCEL_FLAG_UNSAFE_OUTPUT;
#else
    (void)decoder;
#endif
}

// A frame's duration in the stream's time base, 0 = unknown.
static inline int64_t tub_frame_ticks(const AVFrame *frame)
{
#if LIBAVUTIL_VERSION_INT >= AV_VERSION_INT(57, 30, 100)
    return frame->duration > 0 ? frame->duration : 0;
#else
    return frame->pkt_duration > 0 ? frame->pkt_duration : 0;
#endif
}

static inline void tub_frame_set_ticks(AVFrame *frame, int64_t ticks)
{
#if LIBAVUTIL_VERSION_INT >= AV_VERSION_INT(57, 30, 100)
    frame->duration = ticks;
#else
    frame->pkt_duration = ticks;
#endif
}

#endif
