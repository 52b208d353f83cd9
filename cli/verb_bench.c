// tubelet bench: times one part.
#include <string.h>

#include "bench.h"
#include "cli.h"

// The names are also those of --case in options.c.
static const struct {
    const char *name;
    int (*run)(const cli_arguments *args);
} cases[] = {
    {"roof", cli_bench_roof},    {"forward", cli_bench_forward},       {"windows", cli_bench_windows},       {"decode", cli_bench_decode},
    {"preprocess", cli_bench_preprocess}, {"end-to-end", cli_bench_end_to_end}, {"resume", cli_bench_resume},
    {"ablation", cli_bench_ablation},
};

int cli_bench(const cli_arguments *args)
{
    int code = cli_require(args, OPTION_CASE);
    if (code != CLI_OK)
        return code;
    const char *name = args->value[OPTION_CASE].text;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        if (!strcmp(cases[i].name, name))
            return cases[i].run(args);
    return cli_refuse(CLI_FATAL, "--case %s is in the option table only", name);
}
