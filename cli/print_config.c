// What --print-config prints: lines that a settings file can hold, with their source after a '#'. Also what a run says
// about settings that its command line doesn't show.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "console.h"
#include "json_events.h"
#include "settings_layers.h"

static const char *value_text(const option_row *row, const cli_value *value)
{
    if (row->kind != KIND_FLAG)
        return value->text;
    return value->text ? "yes" : "no";
}

// Adds quotes if a settings file would read the text as something else.
static void quote(const char *text, char *out, size_t size)
{
    size_t length = strlen(text), used = 0;
    bool plain = text[0] != '"' && !strchr(text, '#') && strcspn(text, " \t") == length;
    if (plain || 2 * length + 3 > size) {
        snprintf(out, size, "%s", text);
        return;
    }
    out[used++] = '"';
    for (; *text; text++) {
        if (*text == '"' || *text == '\\')
            out[used++] = '\\';
        out[used++] = *text;
    }
    out[used++] = '"';
    out[used] = 0;
}

static void print_row(const option_row *row, const cli_value *value)
{
    char quoted[8192], line[8192 + 64];
    if (!value->source) {
        cli_say(stdout, "# %-16s not set: %s", row->name, row->help);
        return;
    }
    quote(value_text(row, value), quoted, sizeof quoted);
    snprintf(line, sizeof line, "%s = %s", row->name, quoted);
    cli_say(stdout, "%-34s # %s", line, value->source);
}

static void print_json(const option_row *row, const cli_value *value)
{
    cli_print_json(json_pack("{s:s, s:s, s:o, s:o}", "event", "setting", "name", row->name, "value",
                             cli_json_text(value->source ? value_text(row, value) : NULL), "source",
                             cli_json_text(value->source)));
}

char *cli_settings_elsewhere(const cli_arguments *args)
{
    char *text = NULL;
    size_t size = 0;
    FILE *to = open_memstream(&text, &size);
    for (size_t i = 0; to && cli_option_at(i); i++) {
        const option_row *row = cli_option_at(i);
        const cli_value *value = &args->value[row->id];
        if (!(row->verbs & args->verb->bit) || !value->source || !strcmp(value->source, CLI_COMMAND_LINE))
            continue;
        fprintf(to, "%s%s = %s (%s)", ftell(to) > 0 ? ", " : "", row->name, value_text(row, value), value->source);
    }
    if (!to || fclose(to) || !*text) {
        free(text);
        return NULL;
    }
    return text;
}

void cli_print_config(const cli_arguments *args)
{
    bool json = cli_given(args, OPTION_JSON);
    char user[4096];
    if (!json) {
        cli_say(stdout, "# tubelet %s: command line > TUBELET_* > %s > %s", args->verb->name,
                cli_text(args, OPTION_CONFIG, "./tubelet.conf"),
                cli_user_file(user, sizeof user) ? user : "no file of the user's");
        cli_say(stdout, "[%s]", args->verb->name);
    }
    for (size_t i = 0; cli_option_at(i); i++) {
        const option_row *row = cli_option_at(i);
        if (!(row->verbs & args->verb->bit) || !cli_is_setting(row->id))
            continue;
        if (json)
            print_json(row, &args->value[row->id]);
        else
            print_row(row, &args->value[row->id]);
    }
}
