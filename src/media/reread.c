#include "reread.h"

#include <math.h>

#include "fail.h"
#include "memory.h"
#include "video_file.h"

struct tub_reread {
    tub_video_file file;
    AVCodecContext *decoder;
    AVPacket *packet;
    AVFrame *frame;
};

static tub_status prepare(tub_reread *r, const char *path, int stream, tub_error *err)
{
    TUB_TRY(tub_video_file_open(&r->file, path, stream, err));
    TUB_TRY(tub_video_file_decoder(&r->file, 1, false, &r->decoder, err));
    r->packet = av_packet_alloc();
    r->frame = av_frame_alloc();
    return r->packet && r->frame ? TUB_OK : tub_fail_memory(err, "a second reader");
}

tub_status tub_reread_open(const char *path, int stream, tub_reread **out, tub_error *err)
{
    *out = NULL;
    tub_reread *r = tub_calloc(1, sizeof *r);
    if (!r)
        return tub_fail_memory(err, "a second reader");
    r->file.fd = -1;
    tub_status status = prepare(r, path, stream, err);
    if (status != TUB_OK)
        tub_reread_close(&r);
    *out = r;
    return status;
}

void tub_reread_close(tub_reread **reread)
{
    if (!reread || !*reread)
        return;
    tub_reread *r = *reread;
    av_frame_free(&r->frame);
    av_packet_free(&r->packet);
    avcodec_free_context(&r->decoder);
    tub_video_file_close(&r->file);
    tub_free(r);
    *reread = NULL;
}

// Feeds the decoder one packet, or tells it that there are no more. Reporting damage is left to the first reader.
static void feed(tub_reread *r)
{
    if (av_read_frame(r->file.format, r->packet) < 0) {
        avcodec_send_packet(r->decoder, NULL);
        return;
    }
    if (r->packet->stream_index == r->file.stream->index && r->packet->size)
        avcodec_send_packet(r->decoder, r->packet);
    av_packet_unref(r->packet);
}

tub_status tub_reread_stretch(tub_reread *r, double from, double to, int64_t *frames, tub_error *err)
{
    const double tick = av_q2d(r->file.stream->time_base);
    const int64_t last = llround(to / tick);
    *frames = 0;
    if (av_seek_frame(r->file.format, r->file.stream->index, llround(from / tick), AVSEEK_FLAG_BACKWARD) < 0)
        return tub_fail(err, TUB_ERROR_VIDEO, "can't be sought in, as decoding every window by itself needs");
    avcodec_flush_buffers(r->decoder);
    for (;;) {
        int code = avcodec_receive_frame(r->decoder, r->frame);
        if (code == AVERROR(EAGAIN)) {
            feed(r);
            continue;
        }
        if (code < 0)
            return code == AVERROR(ENOMEM) ? tub_fail_memory(err, "a frame") : TUB_OK;
        ++*frames;
        const int64_t at = r->frame->best_effort_timestamp;
        av_frame_unref(r->frame);
        if (at == AV_NOPTS_VALUE || at >= last)
            return TUB_OK;
    }
}
