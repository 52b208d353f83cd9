#include "report.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "console.h"
#include "json_events.h"
#include "sample.h"
#include "translate.h"

enum { HEADERS_ASKED = 4 };

static double bytes_of(const tub_item *item)
{
    return item->bytes > 0 ? (double)item->bytes : 0;
}

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

// Reasons often begin with the path of the video, which the line already names.
static const char *without_path(const char *reason, const char *path)
{
    size_t length = strlen(path);
    return !strncmp(reason, path, length) && !strncmp(reason + length, ": ", 2) ? reason + length + 2 : reason;
}

static void keep_failure(cli_report *r, const char *path, const char *reason)
{
    if (r->failures < REPORT_FAILURES &&
        asprintf(&r->failure[r->failures], "%s: %s", path, reason ? without_path(reason, path) : "unknown reason") < 0)
        r->failure[r->failures] = NULL;
    r->failures++;
}

// Estimates the bytes of a frame from the headers of the first few videos to do, for the time until one of them is
// done. The stride, once it is known, turns that into bytes of a row.
static void ask_headers(cli_report *r, const tub_dataset *dataset)
{
    double bytes = 0, frames = 0;
    for (size_t i = 0, asked = 0; i < r->videos && asked < HEADERS_ASKED; i++) {
        tub_item item;
        tub_video_info info;
        tub_dataset_item(dataset, i, &item);
        if (item.state != TUB_ITEM_TODO)
            continue;
        asked++;
        if (tub_video_probe(item.path, NULL, false, &info, NULL) != TUB_OK)
            continue;
        double stated = info.container_frames > 0 ? (double)info.container_frames : info.duration * info.fps;
        bytes += stated > 0 ? bytes_of(&item) : 0;
        frames += stated;
    }
    r->stated_bytes_per_row = frames > 0 ? bytes / frames : 0;
}

void cli_report_init(cli_report *r, const cli_arguments *args, const tub_dataset *dataset, int rank, int world,
                     const char *shard_source)
{
    *r = (cli_report){.args = args, .rank = rank, .world = world, .shard_source = shard_source};
    r->out = cli_text(args, OPTION_OUT, "");
    r->json = cli_given(args, OPTION_JSON);
    r->text = r->json ? stderr : stdout;
    r->extension = tub_container_name(tub_dataset_layout(dataset)->container);
    r->videos = tub_dataset_count(dataset);
    for (size_t i = 0; i < r->videos; i++) {
        tub_item item;
        tub_dataset_item(dataset, i, &item);
        r->done_before += item.state == TUB_ITEM_DONE || item.state == TUB_ITEM_DONE_PARTIAL;
        r->partial_before += item.state == TUB_ITEM_DONE_PARTIAL;
        if (item.state == TUB_ITEM_TODO) {
            r->todo++;
            r->bytes_todo += bytes_of(&item);
        } else if (item.state == TUB_ITEM_FAILED) {
            r->failed_before++;
            keep_failure(r, item.path, item.reason);
        }
    }
    if (r->todo > 0 && args->verb->bit == VERB_EXTRACT && !cli_given(args, OPTION_DRY_RUN))
        ask_headers(r, dataset);
    r->began = r->last_line = cli_now();
}

void cli_report_finish(cli_report *r)
{
    for (size_t i = 0; i < REPORT_FAILURES; i++)
        free(r->failure[i]);
}

static json_t *start_event(const cli_report *r, const tub_encoder_info *info, const tub_sampling *s)
{
    return json_pack("{s:s, s:s, s:o, s:o, s:i, s:i, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:i, s:i, s:i, s:i, s:s, s:f,"
                     " s:I, s:I, s:I, s:I}",
                     "event", "start", "version", tub_version(), "model",
                     cli_json_text(cli_text(r->args, OPTION_MODEL, "")), "out", cli_json_text(r->out), "rank", r->rank,
                     "world", r->world, "shard_source", r->shard_source, "family", info->family, "model_hash",
                     info->model_hash, "device", info->device, "backend", info->backend, "isa", info->isa, "dtype",
                     tub_dtype_name(info->dtype), "dim", info->dim, "clip_length", s->clip_length, "stride", s->stride,
                     "interval", s->interval, "align", tub_align_name(s->align), "fps", s->fps, "videos",
                     (json_int_t)r->videos, "to_do", (json_int_t)r->todo, "done", (json_int_t)r->done_before, "failed",
                     (json_int_t)r->failed_before);
}

// What makes this run faster than plain float32 loops.
static void say_enabled(const cli_report *r, const tub_encoder_info *info)
{
    char precision[16];
    snprintf(precision, sizeof precision, "%s%s", info->dtype == TUB_F16 ? "fp" : "",
             tub_dtype_name(info->dtype) + (info->dtype == TUB_F16));
    for (char *c = precision; *c; c++)
        *c = (char)toupper((unsigned char)*c);
    if (info->dtype != TUB_F32)
        cli_say(r->text, _("[R%d] Enabled %s for faster matrix operations on %s %s"), r->rank, precision, info->device,
                info->isa);
    if (strcmp(info->backend, "reference"))
        cli_say(r->text, _("[R%d] Model compiled with %s for faster inference"), r->rank, info->backend);
}

void cli_report_start(cli_report *r, const tub_encoder_info *info, const tub_sampling *sampling,
                      const cli_decoding *decoding)
{
    if (r->json)
        cli_print_json(start_event(r, info, sampling));
    cli_say_with(
        r->text, cli_lines_are_json() ? start_event(r, info, sampling) : NULL,
        _("[R%d] shard %d/%d (from: %s) | %s, %s, %s on %s %s | %d frames a clip, stride %d | %s, %dx%d -> %d"),
        r->rank, r->rank, r->world, r->shard_source, info->family, tub_dtype_name(info->dtype), info->backend,
        info->device, info->isa, sampling->clip_length, sampling->stride, info->feature, info->height, info->width,
        info->dim);
    if (r->todo > 0) // otherwise nothing is compiled
        say_enabled(r, info);
    cli_say(r->text, _("[R%d] %zu videos: %zu to do, %zu done, %zu failed before"), r->rank, r->videos, r->todo,
            r->done_before, r->failed_before);
    char *settings = cli_settings_elsewhere(r->args);
    if (settings)
        cli_say(r->text, _("[R%d] settings: %s"), r->rank, settings);
    free(settings);
    r->stated_bytes_per_row *= sampling->stride;
    r->decoding = *decoding;
    r->cpu_before = cli_cpu_seconds();
    r->began = r->last_line = cli_now();
}

static json_t *video_event(const cli_report *r, const tub_event *e)
{
    const tub_result *v = e->result;
    bool ok = v->status == TUB_OK;
    return json_pack("{s:s, s:i, s:o, s:o, s:s, s:o, s:o, s:I, s:i, s:I, s:f, s:b, s:f, s:f, s:f, s:f, s:f, s:f}",
                     "event", "video", "rank", r->rank, "video", cli_json_text(e->item->path), "stem",
                     cli_json_text(e->item->stem), "status",
                     !ok               ? "failed"
                     : v->info.partial ? "partial"
                                       : "ok",
                     "reason", cli_json_text(*v->text ? v->text : NULL), "output", cli_json_text(e->output), "rows",
                     (json_int_t)(ok ? v->total_rows : 0), "dim", v->dim, "frames", (json_int_t)v->frames, "fps",
                     v->fps, "short", v->is_short, "seconds", v->wall_seconds + e->save_seconds, "init_seconds",
                     v->init_seconds, "decode_seconds", v->decode_seconds, "convert_seconds", v->convert_seconds,
                     "forward_seconds", v->forward_seconds, "save_seconds", e->save_seconds);
}

static void say_video(const cli_report *r, const tub_event *e)
{
    const tub_result *v = e->result;
    const char *name = base_name(e->item->path);
    json_t *facts = cli_lines_are_json() ? video_event(r, e) : NULL;
    if (v->status != TUB_OK) {
        cli_say_with(r->text, facts, _("[R%d] %s %sFAILED%s: %s"), r->rank, name, CLI_RED, CLI_PLAIN,
                     without_path(v->text, e->item->path));
        return;
    }
    char marks[TUB_ERROR_TEXT + 64] = "";
    if (v->info.partial)
        snprintf(marks, sizeof marks, " | " CLI_RED "%s" CLI_PLAIN "%s%s", _("partial"), *v->text ? ": " : "", v->text);
    cli_say_with(r->text, facts,
                 _("[R%d] %s %.1fs | init %.1fs | decode %.1fs | convert %.1fs | forward %.1fs | save %.2fs | "
                   "clips=%lld%s%s%s"),
                 r->rank, name, v->wall_seconds + e->save_seconds, v->init_seconds, v->decode_seconds,
                 v->convert_seconds, v->forward_seconds, e->save_seconds, (long long)v->total_rows,
                 v->is_short ? " | " : "", v->is_short ? _("short") : "", marks);
}

void cli_report_event(void *user, const tub_event *event)
{
    cli_report *r = user;
    if (event->kind == TUB_EVENT_TICK) {
        cli_report_tick(r, event);
        return;
    }
    r->bytes_done += bytes_of(event->item);
    r->rows_done += event->result->status == TUB_OK ? event->result->total_rows : 0;
    if (event->result->status != TUB_OK)
        keep_failure(r, event->item->path, event->result->text);
    if (r->json)
        cli_print_json(video_event(r, event));
    else
        say_video(r, event);
}
