// tubelet completion: what the shells' scripts have in common.
#include "completion.h"

#include <string.h>

bool cli_row_is_of(const option_row *row, const cli_verb *verb)
{
    return (row->verbs & verb->bit) != 0;
}

int cli_value_shown(const option_row *row)
{
    const char *value = row->value ? row->value : "", *hidden = strstr(value, "||");
    return (int)(hidden ? (size_t)(hidden - value) : strlen(value));
}

static void list_presets(char *out, size_t size)
{
    size_t used = 0;
    for (size_t i = 0; tub_preset_at(i) && used < size; i++)
        used += (size_t)snprintf(out + used, size - used, "%s%s", i ? " " : "", tub_preset_at(i)->name);
}

void cli_value_words(const option_row *row, char *out, size_t size)
{
    *out = 0;
    if (row->id == OPTION_PRESET) {
        list_presets(out, size);
    } else if (row->kind == KIND_CHOICE) {
        snprintf(out, size, "%.*s", cli_value_shown(row), row->value);
        for (char *c = out; *c; c++)
            *c = *c == '|' ? ' ' : *c;
    } else if (row->kind == KIND_AUTO) {
        snprintf(out, size, "auto");
    } else if (row->kind == KIND_RATE) {
        snprintf(out, size, "native");
    }
}

bool cli_value_is_path(const option_row *row)
{
    return row->kind == KIND_TEXT && (strstr(row->value, "DIR") || strstr(row->value, "FILE") ||
                                      strstr(row->value, ".npy") || strstr(row->value, "MODEL"));
}

bool cli_operands_are_paths(const cli_verb *verb)
{
    return verb->most != 0 && verb->bit != VERB_COMPLETION;
}

int cli_completion(const cli_arguments *args)
{
    static const char *const names[] = {"bash", "zsh", "fish"};
    static void (*const write[])(FILE *) = {cli_complete_bash, cli_complete_zsh, cli_complete_fish};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (!strcmp(args->operands[0], names[i])) {
            write[i](stdout);
            return CLI_OK;
        }
    const char *near = cli_nearest(args->operands[0], names, sizeof names / sizeof *names);
    return near ? cli_refuse(CLI_USAGE, "completion %s: did you mean %s?", args->operands[0], near)
                : cli_refuse(CLI_USAGE, "completion %s: known are bash, zsh and fish", args->operands[0]);
}
