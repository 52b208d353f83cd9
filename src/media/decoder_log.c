#include <libavutil/log.h>
#include <tubelet/video.h>

void tub_video_silence_decoders(void)
{
    av_log_set_level(AV_LOG_QUIET);
}
