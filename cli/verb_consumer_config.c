// tubelet consumer-config: the block that a trainer's configuration needs for a folder of features.
#include "cli.h"
#include "console.h"
#include "json_events.h"

static void say_line(void *user, const char *line)
{
    (void)user;
    cli_say(stdout, "%s", line);
}

static json_t *affixes(const tub_features_info *info)
{
    json_t *out = json_array();
    for (int i = 0; i < info->affix_count; i++) {
        const tub_affix *a = &info->affixes[i];
        json_array_append_new(out,
                              json_pack("{s:o, s:o, s:o}", "split", a->split[0] ? cli_json_text(a->split) : json_null(),
                                        "prefix", cli_json_text(a->prefix), "suffix", cli_json_text(a->suffix)));
    }
    return out;
}

static json_t *known(double value)
{
    return value > 0 ? json_real(value) : json_null();
}

static int print_facts(const char *folder, const char *annotations)
{
    tub_features_info i;
    tub_error err;
    if (tub_features_describe(folder, annotations, &i, &err) != TUB_OK)
        return cli_fail(&err);
    bool grid = i.fixed_rows == 0;
    cli_print_json(json_pack(
        "{s:o, s:o, s:o, s:o, s:b, s:I, s:I, s:I, s:o, s:s, s:o, s:o}", "feature_stride",
        grid ? json_real(i.stride) : json_null(), "offset_frames", grid ? json_real(i.offset) : json_null(),
        "num_frames", grid ? json_real(i.num_frames) : json_null(), "fps", known(i.fps), "native", i.native,
        "in_channels", (json_int_t)i.dim, "files", (json_int_t)i.files, "most_rows", (json_int_t)i.most_rows,
        "fixed_rows", i.fixed_rows ? json_integer(i.fixed_rows) : json_null(), "container",
        tub_container_name(i.container), "key", cli_json_text(i.key[0] ? i.key : NULL), "names", affixes(&i)));
    return CLI_OK;
}

int cli_consumer_config(const cli_arguments *args)
{
    tub_consumer consumer;
    tub_error err;
    const char *folder = args->operands[1], *annotations = cli_text(args, OPTION_ANNOTATIONS, NULL);
    if (tub_consumer_parse(args->operands[0], &consumer, &err) != TUB_OK)
        return cli_fail(&err);
    if (cli_given(args, OPTION_JSON))
        return print_facts(folder, annotations);
    tub_status status = tub_consumer_config(folder, annotations, consumer, say_line, NULL, &err);
    return status == TUB_OK ? CLI_OK : cli_fail(&err);
}
