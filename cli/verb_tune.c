// tubelet tune: measures the fastest settings for a model on this machine, and keeps them for extract.
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "console.h"
#include "interrupt.h"
#include "json_events.h"
#include "run_settings.h"

typedef struct tuning {
    const cli_arguments *args;
    bool json;
    FILE *text;
    const char **videos;
    size_t video_count;
} tuning;

static void say_row(const tuning *x, const tub_tune_row *r)
{
    char decode[24] = "-", prefetch[24] = "-";
    const char *decoder = "-";
    if (x->video_count) {
        decoder = r->decoder == TUB_DECODER_AUTO ? "cpu" : tub_decoder_name(r->decoder);
        snprintf(decode, sizeof decode, "%d", r->decode_threads);
        snprintf(prefetch, sizeof prefetch, "%d", r->prefetch);
    }
    if (r->rate > 0)
        cli_say(x->text, "%-9s  %-5s  %5d  %-7s  %6s  %8s  %9.3f  %4d%s%s", r->backend, tub_dtype_name(r->dtype),
                r->batch, decoder, decode, prefetch, r->rate, r->runs, r->is_default ? "  default" : "",
                r->is_winner ? "  winner" : "");
    else
        cli_say(x->text, "%-9s  %-5s  %5d  %-7s  %6s  %8s  %9s  %4d  %s", r->backend, tub_dtype_name(r->dtype),
                r->batch, decoder, decode, prefetch, "-", r->runs, r->reason);
}

static json_t *row_json(const char *event, const tub_tune_row *r)
{
    return json_pack("{s:s, s:s, s:s, s:i, s:i, s:i, s:s, s:f, s:i, s:b, s:b, s:o}", "event", event, "backend",
                     r->backend, "dtype", tub_dtype_name(r->dtype), "batch", r->batch, "decode_threads",
                     r->decode_threads, "prefetch", r->prefetch, "decoder", tub_decoder_name(r->decoder), "rate",
                     r->rate, "runs", r->runs, "default", (int)r->is_default, "winner", (int)r->is_winner, "reason",
                     cli_json_text(*r->reason ? r->reason : NULL));
}

static void on_row(void *user, const tub_tune_row *r)
{
    const tuning *x = user;
    char line[160];
    if (x->json)
        cli_print_json(row_json("measured", r));
    snprintf(line, sizeof line, "%s %s, batch %d, decoder %s, decode threads %d, prefetch %d: %.3f a second",
             r->backend, tub_dtype_name(r->dtype), r->batch, tub_decoder_name(r->decoder), r->decode_threads,
             r->prefetch, r->rate);
    if (cli_has_status_line())
        cli_status_line(line);
}

static void on_note(void *user, const char *text)
{
    const tuning *x = user;
    cli_say(x->text, "%s", text);
}

static void say_table(const tuning *x, const tub_tuning *t)
{
    tub_tune_row row;
    cli_say(x->text, "%-9s  %-5s  %5s  %-7s  %6s  %8s  %9s  %4s", "backend", "dtype", "batch", "decoder", "decode",
            "prefetch", x->video_count ? "clips/s" : "items/s", "runs");
    for (size_t i = 0; tub_tuning_row_at(t, i, &row); i++)
        say_row(x, &row);
    for (size_t i = 0; x->json && tub_tuning_row_at(t, i, &row); i++)
        cli_print_json(row_json("row", &row));
}

static void say_number(char *out, size_t size, int number)
{
    if (number)
        snprintf(out, size, "%d", number);
    else
        snprintf(out, size, "auto");
}

static void say_profile(const tuning *x, const tub_profile *p)
{
    char batch[16], decode[16], prefetch[16];
    say_number(batch, sizeof batch, p->batch);
    say_number(decode, sizeof decode, p->decode_threads);
    say_number(prefetch, sizeof prefetch, p->prefetch);
    cli_say(x->text, "%s %s, batch %s, decode threads %s, prefetch %s: %.3f a second, %+.1f %% against the defaults",
            p->backend, tub_dtype_name(p->dtype), batch, decode, prefetch, p->rate,
            p->default_rate > 0 ? 100 * (p->rate / p->default_rate - 1) : 0);
    if (x->json)
        cli_print_json(json_pack("{s:s, s:o, s:s, s:s, s:i, s:i, s:i, s:f, s:f, s:s, s:s, s:s, s:b}", "event",
                                 "profile", "path", cli_json_text(p->path), "backend", p->backend, "dtype",
                                 tub_dtype_name(p->dtype), "batch", p->batch, "decode_threads", p->decode_threads,
                                 "prefetch", p->prefetch, "rate", p->rate, "default_rate", p->default_rate, "machine",
                                 p->machine, "model", p->model, "build", p->build, "other_build", (int)p->other_build));
}

static int list_videos(tuning *x)
{
    tub_error err;
    const cli_arguments *args = x->args;
    const tub_dataset_params params = {.size = sizeof params,
                                       .inputs = args->operands,
                                       .input_count = (size_t)args->operand_count,
                                       .recursive = cli_given(args, OPTION_RECURSIVE),
                                       .out = "/nonexistent/tubelet-tune", // nothing is done yet, and nothing written
                                       .dry_run = true};
    tub_dataset *d = NULL;
    if (args->operand_count == 0)
        return CLI_OK;
    if (tub_dataset_open(&params, &d, &err) != TUB_OK)
        return cli_fail(&err);
    x->videos = calloc(tub_dataset_count(d) + 1, sizeof *x->videos);
    for (size_t i = 0; x->videos && i < tub_dataset_count(d); i++) {
        tub_item item;
        tub_dataset_item(d, i, &item);
        x->videos[x->video_count] = strdup(item.path);
        x->video_count += x->videos[x->video_count] != NULL;
    }
    tub_dataset_close(&d);
    return x->video_count ? CLI_OK : cli_refuse(CLI_FATAL, "out of memory");
}

static int run(tuning *x, cli_settings *settings)
{
    const cli_arguments *args = x->args;
    const tub_tune_params params = {
        .size = sizeof params,
        .encoder = settings->encoder,
        .extractor = {.size = sizeof params.extractor,
                      .sampling = settings->sampling,
                      .decode_threads = cli_number(args, OPTION_DECODE_THREADS, 0),
                      .prefetch = cli_number(args, OPTION_PREFETCH, 0),
                      .video_stream = cli_number(args, OPTION_VIDEO_STREAM, -1) + 1,
                      .decoder = cli_decoder(args),
                      .resizer = cli_resizer(args)},
        .videos = x->videos,
        .video_count = x->video_count,
        .budget = cli_number(args, OPTION_BUDGET, 0),
        .whole_ranges = cli_given(args, OPTION_WIDE),
        .on_row = on_row,
        .on_note = on_note,
        .user = x,
        .stop = cli_stop_flag(),
    };
    tub_tuning *t = NULL;
    tub_error err;
    tub_status status = tub_tune(&params, &t, &err);
    cli_status_line("");
    if (status == TUB_ERROR_CANCELLED && cli_interrupted())
        return cli_interrupted();
    if (status != TUB_OK)
        return cli_fail(&err);
    say_table(x, t);
    status = tub_tuning_save(t, &err);
    say_profile(x, tub_tuning_profile(t));
    if (status == TUB_OK)
        cli_say(x->text, "kept for extract in %s", tub_tuning_profile(t)->path);
    tub_tuning_close(&t);
    return status == TUB_OK ? CLI_OK : cli_fail(&err);
}

static void list_presets(bool json)
{
    const tub_device_preset *p;
    if (!json)
        cli_say(stdout, "settings by device, for --device-preset (the first three are the tuning guide's):");
    for (size_t i = 0; (p = tub_device_preset_at(i)); i++)
        if (json)
            cli_print_json(json_pack("{s:s, s:s, s:s, s:i, s:i, s:i}", "event", "device-preset", "name", p->name,
                                     "what", p->what, "batch", p->batch, "decode_threads", p->decode_threads,
                                     "prefetch", p->prefetch));
        else
            cli_say(stdout, "  %-10s  %s: --batch %d --decode-threads %d --prefetch %d", p->name, p->what, p->batch,
                    p->decode_threads, p->prefetch);
}

static int list(const tuning *x)
{
    tub_profile p;
    tub_error err;
    tub_status status;
    size_t count = 0;
    list_presets(x->json);
    for (; (status = tub_profile_at(count, &p, &err)) != TUB_END; count++) {
        if (status != TUB_OK) { // list the others anyway
            cli_refuse(CLI_OK, "warning: profile: %s", err.text);
            continue;
        }
        if (!x->json && count == 0)
            cli_say(stdout, "profiles of this machine:");
        if (!x->json)
            cli_say(stdout, "%s, of %s%s:", p.path, p.name, p.other_build ? ", another build's: tune again" : "");
        say_profile(x, &p);
    }
    if (count == 0 && !x->json)
        cli_say(stdout, "no profile of this machine yet: tubelet tune INPUT... --model DIR makes one");
    return CLI_OK;
}

int cli_tune(const cli_arguments *args)
{
    tuning x = {.args = args, .json = cli_given(args, OPTION_JSON)};
    x.text = x.json ? stderr : stdout;
    if (cli_given(args, OPTION_LIST))
        return list(&x);
    cli_settings settings;
    int code = cli_require(args, OPTION_MODEL);
    if (code == CLI_OK)
        code = cli_read_settings(args, &settings);
    if (code == CLI_OK)
        code = list_videos(&x);
    cli_catch_interrupts();
    if (code == CLI_OK)
        code = run(&x, &settings);
    for (size_t i = 0; i < x.video_count; i++)
        free((void *)x.videos[i]);
    free(x.videos);
    return code;
}
