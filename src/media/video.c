// The reader: one frame at a time from a demuxer and a decoder, and the pixels of the last one on request.
#include <libavutil/pixdesc.h>
#include <stdio.h>
#include <string.h>
#include <tubelet/video.h>

#include "clock.h"
#include "decode_ahead.h"
#include "fail.h"
#include "frame_picture.h"
#include "libav_compat.h"
#include "memory.h"
#include "params.h"
#include "pixel_ops.h"
#include "video_clock.h"
#include "video_planes.h"

enum { MOST_THREADS = 1024 };

struct tub_video {
    char *path;
    tub_decoding decoding;
    tub_ahead *ahead;            // decodes if there are several threads; then it owns `decoding`
    tub_video_damage damage;     // as of `current`
    AVFrame *incoming, *current; // current: the frame that next() returned last
    AVFrame *fetched;            // `current` on the host, if it is on a GPU
    bool ended, waiting;         // waiting: `current` is the first frame, not given yet
    tub_frame frame;             // of `current`
    tub_video_info info;
    tub_video_clock clock;
    tub_frame_picture *picture;
    tub_pixels *pixels;
    double open_seconds, decode_seconds, convert_seconds;
};

static const tub_transform untouched = {.resize = TUB_RESIZE_NONE, .std = {1, 1, 1}};

static tub_status decode(tub_video *v, tub_error *err)
{
    double start = tub_now(), seconds = 0;
    if (v->ahead) {
        tub_status status = tub_ahead_next(v->ahead, v->incoming, &v->damage, &seconds, err);
        v->decode_seconds += seconds;
        return status;
    }
    tub_status status = tub_decoding_next(&v->decoding, v->incoming, err);
    v->damage = v->decoding.damage;
    v->decode_seconds += tub_now() - start;
    return status;
}

// Decodes the next frame into `current`.
static tub_status advance(tub_video *v, tub_error *err)
{
    TUB_TRY(decode(v, err));
    av_frame_unref(v->current);
    av_frame_move_ref(v->current, v->incoming);
    v->frame.index = v->info.frames;
    tub_clock_stamp(&v->clock, v->current, &v->frame);
    if (!v->info.frames)
        v->info.first_pts = v->frame.pts;
    v->info.last_pts = v->frame.pts;
    v->info.frames++;
    v->frame.left_out = !v->current->buf[0];
    v->info.frames_left_out += v->frame.left_out;
    return TUB_OK;
}

static void copy_text(char *out, size_t bytes, const char *text)
{
    snprintf(out, bytes, "%s", text ? text : "");
}

// Notes which decoder is at work.
static void describe_decoder(tub_video *v)
{
    const bool on_gpu = tub_decoding_is_on_gpu(&v->decoding);
    copy_text(v->info.decoder, sizeof v->info.decoder, on_gpu ? "nvdec" : v->decoding.decoder->codec->name);
    copy_text(v->info.why_not_gpu, sizeof v->info.why_not_gpu, tub_decoding_why_not_on_gpu(&v->decoding));
}

// Starts over with one thread, up to where decoding with several threads or on a GPU had to give up. `why`: the reason,
// if the decoding doesn't know it.
static tub_status start_over(tub_video *v, const char *why, tub_error *err)
{
    int64_t frames = v->info.frames;
    double start = tub_now();
    tub_ahead_close(&v->ahead);
    av_frame_unref(v->incoming);
    TUB_TRY(tub_decoding_start_over(&v->decoding, why, err));
    tub_clock_init(&v->clock, v->decoding.file.stream);
    describe_decoder(v);
    v->decode_seconds += tub_now() - start;
    v->info.frames = v->info.frames_left_out = 0;
    while (v->info.frames < frames) {
        tub_status status = advance(v, err);
        if (status == TUB_END)
            return tub_fail(err, TUB_ERROR_VIDEO, "changed while it was being decoded");
        if (status != TUB_OK)
            return status;
    }
    return TUB_OK;
}

static tub_status next_frame(tub_video *v, tub_error *err)
{
    tub_status status = advance(v, err);
    if (status != TUB_AGAIN)
        return status;
    TUB_TRY(start_over(v, NULL, err));
    return advance(v, err);
}

static void describe_stream(tub_video *v)
{
    tub_video_info *info = &v->info;
    const AVStream *stream = v->decoding.file.stream;
    const AVFormatContext *format = v->decoding.file.format;
    copy_text(info->format, sizeof info->format, format->iformat->name);
    copy_text(info->codec, sizeof info->codec, avcodec_get_name(v->decoding.decoder->codec_id));
    copy_text(info->profile, sizeof info->profile,
              avcodec_profile_name(v->decoding.decoder->codec_id, v->decoding.decoder->profile));
    info->stream = v->decoding.file.stream_number;
    info->video_streams = v->decoding.file.video_streams;
    info->fps = tub_stream_fps(stream);
    info->container_frames = stream->nb_frames > 0 ? stream->nb_frames : 0;
    if (stream->duration != AV_NOPTS_VALUE && stream->duration > 0)
        info->duration = (double)stream->duration * av_q2d(stream->time_base);
    else if (format->duration > 0 && format->duration_estimation_method != AVFMT_DURATION_FROM_BITRATE)
        info->duration = (double)format->duration / AV_TIME_BASE;
}

// Takes what the first frame says, which may differ from the headers.
static void describe_frame(tub_video *v, tub_turn turn)
{
    tub_video_info *info = &v->info;
    const AVFrame *frame = v->current;
    copy_text(info->pixel_format, sizeof info->pixel_format, av_get_pix_fmt_name(tub_nvdec_format(frame)));
    copy_text(info->matrix, sizeof info->matrix, av_color_space_name(frame->colorspace));
    copy_text(info->range, sizeof info->range, av_color_range_name(frame->color_range));
    info->width = turn.transpose ? frame->height : frame->width;
    info->height = turn.transpose ? frame->width : frame->height;
    info->rotation = turn.degrees;
}

static tub_turn turn_of_video(const tub_video *v)
{
    const AVFrameSideData *data = av_frame_get_side_data(v->current, AV_FRAME_DATA_DISPLAYMATRIX);
    if (data && data->size >= 9 * sizeof(int32_t))
        return tub_turn_of((const int32_t *)(const void *)data->data);
    return tub_turn_of(tub_stream_display_matrix(v->decoding.file.stream));
}

static tub_status allocate(tub_video *v, const char *path, tub_error *err)
{
    v->path = tub_strdup(path);
    v->incoming = av_frame_alloc();
    v->current = av_frame_alloc();
    v->fetched = av_frame_alloc();
    return v->path && v->incoming && v->current && v->fetched ? TUB_OK : tub_fail_memory(err, "a video");
}

static tub_status first_frame(tub_video *v, tub_error *err)
{
    tub_status status = next_frame(v, err);
    if (status != TUB_END)
        return status;
    char reason[sizeof v->info.reason];
    tub_damage_text(&v->damage, reason, sizeof reason);
    return tub_fail(err, TUB_ERROR_VIDEO, "no frame can be decoded%s%s", reason[0] ? ": " : "", reason);
}

static tub_status open_video(tub_video *v, const char *path, const tub_video_params *params, tub_error *err)
{
    TUB_TRY(allocate(v, path, err));
    const tub_decoding_params decoding = {.stream = params->stream,
                                          .threads = params->threads,
                                          .gpu = params->gpu,
                                          .wants = params->wants,
                                          .user = params->user};
    TUB_TRY(tub_decoding_open(&v->decoding, path, &decoding, err));
    tub_clock_init(&v->clock, v->decoding.file.stream);
    describe_decoder(v);
    TUB_TRY(first_frame(v, err));
    v->waiting = true;
    tub_turn turn = turn_of_video(v);
    describe_stream(v);
    describe_frame(v, turn);
    TUB_TRY(tub_frame_picture_open(turn, v->info.width, v->info.height, &v->picture, err));
    return tub_pixels_open(params->transform ? params->transform : &untouched, v->info.height, v->info.width,
                           &v->pixels, err);
}

tub_status tub_video_open(const char *path, const tub_video_params *params, tub_video **out, tub_error *err)
{
    TUB_TRY(tub_check_given("out", out, err));
    static const tub_video_params defaults;
    const tub_video_params *p = params ? params : &defaults;
    double start = tub_now();
    *out = NULL;
    if (!path)
        return tub_fail(err, TUB_ERROR_ARGUMENT, "video: no path was given");
    TUB_TRY(tub_check_size("tub_video_params", p->size, sizeof *p, err));
    if (p->threads > MOST_THREADS)
        return tub_fail(err, TUB_ERROR_ARGUMENT, "%s: %d threads: must be from 1 to %d, or 0 for one", path, p->threads,
                        MOST_THREADS);
    if (p->stream < 0 || p->threads < 0 || p->gpu < 0)
        return tub_fail(err, TUB_ERROR_ARGUMENT, "%s: stream %d, threads %d, GPU %d: none may be negative", path,
                        p->stream, p->threads, p->gpu);
    tub_video *v = tub_calloc(1, sizeof *v);
    if (!v)
        return tub_fail_memory(err, "a video");
    tub_status status = open_video(v, path, p, err);
    if (status != TUB_OK) {
        tub_video_close(&v);
        return tub_fail_within(err, status, "%s", path);
    }
    if (v->decoding.trusting && tub_decoding_is_parallel(&v->decoding))
        v->ahead = tub_ahead_open(&v->decoding);
    v->open_seconds = tub_now() - start - v->decode_seconds;
    *out = v;
    return TUB_OK;
}

tub_status tub_video_next(tub_video *v, tub_frame *out, tub_error *err)
{
    TUB_TRY(tub_check_given("the video", v, err));
    TUB_TRY(tub_check_given("out", out, err));
    if (v->ended)
        return TUB_END;
    if (v->waiting) {
        v->waiting = false;
    } else {
        tub_status status = next_frame(v, err);
        if (status == TUB_END)
            v->ended = true;
        if (status != TUB_OK)
            return status < 0 ? tub_fail_within(err, status, "%s", v->path) : status;
    }
    *out = v->frame;
    return TUB_OK;
}

void tub_video_pixels(const tub_video *v, int *height, int *width, bool *is_float, size_t *bytes)
{
    const tub_pixel_plan *plan = tub_pixels_plan(v->pixels);
    size_t values = (size_t)plan->out_height * (size_t)plan->out_width * 3;
    *height = plan->out_height;
    *width = plan->out_width;
    *is_float = plan->bytes != values;
    *bytes = plan->bytes;
}

// The current frame on the host. If the GPU doesn't return it, the rest of this video is decoded without the GPU.
static tub_status bring_frame(tub_video *v, const AVFrame **out, tub_error *err)
{
    *out = v->current;
    if (!tub_nvdec_is_kept(v->current))
        return TUB_OK;
    tub_status status = tub_nvdec_fetch(v->current, v->fetched, err);
    if (status == TUB_OK)
        *out = v->fetched;
    return status == TUB_AGAIN ? start_over(v, "a frame can't be brought back from the GPU", err) : status;
}

static tub_status get_picture(tub_video *v, tub_picture *picture, tub_error *err)
{
    const AVFrame *frame;
    if (v->frame.left_out)
        return tub_fail(err, TUB_ERROR_ARGUMENT, "frame %lld can't be converted: it wasn't wanted",
                        (long long)v->frame.index);
    TUB_TRY(bring_frame(v, &frame, err));
    return tub_frame_picture_get(v->picture, frame, picture, err);
}

tub_status tub_video_convert(tub_video *v, void *out, tub_error *err)
{
    TUB_TRY(tub_check_given("the video", v, err));
    TUB_TRY(tub_check_given("out", out, err));
    tub_picture picture;
    double start = tub_now(), decoding = v->decode_seconds;
    tub_status status = get_picture(v, &picture, err);
    if (status == TUB_OK)
        tub_pixels_run_picture(v->pixels, &picture, out);
    v->convert_seconds += tub_now() - start - (v->decode_seconds - decoding);
    return status == TUB_OK ? status : tub_fail_within(err, status, "%s", v->path);
}

static tub_status get_planes(tub_video *v, bool with_host, tub_frame_planes *out, tub_error *err)
{
    tub_picture picture;
    if (!v->frame.left_out && (with_host || tub_nvdec_is_kept(v->current)) &&
        tub_frame_picture_planes(v->picture, v->current, out))
        return TUB_OK;
    if (!with_host)
        return TUB_END;
    TUB_TRY(get_picture(v, &picture, err));
    *out = tub_picture_planes(&picture, v->info.width, v->info.height);
    return TUB_OK;
}

tub_status tub_video_planes(tub_video *v, bool with_host, const tub_frame_recipe **recipe, tub_frame_planes *planes,
                            tub_error *err)
{
    double start = tub_now(), decoding = v->decode_seconds;
    tub_status status = get_planes(v, with_host, planes, err);
    if (status == TUB_OK)
        status = tub_pixels_recipe(v->pixels, recipe, err);
    v->convert_seconds += tub_now() - start - (v->decode_seconds - decoding);
    return status < 0 ? tub_fail_within(err, status, "%s", v->path) : status;
}

void tub_video_get_info(const tub_video *v, tub_video_info *out)
{
    *out = v->info;
    out->frames = v->info.frames - v->waiting;
    out->complete = v->ended;
    out->partial = v->damage.count > 0;
    tub_damage_text(&v->damage, out->reason, sizeof out->reason);
}

void tub_video_seconds(const tub_video *v, double *open, double *decode, double *convert)
{
    *open = v->open_seconds;
    *decode = v->decode_seconds;
    *convert = v->convert_seconds;
}

void tub_video_close(tub_video **video)
{
    if (!video || !*video)
        return;
    tub_video *v = *video;
    tub_pixels_close(&v->pixels);
    tub_frame_picture_close(&v->picture);
    tub_ahead_close(&v->ahead);
    tub_decoding_close(&v->decoding);
    av_frame_free(&v->incoming);
    av_frame_free(&v->current);
    av_frame_free(&v->fetched);
    tub_free(v->path);
    tub_free(v);
    *video = NULL;
}

tub_status tub_video_probe(const char *path, const tub_video_params *params, bool count, tub_video_info *out,
                           tub_error *err)
{
    TUB_TRY(tub_check_given("out", out, err));
    tub_video *v;
    tub_frame frame;
    TUB_TRY(tub_video_open(path, params, &v, err));
    tub_status status = tub_video_next(v, &frame, err);
    while (count && status == TUB_OK)
        status = tub_video_next(v, &frame, err);
    tub_video_get_info(v, out);
    tub_video_close(&v);
    return status == TUB_END ? TUB_OK : status;
}
