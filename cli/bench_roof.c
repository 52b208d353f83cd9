// tubelet bench --case roof: the processor's peak rate for each type that it computes in.
#include <stdio.h>
#include <string.h>

#include "bench.h"
#include "cli.h"

static const double turn_seconds = 0.2;

static const tub_dtype dtypes[] = {TUB_F32, TUB_BF16, TUB_INT8};
enum { DTYPES = sizeof dtypes / sizeof *dtypes };

typedef struct roof_bench {
    int threads, repetitions;
    double rates[BENCH_REPETITIONS];
    double seconds;
    char text[160]; // for people
    json_t *roofs;
} roof_bench;

static int add_roof(roof_bench *b, tub_dtype dtype)
{
    tub_error err;
    const char *name = tub_dtype_name(dtype);
    for (int i = 0; i < b->repetitions; i++)
        if (tub_roof_measure(dtype, b->threads, turn_seconds, &b->rates[i], &err) != TUB_OK)
            return cli_fail(&err);
    bench_spread rate = bench_spread_of(b->rates, b->repetitions);
    json_array_append_new(b->roofs, json_pack("{s:s, s:f, s:f, s:f}", "dtype", name, "flops_per_second", rate.median,
                                              "min_flops_per_second", rate.least, "max_flops_per_second", rate.most));
    size_t used = strlen(b->text);
    snprintf(b->text + used, sizeof b->text - used, "%s%s %.1f GFLOP/s (%.1f-%.1f)", used ? ", " : "", name,
             rate.median / 1e9, rate.least / 1e9, rate.most / 1e9);
    return CLI_OK;
}

// All types that the processor computes in.
static int add_all(roof_bench *b)
{
    int code = CLI_OK;
    for (int i = 0; code == CLI_OK && i < DTYPES; i++) {
        double rate = 0;
        if (tub_roof_measure(dtypes[i], b->threads, turn_seconds, &rate, NULL) != TUB_ERROR_DEVICE)
            code = add_roof(b, dtypes[i]);
    }
    return code;
}

int cli_bench_roof(const cli_arguments *args)
{
    tub_error err;
    tub_dtype dtype = TUB_DTYPE_AUTO;
    if (tub_dtype_parse(cli_text(args, OPTION_DTYPE, "auto"), &dtype, &err) != TUB_OK)
        return cli_fail(&err);
    roof_bench b = {.threads = cli_number(args, OPTION_THREADS, 0),
                    .repetitions = cli_number(args, OPTION_REPEAT, 5),
                    .roofs = json_array()};
    double began = cli_now();
    int code = dtype == TUB_DTYPE_AUTO ? add_all(&b) : add_roof(&b, dtype);
    if (code != CLI_OK) {
        json_decref(b.roofs);
        return code;
    }
    json_t *result = json_pack("{s:s, s:f, s:i, s:s, s:o}", "case", "roof", "seconds", cli_now() - began, "repetitions",
                               b.repetitions, "threads", cli_text(args, OPTION_THREADS, "auto"), "roofs", b.roofs);
    return bench_print(args, result, "roof: %s (median of %d)", b.text, b.repetitions);
}
