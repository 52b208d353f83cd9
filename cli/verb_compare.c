// tubelet compare: two folders of features, row by row.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "compare_plot.h"
#include "console.h"
#include "interrupt.h"
#include "json_events.h"

enum { SHOWN = 20 };

typedef struct comparison {
    bool json;
    tub_comparison *rows; // with copies of their texts
    size_t count, room;
} comparison;

static json_t *number(double value)
{
    return isfinite(value) ? json_real(value) : json_null();
}

static void print_video(const tub_comparison *v)
{
    cli_print_json(json_pack(
        "{s:s, s:o, s:o, s:o, s:I, s:I, s:I, s:b, s:o, s:o, s:o, s:o, s:f, s:f, s:f}", "event", "video", "a",
        cli_json_text(v->file_a), "b", cli_json_text(v->file_b), "problem", cli_json_text(v->problem), "rows_a",
        (json_int_t)v->rows_a, "rows_b", (json_int_t)v->rows_b, "rows", (json_int_t)v->rows, "equal", v->equal,
        "cosine", number(v->problem ? NAN : v->cosine), "least_cosine", number(v->problem ? NAN : v->least_cosine),
        "max_abs", number(v->problem ? NAN : v->max_abs), "relative", number(v->problem ? NAN : v->relative), "lag",
        v->lag, "lag_cosine", v->lag_cosine, "cosine_at_0", v->cosine_at_0));
}

static void take_video(void *user, const tub_comparison *v)
{
    comparison *c = user;
    if (c->json) {
        print_video(v);
        return;
    }
    if (c->count == c->room) {
        size_t room = 2 * c->room + 64;
        tub_comparison *rows = realloc(c->rows, room * sizeof *rows);
        if (!rows)
            return; // the totals include it nevertheless
        c->rows = rows;
        c->room = room;
    }
    tub_comparison *row = &c->rows[c->count++];
    *row = *v;
    row->file_a = strdup(v->file_a ? v->file_a : v->file_b);
    row->problem = v->problem ? strdup(v->problem) : NULL;
}

static double rank(const tub_comparison *v)
{
    return v->problem ? -3 : v->lag != 0 ? -2 + v->cosine_at_0 / 4 : isnan(v->cosine) ? 0 : v->cosine;
}

static int worst_first(const void *a, const void *b)
{
    double x = rank(a), y = rank(b);
    return (x > y) - (x < y);
}

static void say_video(const tub_comparison *v, bool in_rows)
{
    const char *name = v->file_a ? v->file_a : "?";
    if (v->problem) {
        cli_say(stdout, "%-32s  " CLI_RED "%s" CLI_PLAIN, name, v->problem);
        return;
    }
    char lag[32] = "";
    if (v->lag != 0)
        snprintf(lag, sizeof lag, "  %+g %s", v->lag, in_rows ? "rows" : "frames");
    if (v->rows)
        cli_say(stdout, "%-32s  %6lld  %6lld  %6lld  %9.6f  %9.6f  %9.3g%s%s", name, (long long)v->rows_a,
                (long long)v->rows_b, (long long)v->rows, v->cosine, v->least_cosine, v->max_abs,
                v->equal ? "  equal" : "", lag);
    else
        cli_say(stdout, "%-32s  %6lld  %6lld  %6d  rows stand between each other%s", name, (long long)v->rows_a,
                (long long)v->rows_b, 0, lag);
}

static void say_table(comparison *c, bool in_rows)
{
    if (c->count)
        qsort(c->rows, c->count, sizeof *c->rows, worst_first);
    cli_say(stdout, "%-32s  %6s  %6s  %6s  %9s  %9s  %9s", "WORST FIRST", "T OF A", "T OF B", "BOTH", "COSINE", "LEAST",
            "MAX ABS");
    for (size_t i = 0; i < c->count && i < SHOWN; i++)
        say_video(&c->rows[i], in_rows);
    if (c->count > SHOWN)
        cli_say(stdout, "... and %zu more; --json has all", c->count - SHOWN);
}

static void say_grids(const tub_compare_totals *t)
{
    if (!t->grid_known && t->lag_in_rows)
        cli_say(stdout, "neither folder says where its rows stand: row i is held against row i");
    else if (!t->grid_known)
        cli_say(stdout, "one folder doesn't say where its rows stand: they are taken for the other's");
    else if (t->offset_a != t->offset_b || t->stride_a != t->stride_b)
        cli_say(stdout, "rows stand at frame i * %g + %g in A, i * %g + %g in B: held against each other by that",
                t->stride_a, t->offset_a, t->stride_b, t->offset_b);
}

static void say_verdict(const tub_compare_totals *t)
{
    const char *unit = t->lag_in_rows ? "rows" : "frames";
    cli_say(stdout,
            "%zu videos in both, %zu of them equal to the bit; %zu only in A, %zu only in B, %zu not comparable",
            t->videos, t->equal, t->only_a, t->only_b, t->failed);
    if (t->rows)
        cli_say(stdout, "%lld rows: cosine %.6f on average, %.6f at least; values differ by %.3g at most",
                (long long)t->rows, t->cosine, t->least_cosine, t->max_abs);
    say_grids(t);
    char seconds[48] = "";
    if (t->shifted && t->fps > 0 && !t->lag_in_rows)
        snprintf(seconds, sizeof seconds, " (%.3f s)", fabs(t->lag) / t->fps);
    if (t->shifted)
        cli_say(stdout,
                CLI_RED "B is shifted by %g %s%s" CLI_PLAIN
                        ": its rows show what A's show %s %s %s; cosine %.4f shifted "
                        "back, %.4f as it is",
                fabs(t->lag), unit, seconds, "that many", unit, t->lag > 0 ? "later" : "earlier",
                t->lag_cosine[t->lag_most + (int)t->lag], t->lag_cosine[t->lag_most]);
    else if (t->videos)
        cli_say(stdout, "no shift: of lags up to %d %s, 0 fits best", t->lag_most, unit);
}

static void print_end(const tub_compare_totals *t)
{
    json_t *lags = json_object();
    for (int k = 0; k <= 2 * t->lag_most; k++) {
        char name[16];
        snprintf(name, sizeof name, "%d", k - t->lag_most);
        json_object_set_new(lags, name, number(t->lag_cosine[k]));
    }
    cli_print_json(json_pack("{s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:o, s:o, s:o, s:b, s:f, s:s, s:b, s:o}", "event",
                             "end", "videos", (json_int_t)t->videos, "equal", (json_int_t)t->equal, "only_a",
                             (json_int_t)t->only_a, "only_b", (json_int_t)t->only_b, "failed", (json_int_t)t->failed,
                             "rows", (json_int_t)t->rows, "cosine", number(t->cosine), "least_cosine",
                             number(t->least_cosine), "max_abs", number(t->max_abs), "shifted", t->shifted, "lag",
                             t->lag, "lag_unit", t->lag_in_rows ? "rows" : "frames", "grid_known", t->grid_known,
                             "lags", lags));
}

static void finish(comparison *c)
{
    for (size_t i = 0; i < c->count; i++) {
        free((char *)c->rows[i].file_a);
        free((char *)c->rows[i].problem);
    }
    free(c->rows);
}

static int compare(comparison *c, const tub_compare_params *params, const char *plot)
{
    tub_compare_totals t;
    tub_error err;
    tub_status status = tub_features_compare(params, &t, &err);
    if (status == TUB_ERROR_CANCELLED && cli_interrupted())
        return cli_interrupted();
    if (status != TUB_OK)
        return cli_fail(&err);
    if (c->json) {
        print_end(&t);
    } else {
        say_table(c, t.lag_in_rows);
        say_verdict(&t);
    }
    int code = plot ? cli_compare_plot(plot, params->a, params->b, &t) : CLI_OK;
    if (code != CLI_OK)
        return code;
    return t.shifted || t.only_a + t.only_b + t.failed > 0 ? CLI_INCOMPLETE : CLI_OK;
}

int cli_compare(const cli_arguments *args)
{
    comparison c = {.json = cli_given(args, OPTION_JSON)};
    const tub_compare_params params = {.size = sizeof params,
                                       .a = args->operands[0],
                                       .b = args->operands[1],
                                       .lag_most = cli_number(args, OPTION_LAG, 0),
                                       .on_video = take_video,
                                       .user = &c,
                                       .stop = cli_stop_flag()};
    cli_catch_interrupts();
    int code = compare(&c, &params, cli_text(args, OPTION_PLOT, NULL));
    finish(&c);
    return code;
}
