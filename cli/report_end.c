// What an extraction reports at its end.
#include <stdlib.h>

#include "cli.h"
#include "console.h"
#include "json_events.h"
#include "report.h"
#include "sample.h"
#include "translate.h"

static void say_command(const cli_report *r, const char *what, const char *more)
{
    char shard[64] = "", options[128];
    if (r->world > 1 && !cli_given(r->args, OPTION_SHARD))
        snprintf(shard, sizeof shard, " --shard %d/%d", r->rank, r->world);
    snprintf(options, sizeof options, "%s%s", shard, more);
    char *command = cli_command_line(r->args, options);
    if (command)
        cli_say(r->text, "[R%d] %s: %s", r->rank, _(what), command);
    free(command);
}

static double rate(double count, double seconds)
{
    return seconds > 0 ? count / seconds : 0;
}

static json_t *end_event(const cli_report *r, const tub_run_totals *t, tub_status status)
{
    double cpu = cli_cpu_seconds() - r->cpu_before;
    return json_pack("{s:s, s:i, s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:f,"
                     " s:f, s:f, s:f, s:f}",
                     "event", "end", "rank", r->rank, "status", tub_status_name(status), "videos",
                     (json_int_t)t->videos, "done_before", (json_int_t)t->skipped, "ok", (json_int_t)t->ok, "partial",
                     (json_int_t)t->partial, "failed", (json_int_t)t->failed, "pending", (json_int_t)t->pending, "rows",
                     (json_int_t)t->rows, "frames", (json_int_t)t->frames, "seconds", t->seconds, "init_seconds",
                     t->init_seconds, "decode_seconds", t->decode_seconds, "convert_seconds", t->convert_seconds,
                     "forward_seconds", t->forward_seconds, "save_seconds", t->save_seconds, "decode_wait_seconds",
                     t->decode_wait_seconds, "device_wait_seconds", t->device_wait_seconds, "cpu_seconds", cpu,
                     "decode_cpu_seconds", t->pipeline.decode_cpu_seconds, "convert_cpu_seconds",
                     t->pipeline.convert_cpu_seconds, "forward_cpu_seconds", t->pipeline.forward_cpu_seconds);
}

// How busy each stage kept the processors.
static void say_processors(const cli_report *r, const tub_run_totals *t)
{
    const tub_progress *p = &t->pipeline;
    double cpu = cli_cpu_seconds() - r->cpu_before, all = t->seconds * cli_processors();
    cli_say(r->text,
            _("[R%d] processors: %.0f %% of %d busy: decode %.0f %%, convert %.0f %%, forward %.0f %%, decoders' own "
              "threads and all else %.0f %%"),
            r->rank, 100 * rate(cpu, all), cli_processors(), 100 * rate(p->decode_cpu_seconds, all),
            100 * rate(p->convert_cpu_seconds, all), 100 * rate(p->forward_cpu_seconds, all),
            100 * rate(cli_other_cpu(cpu, p), all));
}

static void say_totals(const cli_report *r, const tub_run_totals *t, tub_status status)
{
    cli_say_with(r->text, cli_lines_are_json() ? end_event(r, t, status) : NULL,
                 _("[R%d] %zu videos in %.1fs: %zu ok, %zu partial, %zu failed, %zu done before, %zu pending"), r->rank,
                 t->videos, t->seconds, t->ok, t->partial, t->failed, t->skipped, t->pending);
    if (t->frames == 0)
        return;
    double frames = (double)t->frames, rows = (double)t->rows;
    cli_say(r->text, _("[R%d] %lld frames, %lld clips: %.1f frames/s, %.1f clips/s; bottleneck: %s"), r->rank,
            (long long)t->frames, (long long)t->rows, rate(frames, t->seconds), rate(rows, t->seconds),
            _(cli_bottleneck(t->forward_seconds, t->device_wait_seconds, t->decode_wait_seconds, t->decode_seconds,
                             t->convert_seconds)));
    cli_say(r->text,
            _("[R%d] seconds of work: init %.1f | decode %.1f (%.0f frames/s) | convert %.1f (%.0f frames/s) | "
              "forward %.1f (%.1f clips/s) | save %.2f"),
            r->rank, t->init_seconds, t->decode_seconds, rate(frames, t->decode_seconds), t->convert_seconds,
            rate(frames, t->convert_seconds), t->forward_seconds, rate(rows, t->forward_seconds), t->save_seconds);
    const tub_progress *p = &t->pipeline;
    cli_say(r->text,
            _("[R%d] plan: %d decoding %s, %d at a time in the end | %d frame slots | decoding waited %.1fs, the "
              "encoder %.1fs"),
            r->rank, p->decode_threads, p->decode_threads == 1 ? _("thread") : _("threads"), p->decode_active, p->slots,
            p->decode_wait_seconds, p->device_wait_seconds);
    say_processors(r, t);
    char advice[256];
    if (cli_idle_advice(&t->pipeline, &r->decoding, advice, sizeof advice))
        cli_say(r->text, "[R%d] %s", r->rank, advice);
}

// Earlier failures may be in the file of any shard, whichever shards those runs were.
static void failures_name(const cli_report *r, char out[64])
{
    if (r->failed_before > 0)
        snprintf(out, 64, "failures*.jsonl");
    else if (r->world > 1)
        snprintf(out, 64, "failures.%d.jsonl", r->rank);
    else
        snprintf(out, 64, "failures.jsonl");
}

static void say_failures(const cli_report *r)
{
    char name[64];
    failures_name(r, name);
    if (r->failures == 0)
        return;
    cli_say(r->text, _("[R%d] %s%zu failed%s, all of them in %s/%s:"), r->rank, CLI_RED, r->failures, CLI_PLAIN, r->out,
            name);
    for (size_t i = 0; i < r->failures && i < REPORT_FAILURES; i++)
        if (r->failure[i])
            cli_say(r->text, "       %s", r->failure[i]);
    if (r->failures > REPORT_FAILURES)
        cli_say(r->text, _("       ... and %zu more"), r->failures - REPORT_FAILURES);
}

// The request can't be met here: the same command would fail in the same way.
static bool is_in_vain(const tub_run_totals *t, tub_status status)
{
    return (status == TUB_ERROR_DEVICE || status == TUB_ERROR_MEMORY) && t->pipeline.batches == 0;
}

void cli_report_end(cli_report *r, const tub_run_totals *totals, tub_status status)
{
    cli_status_line("");
    say_totals(r, totals, status);
    say_failures(r);
    if ((totals->pending > 0 || status != TUB_OK) && !is_in_vain(totals, status))
        say_command(r, N_("to finish, run again"), "");
    else if (r->failures > 0 && status == TUB_OK)
        say_command(r, N_("to try the failures again"),
                    cli_given(r->args, OPTION_RETRY_FAILED) ? "" : " --retry-failed");
    if (r->json)
        cli_print_json(end_event(r, totals, status));
}
