// tubelet convert: turns a checkpoint of any layout into the usual folder.
#include "cli.h"
#include "console.h"

int cli_convert(const cli_arguments *args)
{
    const char *model = args->operands[0], *folder = args->operands[1];
    tub_error err;
    if (tub_checkpoint_convert(model, folder, &err) != TUB_OK)
        return cli_fail(&err);
    cli_say(stdout, "%s: config.json and model.safetensors of %s", folder, model);
    return CLI_OK;
}
