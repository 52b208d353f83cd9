#include "source.h"
#include "video_planes.h"

static tub_status video_open(const char *path, const tub_video_params *params, void **out, tub_error *err)
{
    tub_video *video = NULL;
    tub_status status = tub_video_open(path, params, &video, err);
    *out = video;
    return status;
}

static tub_status video_next(void *source, tub_frame *out, tub_error *err)
{
    return tub_video_next(source, out, err);
}

static void video_pixels(const void *source, int *height, int *width, bool *is_float, size_t *bytes)
{
    tub_video_pixels(source, height, width, is_float, bytes);
}

static tub_status video_convert(void *source, void *out, tub_error *err)
{
    return tub_video_convert(source, out, err);
}

static tub_status video_planes(void *source, bool with_host, const tub_frame_recipe **recipe, tub_frame_planes *planes,
                               tub_error *err)
{
    return tub_video_planes(source, with_host, recipe, planes, err);
}

static void video_info(const void *source, tub_video_info *out)
{
    tub_video_get_info(source, out);
}

static void video_seconds(const void *source, double *open, double *decode, double *convert)
{
    tub_video_seconds(source, open, decode, convert);
}

static void video_close(void **source)
{
    tub_video *video = *source;
    tub_video_close(&video);
    *source = NULL;
}

const tub_source_ops tub_source_video = {
    .open = video_open,
    .next = video_next,
    .pixels = video_pixels,
    .convert = video_convert,
    .planes = video_planes,
    .info = video_info,
    .seconds = video_seconds,
    .close = video_close,
};
