// tubelet models: lists the known families.
#include <stdio.h>
#include <string.h>

#include "cli.h"
#include "console.h"
#include "json_events.h"
#include "models_text.h"

const char *cli_millions(int64_t parameters, char out[24])
{
    if (parameters < 1000000)
        snprintf(out, 24, "%.2f M", (double)parameters / 1e6);
    else if (parameters < 1000000000)
        snprintf(out, 24, "%.1f M", (double)parameters / 1e6);
    else
        snprintf(out, 24, "%.2f B", (double)parameters / 1e9);
    return out;
}

static int print_family_json(size_t family, const tub_family_info *f)
{
    tub_error err;
    tub_size_info s;
    tub_status status;
    json_t *sizes = json_array();
    for (size_t i = 0; (status = tub_family_size_at(family, i, &s, &err)) == TUB_OK; i++)
        json_array_append_new(sizes, json_pack("{s:s, s:i, s:i, s:i, s:i, s:i, s:i, s:i, s:i, s:I}", "size", s.name,
                                               "hidden", s.hidden, "layers", s.layers, "heads", s.heads, "mlp", s.mlp,
                                               "patch", s.patch, "frames", s.frames, "image", s.image, "dim", s.dim,
                                               "parameters", (json_int_t)s.parameters));
    if (status != TUB_END) {
        json_decref(sizes);
        return cli_fail(&err);
    }
    cli_print_json(json_pack("{s:s, s:s, s:s, s:s, s:b, s:s, s:s?, s:o}", "family", f->name, "model_types",
                             f->model_types, "sizes", f->sizes, "feature", f->feature, "per_frame", f->per_frame,
                             "layouts", f->layouts, "processor", f->processor, "published", sizes));
    return CLI_OK;
}

// "base 768, small 384, ...": sizes, each with the length of a row.
static int print_family(size_t family, const tub_family_info *f)
{
    char sizes[512] = "";
    tub_error err;
    tub_size_info s;
    tub_status status;
    for (size_t i = 0; (status = tub_family_size_at(family, i, &s, &err)) == TUB_OK; i++) {
        size_t used = strlen(sizes);
        snprintf(sizes + used, sizeof sizes - used, "%s%s %d", i ? ", " : "", s.name, s.dim);
    }
    if (status != TUB_END)
        return cli_fail(&err);
    cli_say(stdout, "%-21s  %-5s  %s", f->name, f->per_frame ? "frame" : "clip", sizes);
    cli_say(stdout, "%28s  a row is    %s", "", f->feature);
    cli_say(stdout, "%28s  model_type  %s", "", f->model_types);
    cli_say(stdout, "%28s  files       %s", "", f->layouts);
    return CLI_OK;
}

int cli_models(const cli_arguments *args)
{
    const bool json = cli_given(args, OPTION_JSON);
    tub_family_info f;
    if (cli_given(args, OPTION_MARKDOWN))
        return cli_models_markdown();
    if (!json)
        cli_say(stdout, "%-21s  %-5s  %s", "FAMILY", "KIND",
                "SIZES for tubelet init, the default first, and values of a row");
    for (size_t i = 0; tub_family_at(i, &f); i++) {
        int code = json ? print_family_json(i, &f) : print_family(i, &f);
        if (code != CLI_OK)
            return code;
    }
    return CLI_OK;
}
