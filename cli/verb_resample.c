// tubelet resample: features of one folder into another, with a larger stride or a fixed length.
#include "cli.h"
#include "console.h"
#include "interrupt.h"
#include "json_events.h"
#include "run_settings.h"

static void say_file(void *user, const char *file, int64_t rows_in, int64_t rows_out, const char *error)
{
    const bool json = *(const bool *)user;
    if (json)
        cli_print_json(json_pack("{s:s, s:o, s:s, s:I, s:I, s:o}", "event", "file", "file", cli_json_text(file),
                                 "status", error ? "failed" : "ok", "rows_in", (json_int_t)rows_in, "rows_out",
                                 (json_int_t)rows_out, "reason", cli_json_text(error)));
    else if (error)
        cli_say(stderr, CLI_RED "failed" CLI_PLAIN "  %s", error);
}

int cli_resample(const cli_arguments *args)
{
    bool json = cli_given(args, OPTION_JSON);
    tub_resample_params params = {.size = sizeof params,
                                  .in = args->operands[0],
                                  .out = args->operands[1],
                                  .stride = cli_number(args, OPTION_STRIDE, 0),
                                  .length = cli_number(args, OPTION_LENGTH, 0),
                                  .on_file = say_file,
                                  .user = &json,
                                  .stop = cli_stop_flag()};
    tub_resample_totals t;
    tub_error err;
    int code = cli_read_layout(args, &params.layout, &params.layout);
    if (code != CLI_OK)
        return code;
    cli_catch_interrupts();
    tub_status status = tub_features_resample(&params, &t, &err);
    if (status == TUB_ERROR_CANCELLED && cli_interrupted())
        return cli_interrupted();
    if (status != TUB_OK)
        return cli_fail(&err);
    if (json)
        cli_print_json(json_pack("{s:s, s:I, s:I, s:I, s:I, s:I, s:I}", "event", "end", "files", (json_int_t)t.files,
                                 "written", (json_int_t)t.written, "done_before", (json_int_t)t.done_before, "failed",
                                 (json_int_t)t.failed, "rows_in", (json_int_t)t.rows_in, "rows_out",
                                 (json_int_t)t.rows_out));
    else
        cli_say(stdout, "%s: %zu of %zu files written, %zu there before, %zu failed; %lld rows into %lld", params.out,
                t.written, t.files, t.done_before, t.failed, (long long)t.rows_in, (long long)t.rows_out);
    return t.failed ? CLI_INCOMPLETE : CLI_OK;
}
