#include "video_clock.h"

#include "libav_compat.h"

static const double jump = 0.5; // seconds; a step back this large isn't jitter but another recording

double tub_stream_fps(const AVStream *stream)
{
    AVRational rate = stream->avg_frame_rate;
    if (rate.num <= 0 || rate.den <= 0)
        rate = stream->r_frame_rate;
    return rate.num > 0 && rate.den > 0 ? av_q2d(rate) : 0;
}

void tub_clock_init(tub_video_clock *clock, const AVStream *stream)
{
    double fps = tub_stream_fps(stream);
    *clock = (tub_video_clock){.tick = av_q2d(stream->time_base), .period = fps > 0 ? 1 / fps : 1.0 / 25};
}

void tub_clock_stamp(tub_video_clock *clock, const AVFrame *decoded, tub_frame *frame)
{
    double step = clock->last_duration > 0 ? clock->last_duration : clock->period;
    double next = clock->running ? clock->last_pts + step : 0, pts = next;
    if (decoded->best_effort_timestamp != AV_NOPTS_VALUE) {
        pts = (double)decoded->best_effort_timestamp * clock->tick + clock->shift;
        if (clock->running && pts < clock->last_pts - jump) {
            clock->shift += next - pts;
            pts = next;
        } else if (clock->running && pts < clock->last_pts) {
            pts = clock->last_pts;
        }
    }
    frame->pts = pts;
    frame->duration = (double)tub_frame_ticks(decoded) * clock->tick;
    clock->last_pts = pts;
    clock->last_duration = frame->duration;
    clock->running = true;
}
