// tubelet init: a random checkpoint.
#include "cli.h"
#include "console.h"

int cli_init(const cli_arguments *args)
{
    const char *what = args->operands[0], *folder = args->operands[1];
    uint64_t seed = cli_given(args, OPTION_SEED) ? (uint64_t)args->value[OPTION_SEED].number : 0;
    tub_error err;
    if (tub_checkpoint_init(what, folder, seed, &err) != TUB_OK)
        return cli_fail(&err);
    cli_say(stdout, "%s: a random %s, seed %llu", folder, what, (unsigned long long)seed);
    return CLI_OK;
}
