// tubelet verify: checks a folder of features file by file.
#include <string.h>

#include "cli.h"
#include "console.h"
#include "interrupt.h"
#include "json_events.h"

typedef struct verification {
    bool json;
    double last_line;
} verification;

static void say_finding(void *user, const tub_finding *f)
{
    const verification *v = user;
    if (v->json) {
        cli_print_json(json_pack("{s:s, s:s, s:o, s:o, s:o}", "event", "finding", "kind", tub_finding_name(f->kind),
                                 "file", cli_json_text(f->file), "id", cli_json_text(f->id), "text",
                                 cli_json_text(f->text)));
        return;
    }
    cli_say(stdout, CLI_RED "%-10s" CLI_PLAIN "  %s: %s", tub_finding_name(f->kind), f->file ? f->file : f->id,
            f->text);
}

static void say_progress(void *user, size_t done, size_t files)
{
    const double redraw = 0.1, next_line = 30; // seconds; thousands of files may be checked in one
    verification *v = user;
    const double now = cli_now();
    if (now - v->last_line < redraw)
        return;
    bool redraws = cli_has_status_line();
    if (!redraws && now - v->last_line < next_line)
        return;
    char text[64];
    v->last_line = now;
    snprintf(text, sizeof text, "%zu of %zu files", done, files);
    if (redraws)
        cli_status_line(text);
    else
        cli_say(stderr, "%s", text);
}

static size_t sum(const tub_verify_totals *t)
{
    size_t all = 0;
    for (int i = 0; i < TUB_FINDING_COUNT; i++)
        all += t->findings[i];
    return all;
}

static void print_end(const tub_verify_totals *t)
{
    json_t *kinds = json_object();
    for (int i = 0; i < TUB_FINDING_COUNT; i++)
        json_object_set_new(kinds, tub_finding_name((tub_finding_kind)i), json_integer((json_int_t)t->findings[i]));
    cli_print_json(json_pack("{s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:o}", "event", "end", "files",
                             (json_int_t)t->files, "good", (json_int_t)t->good, "videos", (json_int_t)t->videos,
                             "missing", (json_int_t)t->missing, "without_length", (json_int_t)t->without_length, "rows",
                             (json_int_t)t->rows, "bytes", (json_int_t)t->bytes, "findings", kinds));
}

static void say_end(const char *folder, bool written, const tub_verify_totals *t)
{
    char kinds[256] = "";
    for (int i = 0; i < TUB_FINDING_COUNT; i++) {
        size_t used = strlen(kinds);
        if (t->findings[i])
            snprintf(kinds + used, sizeof kinds - used, "%s%zu %s", used ? ", " : ": ", t->findings[i],
                     tub_finding_name((tub_finding_kind)i));
    }
    cli_say(stdout, "%s: %zu file%s, %zu good; %lld rows, %.1f MB; %zu finding%s%s", folder, t->files,
            t->files == 1 ? "" : "s", t->good, (long long)t->rows, (double)t->bytes / 1e6, sum(t),
            sum(t) == 1 ? "" : "s", kinds);
    if (t->without_length)
        cli_say(stdout, "%zu videos could not be compared with the annotations' length: it isn't known",
                t->without_length);
    cli_say(stdout, "%zu of %zu videos have no features that can be used%s%s%s", t->missing, t->videos,
            written ? ": " : "", written ? folder : "", written ? "/missing_files.txt" : "");
}

int cli_verify(const cli_arguments *args)
{
    verification v = {.json = cli_given(args, OPTION_JSON), .last_line = cli_now()};
    tub_verify_params params = {
        .size = sizeof params,
        .folder = args->operands[0],
        .annotations = cli_text(args, OPTION_ANNOTATIONS, NULL),
        .quick = cli_given(args, OPTION_QUICK),
        .deep = cli_given(args, OPTION_DEEP),
        .read_only = cli_given(args, OPTION_READ_ONLY),
        .on_finding = say_finding,
        .on_file = say_progress,
        .user = &v,
        .stop = cli_stop_flag(),
    };
    tub_verify_totals totals;
    tub_error err;
    cli_catch_interrupts();
    tub_status status = tub_features_verify(&params, &totals, &err);
    cli_status_line("");
    if (status == TUB_ERROR_CANCELLED && cli_interrupted())
        return cli_interrupted();
    const bool unwritten = status == TUB_ERROR_OUTPUT && totals.files > 0; // everything was checked
    if (status != TUB_OK && !unwritten)
        return cli_fail(&err);
    if (v.json)
        print_end(&totals);
    else
        say_end(params.folder, !params.read_only && !unwritten, &totals);
    if (unwritten)
        return cli_refuse(CLI_OUTPUT, "%s: --read-only checks without writing it", err.text);
    return sum(&totals) ? CLI_INCOMPLETE : CLI_OK;
}
