// Evidence that a video is damaged or incomplete: from the demuxer, the packets, the decoder and its frames.
//
// The container's counts and durations are no evidence: they are often wrong in healthy files.
#ifndef TUB_VIDEO_DAMAGE_H
#define TUB_VIDEO_DAMAGE_H

#include <libavcodec/avcodec.h>
#include <stdbool.h>
#include <stdint.h>

#include "video_file.h"

typedef struct tub_video_damage {
    int64_t count;       // pieces of evidence
    char first[128];     // the first one in words
    int64_t packets;     // of the stream, read so far
    int64_t empty;       // packets without content
    int64_t leading;     // packets before the first keyframe
    int64_t leading_pts; // the earliest time of these; AV_NOPTS_VALUE: unknown
    int64_t last_dts;
    int suspect; // after a packet marked as corrupt: how many more packets decide whether the mark counts
    int64_t suspect_frame;
    int64_t marks, first_mark; // MPEG-TS: how many such packets, and the frame near the first; judged at the end
    bool is_ts, saw_key, saw_frame;
} tub_video_damage;

// `format`: libav's name of the container.
void tub_damage_init(tub_video_damage *d, const char *format);
// `frame`: the number of frames decoded so far.
void tub_damage_packet(tub_video_damage *d, const AVPacket *packet, int64_t frame);
void tub_damage_error(tub_video_damage *d, const char *what, int code, int64_t frame);
void tub_damage_frame(tub_video_damage *d, const AVFrame *decoded, int64_t frame);
// After the last packet.
void tub_damage_end(tub_video_damage *d, const tub_video_file *file);
// "reason" of the public info; empty if there is no damage.
void tub_damage_text(const tub_video_damage *d, char *out, size_t bytes);

#endif
