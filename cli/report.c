#include "report.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cli.h"
#include "console.h"
#include "json_events.h"

enum { SECONDS_A_LINE = 30, LONGEST_LINE = 512 };

static double file_bytes(const char *path)
{
    struct stat info;
    return stat(path, &info) ? 0 : (double)info.st_size;
}

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

static void keep_failure(cli_report *r, const char *path, const char *reason)
{
    if (r->failures < REPORT_FAILURES &&
        asprintf(&r->failure[r->failures], "%s: %s", path, reason ? reason : "unknown reason") < 0)
        r->failure[r->failures] = NULL;
    r->failures++;
}

void cli_report_init(cli_report *r, const cli_arguments *args, const tub_dataset *dataset, int rank, int world,
                     const char *shard_source)
{
    *r = (cli_report){.args = args, .rank = rank, .world = world, .shard_source = shard_source};
    r->out = cli_text(args, OPTION_OUT, "");
    r->json = cli_given(args, OPTION_JSON);
    r->text = r->json ? stderr : stdout;
    r->videos = tub_dataset_count(dataset);
    for (size_t i = 0; i < r->videos; i++) {
        tub_item item;
        tub_dataset_item(dataset, i, &item);
        r->done_before += item.state == TUB_ITEM_DONE || item.state == TUB_ITEM_DONE_PARTIAL;
        r->partial_before += item.state == TUB_ITEM_DONE_PARTIAL;
        if (item.state == TUB_ITEM_TODO) {
            r->todo++;
            r->bytes_todo += file_bytes(item.path);
        } else if (item.state == TUB_ITEM_FAILED) {
            r->failed_before++;
            keep_failure(r, item.path, item.reason);
        }
    }
    r->began = r->last_line = cli_now();
}

void cli_report_finish(cli_report *r)
{
    for (size_t i = 0; i < REPORT_FAILURES; i++)
        free(r->failure[i]);
}

static const char *plan_word(tub_item_state state)
{
    switch (state) {
    case TUB_ITEM_DONE:
        return "done";
    case TUB_ITEM_DONE_PARTIAL:
        return "done, partial";
    case TUB_ITEM_FAILED:
        return "failed before";
    case TUB_ITEM_TODO:
        break;
    }
    return "to do";
}

static void plan_item(const cli_report *r, const tub_item *item)
{
    const char *word = plan_word(item->state);
    if (!r->json)
        cli_say(r->text, "%-13s  %s -> %s/%s.npy%s%s", word, item->path, r->out, item->stem, item->reason ? ": " : "",
                item->reason ? item->reason : "");
    else
        cli_print_json(json_pack("{s:s, s:o, s:o, s:s, s:o}", "event", "plan", "video", cli_json_text(item->path),
                                 "stem", cli_json_text(item->stem), "state", word, "reason",
                                 cli_json_text(item->reason)));
}

void cli_report_plan(const cli_report *r, const tub_dataset *dataset)
{
    for (size_t i = 0; i < r->videos; i++) {
        tub_item item;
        tub_dataset_item(dataset, i, &item);
        plan_item(r, &item);
    }
    cli_say(r->text,
            "[R%d] shard %d/%d (from: %s): %zu videos: %zu to do (%.1f MB), %zu done, %zu failed before; nothing was "
            "written",
            r->rank, r->rank, r->world, r->shard_source, r->videos, r->todo, r->bytes_todo / 1e6, r->done_before,
            r->failed_before);
    if (r->json)
        cli_print_json(json_pack("{s:s, s:b, s:I, s:I, s:I, s:I}", "event", "end", "dry_run", 1, "videos",
                                 (json_int_t)r->videos, "to_do", (json_int_t)r->todo, "done",
                                 (json_int_t)r->done_before, "failed", (json_int_t)r->failed_before));
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

void cli_report_start(cli_report *r, const tub_encoder_info *info, const tub_sampling *sampling)
{
    if (r->json)
        cli_print_json(start_event(r, info, sampling));
    cli_say(r->text,
            "[R%d] shard %d/%d (from: %s) | %s, %s, %s on %s %s | %d frames a clip, stride %d | %s, %dx%d -> %d",
            r->rank, r->rank, r->world, r->shard_source, info->family, tub_dtype_name(info->dtype), info->backend,
            info->device, info->isa, sampling->clip_length, sampling->stride, info->feature, info->height, info->width,
            info->dim);
    cli_say(r->text, "[R%d] %zu videos: %zu to do, %zu done, %zu failed before", r->rank, r->videos, r->todo,
            r->done_before, r->failed_before);
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
    if (v->status != TUB_OK) {
        cli_say(r->text, "[R%d] %s " CLI_RED "FAILED" CLI_PLAIN ": %s", r->rank, name, v->text);
        return;
    }
    cli_say(
        r->text,
        "[R%d] %s %.1fs | init %.1fs | decode %.1fs | convert %.1fs | forward %.1fs | save %.2fs | clips=%lld%s%s%s%s",
        r->rank, name, v->wall_seconds + e->save_seconds, v->init_seconds, v->decode_seconds, v->convert_seconds,
        v->forward_seconds, e->save_seconds, (long long)v->total_rows, v->is_short ? " | short" : "",
        v->info.partial ? " | " CLI_RED "partial" CLI_PLAIN : "", v->info.partial && *v->text ? ": " : "",
        v->info.partial ? v->text : "");
}

// Which stage the others wait for.
static const char *bottleneck(double decode_wait, double device_wait, double decode, double convert)
{
    if (device_wait <= decode_wait)
        return "forward";
    return convert > decode ? "convert" : "decode";
}

static void write_duration(double seconds, char *out, size_t size)
{
    long s = (long)(seconds + 0.5);
    if (s >= 3600)
        snprintf(out, size, "%ld:%02ld:%02ld", s / 3600, s / 60 % 60, s % 60);
    else
        snprintf(out, size, "%ld:%02ld", s / 60, s % 60);
}

// The done share of the work in bytes of video; videos under way count by the frames that were decoded.
static double done_share(const cli_report *r, const tub_progress *p)
{
    double under_way = 0;
    if (r->frames_done > 0 && p->frames_decoded > r->frames_done)
        under_way = (double)(p->frames_decoded - r->frames_done) * r->bytes_done / (double)r->frames_done;
    double share = r->bytes_todo > 0 ? (r->bytes_done + under_way) / r->bytes_todo : 0;
    return share > 0.99 ? 0.99 : share;
}

static void write_progress(const cli_report *r, const tub_event *e, char *out, size_t size)
{
    const tub_progress *p = e->progress;
    const tub_run_totals *t = e->totals;
    double elapsed = cli_now() - r->began, share = done_share(r, p);
    char eta[32] = "?";
    if (share > 0 && elapsed > 1)
        write_duration(elapsed * (1 - share) / share, eta, sizeof eta);
    size_t done = t->ok + t->partial + t->failed - t->recorded_failures;
    snprintf(out, size, "%zu/%zu videos%s | %.0f frames/s, %.1f clips/s | ETA %s | bottleneck %s", done, r->todo,
             t->failed > t->recorded_failures ? ", some failed" : "", (double)p->frames_decoded / (elapsed + 1e-9),
             (double)p->rows_done / (elapsed + 1e-9), eta,
             bottleneck(p->decode_wait_seconds, p->device_wait_seconds, p->decode_seconds, p->convert_seconds));
}

static void show_tick(cli_report *r, const tub_event *e)
{
    char text[LONGEST_LINE], bar[24] = "", line[LONGEST_LINE + 64];
    if (cli_has_status_line()) {
        int filled = (int)(20 * done_share(r, e->progress));
        for (int i = 0; i < 20; i++)
            bar[i] = i < filled ? '#' : '.';
        write_progress(r, e, text, sizeof text);
        snprintf(line, sizeof line, "[R%d] [%s] %s", r->rank, bar, text);
        cli_status_line(line);
    } else if (cli_now() - r->last_line >= SECONDS_A_LINE) {
        r->last_line = cli_now();
        write_progress(r, e, text, sizeof text);
        cli_say(stderr, "[R%d] %s", r->rank, text);
    }
}

void cli_report_event(void *user, const tub_event *event)
{
    cli_report *r = user;
    if (event->kind == TUB_EVENT_TICK) {
        show_tick(r, event);
        return;
    }
    r->bytes_done += file_bytes(event->item->path);
    r->frames_done += event->result->info.frames;
    if (event->result->status != TUB_OK)
        keep_failure(r, event->item->path, event->result->text);
    if (r->json)
        cli_print_json(video_event(r, event));
    else
        say_video(r, event);
}

static void say_command(const cli_report *r, const char *what, const char *more)
{
    char shard[64] = "", options[128];
    if (r->world > 1 && !cli_given(r->args, OPTION_SHARD))
        snprintf(shard, sizeof shard, " --shard %d/%d", r->rank, r->world);
    snprintf(options, sizeof options, "%s%s", shard, more);
    char *command = cli_command_line(r->args, options);
    if (command)
        cli_say(r->text, "[R%d] %s: %s", r->rank, what, command);
    free(command);
}

static double rate(double count, double seconds)
{
    return seconds > 0 ? count / seconds : 0;
}

static void say_totals(const cli_report *r, const tub_run_totals *t)
{
    cli_say(r->text, "[R%d] %zu videos in %.1fs: %zu ok, %zu partial, %zu failed, %zu done before, %zu pending",
            r->rank, t->videos, t->seconds, t->ok, t->partial, t->failed, t->skipped, t->pending);
    if (t->frames == 0)
        return;
    double frames = (double)t->frames, rows = (double)t->rows;
    cli_say(r->text, "[R%d] %lld frames, %lld clips: %.1f frames/s, %.1f clips/s; bottleneck: %s", r->rank,
            (long long)t->frames, (long long)t->rows, rate(frames, t->seconds), rate(rows, t->seconds),
            bottleneck(t->decode_wait_seconds, t->device_wait_seconds, t->decode_seconds, t->convert_seconds));
    cli_say(r->text,
            "[R%d] seconds of work: init %.1f | decode %.1f (%.0f frames/s) | convert %.1f (%.0f frames/s) |"
            " forward %.1f (%.1f clips/s) | save %.2f",
            r->rank, t->init_seconds, t->decode_seconds, rate(frames, t->decode_seconds), t->convert_seconds,
            rate(frames, t->convert_seconds), t->forward_seconds, rate(rows, t->forward_seconds), t->save_seconds);
}

static void say_failures(const cli_report *r)
{
    char name[64] = "failures.jsonl";
    if (r->world > 1)
        snprintf(name, sizeof name, "failures.%d.jsonl", r->rank);
    if (r->failures == 0)
        return;
    cli_say(r->text, "[R%d] " CLI_RED "%zu failed" CLI_PLAIN ", all of them in %s/%s:", r->rank, r->failures, r->out,
            name);
    for (size_t i = 0; i < r->failures && i < REPORT_FAILURES; i++)
        if (r->failure[i])
            cli_say(r->text, "       %s", r->failure[i]);
    if (r->failures > REPORT_FAILURES)
        cli_say(r->text, "       ... and %zu more", r->failures - REPORT_FAILURES);
}

static json_t *end_event(const cli_report *r, const tub_run_totals *t, tub_status status)
{
    return json_pack("{s:s, s:i, s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:f}",
                     "event", "end", "rank", r->rank, "status", tub_status_name(status), "videos",
                     (json_int_t)t->videos, "done_before", (json_int_t)t->skipped, "ok", (json_int_t)t->ok, "partial",
                     (json_int_t)t->partial, "failed", (json_int_t)t->failed, "pending", (json_int_t)t->pending, "rows",
                     (json_int_t)t->rows, "frames", (json_int_t)t->frames, "seconds", t->seconds, "init_seconds",
                     t->init_seconds, "decode_seconds", t->decode_seconds, "convert_seconds", t->convert_seconds,
                     "forward_seconds", t->forward_seconds, "save_seconds", t->save_seconds, "decode_wait_seconds",
                     t->decode_wait_seconds, "device_wait_seconds", t->device_wait_seconds);
}

void cli_report_end(cli_report *r, const tub_run_totals *totals, tub_status status)
{
    cli_status_line("");
    say_totals(r, totals);
    say_failures(r);
    if (totals->pending > 0 || status != TUB_OK)
        say_command(r, "to finish, run again", "");
    else if (r->failures > 0)
        say_command(r, "to try the failures again", cli_given(r->args, OPTION_RETRY_FAILED) ? "" : " --retry-failed");
    if (r->json)
        cli_print_json(end_event(r, totals, status));
}
