#include "whole_video.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

outcome whole_video_thinned(const char *path, const tub_video_params *params, int every)
{
    outcome o = {0};
    tub_video *video = NULL;
    tub_frame frame;
    int height, width;
    bool is_float;
    size_t bytes;
    o.status = tub_video_open(path, params, &video, NULL);
    if (o.status != TUB_OK)
        return o;
    tub_video_pixels(video, &height, &width, &is_float, &bytes);
    uint8_t *rgb = malloc(bytes);
    tub_hash *hash = tub_hash_create();
    assert_true(rgb && hash);
    while ((o.status = tub_video_next(video, &frame, NULL)) == TUB_OK) {
        if (frame.index % every == 0) {
            assert_int_equal(tub_video_convert(video, rgb, NULL), TUB_OK);
            tub_hash_update(hash, rgb, bytes);
        }
        tub_hash_update(hash, &frame.index, sizeof frame.index);
        tub_hash_update(hash, &frame.pts, sizeof frame.pts);
        tub_hash_update(hash, &frame.duration, sizeof frame.duration);
    }
    tub_video_get_info(video, &o.info);
    tub_hash_text(hash, o.hash);
    tub_hash_destroy(&hash);
    free(rgb);
    tub_video_close(&video);
    return o;
}

outcome whole_video(const char *path, const tub_video_params *params)
{
    return whole_video_thinned(path, params, 1);
}
