// tubelet models: the families that are known.
#include "cli.h"
#include "console.h"
#include "json_events.h"

int cli_models(const cli_arguments *args)
{
    tub_family_info f;
    for (size_t i = 0; tub_family_at(i, &f); i++) {
        if (cli_given(args, OPTION_JSON)) {
            cli_print_json(json_pack("{s:s, s:s, s:s, s:s, s:b}", "family", f.name, "model_types", f.model_types,
                                     "sizes", f.sizes, "feature", f.feature, "per_frame", f.per_frame));
            continue;
        }
        cli_say(stdout, "%s (%s model)", f.name, f.per_frame ? "frame" : "clip");
        cli_say(stdout, "  model_type: %s", f.model_types);
        cli_say(stdout, "  a row is:   %s", f.feature);
        cli_say(stdout, "  init sizes: %s", f.sizes);
    }
    return CLI_OK;
}
