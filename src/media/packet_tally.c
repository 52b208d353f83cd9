#include "packet_tally.h"

#include <string.h>

#include "fail.h"

static void add(tub_packet_tally *t, int64_t value)
{
    t->print = (t->print ^ (uint64_t)value) * 0x9e3779b97f4a7c15;
    t->print ^= t->print >> 29;
}

void tub_tally_init(tub_packet_tally *t, const tub_video_file *file)
{
    const AVStream *stream = file->stream;
    *t = (tub_packet_tally){0};
    add(t, stream->avg_frame_rate.num);
    add(t, stream->avg_frame_rate.den);
    add(t, stream->r_frame_rate.num);
    add(t, stream->r_frame_rate.den);
    add(t, stream->codecpar->video_delay);
}

void tub_tally_packet(tub_packet_tally *t, const AVPacket *packet)
{
    t->packets++;
    t->bytes += packet->size;
    add(t, packet->size);
    add(t, packet->pts);
    add(t, packet->flags & AV_PKT_FLAG_DISCARD);
}

static tub_status read_all(tub_packet_tally *t, tub_video_file *file, AVPacket *packet, tub_error *err)
{
    int r;
    tub_tally_init(t, file);
    while ((r = av_read_frame(file->format, packet)) >= 0) {
        if (packet->stream_index == file->stream->index)
            tub_tally_packet(t, packet);
        av_packet_unref(packet);
    }
    if (file->system_error)
        return tub_fail(err, TUB_ERROR_INPUT, "can't be read again: %s", strerror(file->system_error));
    return r == AVERROR(ENOMEM) ? tub_fail_memory(err, "a packet") : TUB_OK;
}

tub_status tub_tally_check(const tub_packet_tally *t, const char *path, int number, tub_error *err)
{
    tub_packet_tally again = {0};
    tub_video_file file;
    TUB_TRY(tub_video_file_open(&file, path, number, err));
    AVPacket *packet = av_packet_alloc();
    tub_status status = packet ? read_all(&again, &file, packet, err) : tub_fail_memory(err, "a packet");
    av_packet_free(&packet);
    tub_video_file_close(&file);
    if (status != TUB_OK)
        return status;
    bool same = again.packets == t->packets && again.bytes == t->bytes && again.print == t->print;
    return same ? TUB_OK : tub_fail_memory(err, "all packets");
}
