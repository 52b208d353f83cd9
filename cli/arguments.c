#include "arguments.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "option_value.h"
#include "settings_layers.h"

static int unknown_option(const cli_verb *verb, const char *name, size_t length)
{
    const option_row *elsewhere = cli_option_find(name, length, ~0u);
    if (elsewhere)
        return cli_refuse(CLI_USAGE, "tubelet %s takes no --%s; see tubelet %s --help", verb->name, elsewhere->name,
                          verb->name);
    char typed[64];
    snprintf(typed, sizeof typed, "%.*s", (int)length, name);
    const char *near = cli_option_nearest(typed, verb->bit);
    if (near)
        return cli_refuse(CLI_USAGE, "unknown option --%s: did you mean --%s?", typed, near);
    return cli_refuse(CLI_USAGE, "unknown option --%s; see tubelet %s --help", typed, verb->name);
}

// "--no-recursive": undoes what a file or the environment sets.
static const option_row *negated(const cli_verb *verb, const char *name, size_t length)
{
    static const char no[] = "no-";
    const size_t skipped = sizeof no - 1;
    if (length <= skipped || strncmp(name, no, skipped))
        return NULL;
    const option_row *row = cli_option_find(name + skipped, length - skipped, verb->bit);
    return row && row->kind == KIND_FLAG ? row : NULL;
}

static int take_flag(cli_arguments *out, const option_row *row, const char *text, const char *equals)
{
    if (equals)
        return cli_refuse(CLI_USAGE, "--%s%s takes no value", text ? "" : "no-", row->name);
    out->value[row->id] = (cli_value){.text = text, .source = CLI_COMMAND_LINE};
    return CLI_OK;
}

// One option at argv[*i]. *i moves on if the argument is the next word.
static int take_option(cli_arguments *out, int *i)
{
    const char *name = out->argv[*i] + 2;
    const char *equals = strchr(name, '=');
    size_t length = equals ? (size_t)(equals - name) : strlen(name);
    const option_row *row = cli_option_find(name, length, out->verb->bit);
    const option_row *taken_back = row ? NULL : negated(out->verb, name, length);
    if (taken_back)
        return take_flag(out, taken_back, NULL, equals);
    if (!row)
        return unknown_option(out->verb, name, length);
    if (row->kind == KIND_FLAG)
        return take_flag(out, row, "", equals);
    if (!equals && *i + 1 >= out->argc)
        return cli_refuse(CLI_USAGE, "--%s needs a value: %s", row->name, row->value);
    const char *text = equals ? equals + 1 : out->argv[++*i];
    char where[64];
    snprintf(where, sizeof where, "--%s", row->name);
    out->value[row->id].source = CLI_COMMAND_LINE;
    return cli_take_value(row, where, text, &out->value[row->id]);
}

static int check_operands(const cli_arguments *args)
{
    const cli_verb *verb = args->verb;
    if (args->operand_count < verb->least)
        return cli_refuse(CLI_USAGE, "tubelet %s needs %s; see tubelet %s --help", verb->name, verb->operands,
                          verb->name);
    if (verb->most >= 0 && args->operand_count > verb->most)
        return cli_refuse(CLI_USAGE, "tubelet %s: one argument too many: %s", verb->name, args->operands[verb->most]);
    for (int i = 0; i < args->operand_count; i++)
        if (!*args->operands[i])
            return cli_refuse(CLI_USAGE, "tubelet %s: an argument is empty", verb->name);
    return CLI_OK;
}

// Reads the command line only.
static int take_words(cli_arguments *out)
{
    char **argv = out->argv;
    bool options = true;
    for (int i = 2; i < out->argc; i++) {
        int code = CLI_OK;
        if (options && !strcmp(argv[i], "--"))
            options = false;
        else if (options && !strcmp(argv[i], "-h"))
            out->value[OPTION_HELP].text = "";
        else if (options && !strncmp(argv[i], "--", 2))
            code = take_option(out, &i);
        else if (options && argv[i][0] == '-' && argv[i][1])
            code = cli_refuse(CLI_USAGE, "unknown option %s (a file of this name: write ./%s)", argv[i], argv[i]);
        else
            out->operands[out->operand_count++] = argv[i];
        if (code != CLI_OK)
            return code;
    }
    return CLI_OK;
}

int cli_parse(const cli_verb *verb, int argc, char **argv, cli_arguments *out)
{
    *out = (cli_arguments){.verb = verb, .argc = argc, .argv = argv};
    out->operands = calloc((size_t)argc, sizeof *out->operands);
    if (!out->operands)
        return cli_refuse(CLI_FATAL, "out of memory");
    int code = take_words(out);
    if (code != CLI_OK || cli_given(out, OPTION_HELP))
        return code;
    code = cli_read_layers(out);
    return code != CLI_OK || cli_given(out, OPTION_PRINT_CONFIG) ? code : check_operands(out);
}

void cli_arguments_finish(cli_arguments *args)
{
    cli_forget_layers(args);
    free(args->operands);
    args->operands = NULL;
}

bool cli_given(const cli_arguments *args, option_id id)
{
    return args->value[id].text != NULL;
}

const char *cli_text(const cli_arguments *args, option_id id, const char *otherwise)
{
    return cli_given(args, id) ? args->value[id].text : otherwise;
}

int cli_number(const cli_arguments *args, option_id id, int otherwise)
{
    return cli_given(args, id) ? (int)args->value[id].number : otherwise;
}

int cli_require(const cli_arguments *args, option_id id)
{
    if (cli_given(args, id))
        return CLI_OK;
    const option_row *row = NULL;
    for (size_t i = 0; !row; i++)
        if (cli_option_at(i)->id == id && (cli_option_at(i)->verbs & args->verb->bit))
            row = cli_option_at(i);
    return cli_refuse(CLI_USAGE, "tubelet %s needs --%s %s: %s", args->verb->name, row->name, row->value, row->help);
}
