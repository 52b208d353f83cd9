#include "frame_count.h"

#include "resampler.h"

tub_status tub_frames_count(const tub_source_ops *ops, void *source, double fps, bool (*step)(void *user), void *user,
                            int64_t *frames, tub_error *err)
{
    tub_resampler resampler;
    tub_frame frame = {0};
    tub_status status;
    bool any = false;
    *frames = 0;
    tub_resampler_init(&resampler, fps);
    while ((status = ops->next(source, &frame, err)) == TUB_OK) {
        any = true;
        *frames += tub_resampler_push(&resampler, frame.pts);
        if (step && !step(user))
            return TUB_END;
    }
    if (status != TUB_END)
        return status;
    if (any)
        *frames += tub_resampler_finish(&resampler, frame.duration);
    return TUB_OK;
}
