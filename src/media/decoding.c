#include "decoding.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "fail.h"
#include "libav_compat.h"
#include "memory.h"
#include "shortage.h"
#include "slice_count.h"
#include "unwritten.h"

enum { STUCK_MOST = 1000 }; // errors in a row from a decoder that is being drained

// Whether frames may be left out. Other codecs don't say whether a packet is needed by others. Without a delay, no
// frame comes after one that is shown later.
static bool leaves_out(const tub_decoding *d)
{
    const AVCodecParameters *p = d->file.stream->codecpar;
    return d->params.wants && p->video_delay > 0 &&
           (p->codec_id == AV_CODEC_ID_H264 || p->codec_id == AV_CODEC_ID_HEVC);
}

static tub_status open_decoder(tub_decoding *d, tub_error *err)
{
    const tub_decoding_params *p = &d->params;
    tub_status status = p->gpu ? tub_nvdec_open(&d->nvdec, &d->file, p->gpu - 1, &d->decoder, err) : TUB_END;
    if (status == TUB_END)
        status = tub_video_file_decoder(&d->file, p->threads, leaves_out(d), &d->decoder, err);
    return status;
}

// Also used to start over.
static tub_status begin(tub_decoding *d, tub_error *err)
{
    tub_order_init(&d->order);
    d->draining = false;
    d->stuck = 0;
    TUB_TRY(tub_video_file_open(&d->file, d->path, d->params.stream, err));
    tub_damage_init(&d->damage, d->file.format->iformat->name);
    tub_tally_init(&d->tally, &d->file);
    TUB_TRY(open_decoder(d, err));
    d->trusting = tub_decoding_is_parallel(d) || leaves_out(d);
    return TUB_OK;
}

tub_status tub_decoding_open(tub_decoding *d, const char *path, const tub_decoding_params *params, tub_error *err)
{
    *d = (tub_decoding){.path = tub_strdup(path), .params = *params, .packet = av_packet_alloc(), .file = {.fd = -1}};
    tub_status status = d->path && d->packet ? begin(d, err) : tub_fail_memory(err, "a video");
    if (status != TUB_OK)
        tub_decoding_close(d);
    return status;
}

// Judges a packet before it is decoded.
static void suspect_packet(tub_decoding *d, tub_order_entry **entry)
{
    d->trusting = d->damage.saw_key && !d->damage.suspect && tub_order_packet(&d->order, d->packet, entry) &&
                  (tub_decoding_is_on_gpu(d) || tub_slices_are_whole(d->decoder, d->packet));
}

// The last frame of a video is never left out, because the caller doesn't know which one it is. Neither is the first,
// which shows what frames are like.
static bool is_left_out(const tub_decoding *d, const tub_order_entry *entry)
{
    if (!entry || !leaves_out(d) || !tub_slices_are_unreferenced(d->decoder, d->packet))
        return false;
    tub_order_place place;
    if (!tub_order_place_of(&d->order, entry, &place) || place.index == 0)
        return false;
    const double tick = av_q2d(d->file.stream->time_base);
    const tub_frame_place seconds = {.index = place.index,
                                     .first = (double)place.first * tick,
                                     .pts = (double)place.time * tick,
                                     .next_most = (double)place.next_most * tick};
    return !d->params.wants(d->params.user, &seconds);
}

// Whether the packet has to be decoded.
static bool take_packet(tub_decoding *d)
{
    tub_order_entry *entry = NULL;
    tub_damage_packet(&d->damage, d->packet, d->frames);
    tub_tally_packet(&d->tally, d->packet);
    if (d->trusting)
        suspect_packet(d, &entry);
    if (d->trusting && is_left_out(d, entry)) {
        entry->left_out = true;
        return false;
    }
    return d->packet->size > 0; // an empty packet is a repeated frame (AVI), and would end the decoding
}

static bool watched(const tub_decoding *d)
{
    return !tub_decoding_is_on_gpu(d) &&
           (d->decoder->codec_id == AV_CODEC_ID_H264 || d->decoder->codec_id == AV_CODEC_ID_HEVC);
}

// Whether the frame is beyond suspicion.
static bool trust_frame(tub_decoding *d, const AVFrame *frame, int64_t *number)
{
    if (!d->width) {
        d->width = frame->width;
        d->height = frame->height;
    }
    return !d->damage.count && !frame->decode_error_flags && !(frame->flags & AV_FRAME_FLAG_CORRUPT) &&
           (!watched(d) || tub_unwritten_is_none(d->decoder, frame)) && frame->width == d->width &&
           frame->height == d->height && tub_order_frame(&d->order, frame, number);
}

// The errno that a GPU's driver leaves behind says nothing.
static bool decoder_was_short(tub_decoding *d, int code)
{
    return code == AVERROR(ENOMEM) || (!tub_decoding_is_on_gpu(d) && tub_video_file_is_short(&d->file));
}

// A GPU's decoder may run out of GPU memory, which doesn't affect the processor's decoder. With one thread, fewer
// frames are held.
static tub_status lacks_memory(tub_decoding *d, tub_error *err)
{
    if (!tub_decoding_is_parallel(d))
        return tub_fail_memory(err, "a frame");
    if (!tub_decoding_is_on_gpu(d))
        return TUB_AGAIN;
    snprintf(d->nvdec.reason, sizeof d->nvdec.reason, "there is no memory left for the GPU's decoder");
    return TUB_AGAIN;
}

static tub_status send(tub_decoding *d, const AVPacket *packet, tub_error *err)
{
    tub_shortage_watch();
    int r = avcodec_send_packet(d->decoder, packet);
    if (decoder_was_short(d, r))
        return lacks_memory(d, err);
    if (r < 0 && packet)
        tub_damage_error(&d->damage, "damaged data", r, d->frames);
    return TUB_OK;
}

// The video may be whole, so its first frames must not pass for all of it. Demuxers may say that it ends here.
static tub_status fail_reading(const tub_decoding *d, int error, tub_error *err)
{
    return tub_fail(err, TUB_ERROR_INPUT, "can't be read behind frame %" PRId64 ": %s", d->frames, strerror(error));
}

static tub_status end_reading(tub_decoding *d, int code, tub_error *err)
{
    if (d->file.system_error)
        return fail_reading(d, d->file.system_error, err);
    if (code != AVERROR_EOF)
        tub_damage_error(&d->damage, "reading failed", code, d->frames);
    errno = 0;
    tub_damage_end(&d->damage, &d->file);
    if (errno) // what couldn't be read would count as missing
        return fail_reading(d, errno, err);
    if (d->file.was_short)
        TUB_TRY(tub_tally_check(&d->tally, d->path, d->params.stream, err));
    d->draining = true;
    return send(d, NULL, err);
}

// Feeds the decoder one packet, or tells it that there are no more. TUB_AGAIN: it can't go on with a GPU or several
// threads.
static tub_status feed(tub_decoding *d, tub_error *err)
{
    tub_shortage_watch();
    int r = av_read_frame(d->file.format, d->packet);
    if (r == AVERROR(ENOMEM) || tub_video_file_is_short(&d->file))
        return tub_fail_memory(err, "a packet");
    if (r < 0)
        return end_reading(d, r, err);
    tub_status status = TUB_OK;
    if (d->packet->stream_index == d->file.stream->index && take_packet(d))
        status = send(d, d->packet, err);
    av_packet_unref(d->packet);
    return status;
}

static tub_status decode(tub_decoding *d, AVFrame *out, tub_error *err)
{
    bool trusting = d->trusting;
    for (;;) {
        tub_shortage_watch();
        int r = avcodec_receive_frame(d->decoder, out);
        if (decoder_was_short(d, r)) {
            av_frame_unref(out);
            return lacks_memory(d, err);
        }
        if (r == 0)
            return tub_decoding_is_on_gpu(d) ? tub_nvdec_keep(&d->nvdec, d->decoder, out, err) : TUB_OK;
        if (r == AVERROR_EOF)
            return TUB_END;
        if (r != AVERROR(EAGAIN))
            tub_damage_error(&d->damage, "damaged data", r, d->frames);
        if (d->draining && ++d->stuck > STUCK_MOST)
            return TUB_END;
        if (!d->draining)
            TUB_TRY(feed(d, err));
        if (trusting && (!d->trusting || d->damage.count))
            return TUB_AGAIN;
    }
}

static bool hold(tub_decoding *d, AVFrame *frame, int64_t number)
{
    int at = (d->first_held + d->held_count) % TUB_HELD_MOST;
    if (d->held_count == TUB_HELD_MOST)
        return false;
    if (!d->held[at])
        d->held[at] = av_frame_alloc();
    if (!d->held[at])
        return false;
    av_frame_move_ref(d->held[at], frame);
    d->numbers[at] = number;
    d->held_count++;
    return true;
}

// Holds a placeholder for each frame that was left out before this one.
static bool hold_left_out(tub_decoding *d, const AVFrame *next)
{
    tub_order_entry entry;
    AVFrame *frame = av_frame_alloc();
    bool held = frame != NULL;
    while (held && tub_order_left_out(&d->order, next, &entry)) {
        frame->pts = frame->best_effort_timestamp = entry.time;
        tub_frame_set_ticks(frame, entry.duration);
        held = hold(d, frame, 0);
    }
    av_frame_free(&frame);
    return held;
}

static void let_go(tub_decoding *d, AVFrame *out)
{
    av_frame_move_ref(out, d->held[d->first_held]);
    d->first_held = (d->first_held + 1) % TUB_HELD_MOST;
    d->held_count--;
}

// TUB_AGAIN: something is suspicious.
static tub_status next_trusted(tub_decoding *d, AVFrame *out, tub_error *err)
{
    while (!d->held_count || !tub_order_is_settled(&d->order, d->numbers[d->first_held])) {
        int64_t number = 0;
        tub_status status = decode(d, out, err);
        if (status == TUB_END)
            return d->order.count ? TUB_AGAIN : TUB_END;
        if (status != TUB_OK)
            return status;
        if (!hold_left_out(d, out) || !trust_frame(d, out, &number) || !hold(d, out, number))
            return TUB_AGAIN;
    }
    let_go(d, out);
    return TUB_OK;
}

static void stop(tub_decoding *d)
{
    avcodec_free_context(&d->decoder);
    for (int i = 0; i < TUB_HELD_MOST; i++)
        av_frame_free(&d->held[i]);
    d->held_count = 0;
    tub_nvdec_close(&d->nvdec);
    tub_video_file_close(&d->file);
}

bool tub_decoding_is_parallel(const tub_decoding *d)
{
    return d->decoder->thread_count > 1 || tub_decoding_is_on_gpu(d);
}

bool tub_decoding_is_on_gpu(const tub_decoding *d)
{
    return d->nvdec.device != NULL;
}

const char *tub_decoding_why_not_on_gpu(const tub_decoding *d)
{
    return d->nvdec.reason;
}

static void explain_leaving_the_gpu(tub_decoding *d, const char *why)
{
    if (!tub_decoding_is_on_gpu(d) || d->nvdec.reason[0])
        return;
    const bool damaged = !why && d->damage.count;
    if (!why)
        why = damaged ? "the GPU's decoder had trouble with it: " : "its frames come in an unusual order";
    snprintf(d->nvdec.reason, sizeof d->nvdec.reason, "%s%.110s", why, damaged ? d->damage.first : "");
}

tub_status tub_decoding_start_over(tub_decoding *d, const char *why, tub_error *err)
{
    explain_leaving_the_gpu(d, why);
    stop(d);
    av_packet_unref(d->packet);
    d->frames = 0;
    d->params.threads = 1;
    d->params.gpu = 0;
    d->params.wants = NULL;
    return begin(d, err);
}

// Whether the damage may come from a lack of memory: libav couldn't keep something and missed it later.
static bool is_doubtful(const tub_decoding *d, tub_status status)
{
    return d->file.was_short && (d->damage.count || (status == TUB_END && !d->frames));
}

tub_status tub_decoding_next(tub_decoding *d, AVFrame *out, tub_error *err)
{
    if (!d->decoder) // it couldn't be opened again
        return tub_fail(err, TUB_ERROR_VIDEO, "can't be decoded any further");
    tub_status status = d->trusting ? next_trusted(d, out, err) : decode(d, out, err);
    if (status >= 0 && status != TUB_AGAIN && is_doubtful(d, status))
        return tub_fail_memory(err, "a frame");
    if (status == TUB_OK) {
        tub_damage_frame(&d->damage, out, d->frames);
        d->frames++;
    }
    return status;
}

void tub_decoding_close(tub_decoding *d)
{
    if (!d->path && !d->packet) // never opened
        return;
    stop(d);
    av_packet_free(&d->packet);
    tub_free(d->path);
    d->path = NULL;
}
