// tubelet probe: what is in video files.
#include "cli.h"
#include "console.h"
#include "interrupt.h"
#include "json_events.h"

static json_t *probe_event(const char *path, const tub_video_info *v)
{
    return json_pack(
        "{s:s, s:o, s:s, s:s, s:s, s:s, s:s, s:i, s:i, s:i, s:i, s:i, s:f, s:f, s:I, s:I, s:f, s:f, s:s, s:s,"
        " s:o}",
        "event", "video", "video", cli_json_text(path), "status", v->partial ? "partial" : "ok", "format", v->format,
        "codec", v->codec, "profile", v->profile, "pixel_format", v->pixel_format, "width", v->width, "height",
        v->height, "rotation", v->rotation, "stream", v->stream, "video_streams", v->video_streams, "fps", v->fps,
        "duration", v->duration, "frames", (json_int_t)v->frames, "container_frames", (json_int_t)v->container_frames,
        "first_pts", v->first_pts, "last_pts", v->last_pts, "matrix", v->matrix, "range", v->range, "reason",
        cli_json_text(v->partial ? v->reason : NULL));
}

static void say_video(const char *path, const tub_video_info *v)
{
    cli_say(stdout, "%s", path);
    cli_say(stdout, "  %s, %s%s%s, %s, %s %s, stream %d of %d", v->format, v->codec, *v->profile ? " " : "", v->profile,
            v->pixel_format, v->matrix, v->range, v->stream, v->video_streams);
    cli_say(stdout, "  %dx%d (width x height, upright; %d degrees applied), %.6g frames/s and %.6g s stated", v->width,
            v->height, v->rotation, v->fps, v->duration);
    cli_say(stdout, "  %lld frames decoded (container: %lld), timestamps %.6g to %.6g s", (long long)v->frames,
            (long long)v->container_frames, v->first_pts, v->last_pts);
    if (v->partial)
        cli_say(stdout, "  " CLI_RED "partial" CLI_PLAIN ": %s", v->reason);
}

static int probe(const cli_arguments *args, const char *path)
{
    tub_video_params params = {.size = sizeof params, .stream = cli_number(args, OPTION_VIDEO_STREAM, -1) + 1};
    tub_video_info info;
    tub_error err;
    bool json = cli_given(args, OPTION_JSON);
    if (tub_video_probe(path, &params, true, &info, &err) != TUB_OK) {
        if (json)
            cli_print_json(json_pack("{s:s, s:o, s:s, s:o}", "event", "video", "video", cli_json_text(path), "status",
                                     "failed", "reason", cli_json_text(err.text)));
        return cli_fail(&err);
    }
    if (json)
        cli_print_json(probe_event(path, &info));
    else
        say_video(path, &info);
    return info.partial ? CLI_INCOMPLETE : CLI_OK;
}

int cli_probe(const cli_arguments *args)
{
    int worst = CLI_OK;
    for (int i = 0; i < args->operand_count; i++) {
        int code = probe(args, args->operands[i]);
        // A path that isn't there (2) outranks a video that can't be decoded (3).
        if (worst == CLI_OK || (worst == CLI_INCOMPLETE && code != CLI_OK))
            worst = code;
    }
    return worst;
}
