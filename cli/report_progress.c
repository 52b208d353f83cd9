// Reports the progress of an extraction: a status line on a terminal, otherwise a line now and then.
#include <stdio.h>

#include "cli.h"
#include "console.h"
#include "report.h"
#include "translate.h"

enum { SECONDS_A_LINE = 30, LONGEST_LINE = 512, BAR = 10 };

const char *cli_bottleneck(double forward, double device_wait, double decode_wait, double decode, double convert)
{
    bool busy = device_wait < 0.1 * (forward + device_wait);
    if (busy || device_wait <= decode_wait)
        return N_("forward");
    return convert > decode ? N_("convert") : N_("decode");
}

void cli_duration(double seconds, char *out, size_t size)
{
    long s = (long)(seconds + 0.5);
    if (s >= 3600)
        snprintf(out, size, "%ld:%02ld:%02ld", s / 3600, s / 60 % 60, s % 60);
    else
        snprintf(out, size, "%ld:%02ld", s / 60, s % 60);
}

// Bytes of video per row: as seen so far, or, before the first video is done, as the headers say.
static double bytes_per_row(const cli_report *r)
{
    return r->rows_done > 0 ? r->bytes_done / (double)r->rows_done : r->stated_bytes_per_row;
}

// The share of the work that is done, in bytes of video. Videos in progress count by their finished rows. That is an
// estimate, so it is never allowed to use up all of what is left.
static double done_share(const cli_report *r, const tub_progress *p)
{
    double left = r->bytes_todo - r->bytes_done, under_way = 0;
    if (p->rows_done > r->rows_done)
        under_way = (double)(p->rows_done - r->rows_done) * bytes_per_row(r);
    if (under_way > 0.99 * left)
        under_way = 0.99 * left;
    return r->bytes_todo > 0 ? (r->bytes_done + under_way) / r->bytes_todo : 0;
}

static void write_progress(const cli_report *r, const tub_event *e, char *out, size_t size)
{
    const tub_progress *p = e->progress;
    const tub_run_totals *t = e->totals;
    double elapsed = cli_now() - r->began, share = done_share(r, p);
    char eta[32] = "?", failures[40] = "";
    if (share > 0 && elapsed > 1)
        cli_duration(elapsed * (1 - share) / share, eta, sizeof eta);
    size_t failed = t->failed - t->recorded_failures, done = t->ok + t->partial + failed;
    if (failed > 0)
        snprintf(failures, sizeof failures, _(", %zu failed"), failed);
    snprintf(out, size, _("%zu/%zu videos%s | ETA %s | bottleneck %s | %.0f frames/s, %.1f clips/s"), done, r->todo,
             failures, eta,
             _(cli_bottleneck(p->forward_seconds, p->device_wait_seconds, p->decode_wait_seconds, p->decode_seconds,
                              p->convert_seconds)),
             (double)p->frames_decoded / (elapsed + 1e-9), (double)p->rows_done / (elapsed + 1e-9));
}

static json_t *progress_event(const cli_report *r, const tub_event *e)
{
    const tub_progress *p = e->progress;
    const tub_run_totals *t = e->totals;
    return json_pack("{s:s, s:i, s:I, s:I, s:f, s:f, s:I, s:I, s:f, s:f}", "event", "progress", "rank", r->rank,
                     "videos_done", (json_int_t)(t->ok + t->partial + t->failed - t->recorded_failures), "videos",
                     (json_int_t)r->todo, "share", done_share(r, p), "seconds", cli_now() - r->began, "frames",
                     (json_int_t)p->frames_decoded, "rows", (json_int_t)p->rows_done, "decode_wait_seconds",
                     p->decode_wait_seconds, "device_wait_seconds", p->device_wait_seconds);
}

void cli_report_tick(cli_report *r, const tub_event *e)
{
    char text[LONGEST_LINE], bar[BAR + 1] = "", line[LONGEST_LINE + 64];
    if (cli_has_status_line()) {
        int filled = (int)(BAR * done_share(r, e->progress));
        for (int i = 0; i < BAR; i++)
            bar[i] = i < filled ? '#' : '.';
        write_progress(r, e, text, sizeof text);
        snprintf(line, sizeof line, "[R%d] [%s] %s", r->rank, bar, text);
        cli_status_line(line);
    } else if (cli_now() - r->last_line >= SECONDS_A_LINE) {
        r->last_line = cli_now();
        write_progress(r, e, text, sizeof text);
        cli_say_with(stderr, cli_lines_are_json() ? progress_event(r, e) : NULL, "[R%d] %s", r->rank, text);
    }
}
