// Times of frames in seconds: the file's if it has them, else computed from the frame rate. They never go backwards.
#ifndef TUB_VIDEO_CLOCK_H
#define TUB_VIDEO_CLOCK_H

#include <libavformat/avformat.h>
#include <stdbool.h>
#include <tubelet/video.h>

typedef struct tub_video_clock {
    double tick, period; // seconds per unit of the time base, and per frame at the average rate
    double shift;        // added after jumps back (joined files)
    double last_pts, last_duration;
    bool running;
} tub_video_clock;

// The average frame rate according to the container, 0 = unknown.
double tub_stream_fps(const AVStream *stream);
void tub_clock_init(tub_video_clock *clock, const AVStream *stream);
void tub_clock_stamp(tub_video_clock *clock, const AVFrame *decoded, tub_frame *frame);

#endif
