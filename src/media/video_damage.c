#include "video_damage.h"

#include <inttypes.h>
#include <libavutil/avstring.h>
#include <stdarg.h>
#include <stdio.h>

#include "container_walk.h"
#include "fail.h"
#include "libav_compat.h"

enum { SEAM_PACKETS = 2 };

static void note(tub_video_damage *d, const char *format, ...) TUB_PRINTF(2, 3);

static void note(tub_video_damage *d, const char *format, ...)
{
    if (d->count++)
        return;
    va_list list;
    va_start(list, format);
    vsnprintf(d->first, sizeof d->first, format, list);
    va_end(list);
}

void tub_damage_init(tub_video_damage *d, const char *format)
{
    *d = (tub_video_damage){.leading_pts = AV_NOPTS_VALUE, .last_dts = AV_NOPTS_VALUE};
    d->is_ts = av_match_name("mpegts", format);
}

static void note_mark(tub_video_damage *d, int64_t frame)
{
    note(d, "near frame %" PRId64 " the container is damaged or cut off", frame);
}

static void count_mark(tub_video_damage *d)
{
    if (!d->is_ts)
        note_mark(d, d->suspect_frame);
    else if (!d->marks++)
        d->first_mark = d->suspect_frame;
}

// Where recordings were joined, one of the last two packets before the seam may be marked although it lacks nothing. A
// seam is a keyframe with an earlier time. In MPEG-TS, the demuxer and the parser after it always mark such packets, so
// there the packets themselves tell (check_ts()).
static void check_suspect(tub_video_damage *d, const AVPacket *next)
{
    bool seam = !d->is_ts && next && next->flags & AV_PKT_FLAG_KEY && next->dts != AV_NOPTS_VALUE &&
                d->last_dts != AV_NOPTS_VALUE && next->dts < d->last_dts;
    if (!d->suspect)
        return;
    d->suspect = seam ? 0 : d->suspect - 1;
    if (!next || (!seam && !d->suspect)) {
        count_mark(d);
        d->suspect = 0;
    }
}

void tub_damage_packet(tub_video_damage *d, const AVPacket *packet, int64_t frame)
{
    d->packets++;
    d->empty += packet->size == 0;
    check_suspect(d, packet);
    d->last_dts = packet->dts;
    if (packet->flags & AV_PKT_FLAG_CORRUPT && !d->suspect) {
        d->suspect = SEAM_PACKETS;
        d->suspect_frame = frame;
    }
    if (packet->flags & AV_PKT_FLAG_KEY)
        d->saw_key = true;
    if (d->saw_key || packet->flags & AV_PKT_FLAG_DISCARD)
        return;
    d->leading++;
    if (packet->pts != AV_NOPTS_VALUE && (d->leading_pts == AV_NOPTS_VALUE || packet->pts < d->leading_pts))
        d->leading_pts = packet->pts;
}

void tub_damage_error(tub_video_damage *d, const char *what, int code, int64_t frame)
{
    char text[AV_ERROR_MAX_STRING_SIZE];
    av_strerror(code, text, sizeof text);
    note(d, "%s near frame %" PRId64 ": %s", what, frame, text);
}

// Packets before the first keyframe are fine if they give frames (streams that refresh gradually).
static void check_leading(tub_video_damage *d, const AVFrame *decoded)
{
    bool lost = d->leading && d->leading_pts != AV_NOPTS_VALUE && decoded->best_effort_timestamp != AV_NOPTS_VALUE &&
                decoded->best_effort_timestamp > d->leading_pts;
    if (lost)
        note(d, "it begins inside a group of pictures: %" PRId64 " pictures come before the first keyframe",
             d->leading);
}

void tub_damage_frame(tub_video_damage *d, const AVFrame *decoded, int64_t frame)
{
    if (!d->saw_frame)
        check_leading(d, decoded);
    d->saw_frame = true;
    if (decoded->decode_error_flags)
        note(d, "frame %" PRId64 " was decoded with errors", frame);
    else if (decoded->flags & AV_FRAME_FLAG_CORRUPT)
        note(d, "frame %" PRId64 " is damaged or lacks what it refers to", frame);
}

static const struct {
    const char *format; // libav's name
    int64_t (*broken_at)(int fd, int64_t file_bytes);
} walks[] = {{"matroska", tub_matroska_broken_at},
             {"flv", tub_flv_broken_at},
             {"gif", tub_gif_broken_at},
             {"ogg", tub_ogg_broken_at},
             {"mov", tub_mp4_broken_at},
             {"asf", tub_asf_broken_at},
             {"mpeg", tub_ps_broken_at}};

static int64_t check_ts(tub_video_damage *d, const tub_video_file *file)
{
    int64_t seams;
    const int64_t at = tub_ts_broken_at(file->fd, file->size, file->stream->id, &seams);
    if (at < 0 && d->marks > seams)
        note_mark(d, d->first_mark);
    return at;
}

static void check_container(tub_video_damage *d, const tub_video_file *file)
{
    int64_t at = d->is_ts ? check_ts(d, file) : -1;
    for (size_t i = 0; i < sizeof walks / sizeof *walks && at < 0 && file->size > 0; i++)
        if (av_match_name(walks[i].format, file->format->iformat->name))
            at = walks[i].broken_at(file->fd, file->size);
    if (at >= 0)
        note(d, "the container is damaged or cut off at byte %" PRId64 ": frames may be missing there", at);
    else if (tub_file_is_unwritten(file))
        note(d, "the file ends in zeros: its last part was never written");
}

// A container's own list of the stream's packets, and how many of them could be read.
static int64_t listed_samples(const tub_video_damage *d, const AVStream *stream, int64_t *read)
{
    *read = d->packets;
    return avformat_index_get_entries_count(stream);
}

// Some AVI lists have packets without content, which show a frame again. For some codecs, a parser may cut packets
// anew.
static int64_t filled_samples(const tub_video_damage *d, AVStream *stream, int64_t *read)
{
    const AVCodecParameters *p = stream->codecpar;
    int64_t samples = 0;
    *read = d->packets - d->empty;
    if (p->codec_id == AV_CODEC_ID_HEVC || p->codec_tag == MKTAG('V', 'S', 'S', 'H'))
        return 0;
    for (int i = 0; i < avformat_index_get_entries_count(stream); i++)
        samples += avformat_index_get_entry(stream, i)->size > 0;
    return samples;
}

void tub_damage_end(tub_video_damage *d, const tub_video_file *file)
{
    int64_t read = 0, samples = 0, bytes = tub_file_stated_bytes(file);
    if (av_match_name("mov", file->format->iformat->name))
        samples = listed_samples(d, file->stream, &read);
    else if (av_match_name("avi", file->format->iformat->name))
        samples = filled_samples(d, file->stream, &read);
    check_suspect(d, NULL);
    if (read < samples)
        note(d, "the file is cut off or damaged: %" PRId64 " of %" PRId64 " samples could be read", read, samples);
    else if (bytes > file->size)
        note(d, "the file ends early: it has %" PRId64 " of %" PRId64 " bytes", file->size, bytes);
    else
        check_container(d, file);
}

void tub_damage_text(const tub_video_damage *d, char *out, size_t bytes)
{
    if (d->count > 1)
        snprintf(out, bytes, "%s (and %" PRId64 " more)", d->first, d->count - 1);
    else
        snprintf(out, bytes, "%s", d->first);
}
