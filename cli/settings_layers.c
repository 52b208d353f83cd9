#include "settings_layers.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "option_value.h"

#define PROJECT_FILE "tubelet.conf"

bool cli_is_setting(option_id id)
{
    return id != OPTION_HELP && id != OPTION_PRINT_CONFIG && id != OPTION_CONFIG;
}

void cli_variable_name(const option_row *row, char out[64])
{
    snprintf(out, 64, "TUBELET_%s", row->name);
    for (char *c = out; *c; c++)
        *c = *c == '-' ? '_' : (char)toupper((unsigned char)*c);
}

bool cli_user_file(char *out, size_t size)
{
    const char *folder = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");
    if (folder && *folder == '/')
        return snprintf(out, size, "%s/tubelet/config", folder) < (int)size;
    return home && *home && snprintf(out, size, "%s/.config/tubelet/config", home) < (int)size;
}

void cli_settle(cli_arguments *args, option_id id, cli_value value)
{
    if (!args->value[id].source)
        args->value[id] = value;
}

char *cli_keep(cli_arguments *args, char *text)
{
    char **kept = text ? realloc(args->kept, (args->kept_count + 1) * sizeof *kept) : NULL;
    if (!kept) {
        free(text);
        cli_refuse(CLI_FATAL, "out of memory");
        return NULL;
    }
    args->kept = kept;
    return kept[args->kept_count++] = text;
}

static int read_variable(cli_arguments *args, const option_row *row)
{
    char name[64];
    cli_variable_name(row, name);
    const char *text = getenv(name);
    if (!text || !*text)
        return CLI_OK;
    const char *source = cli_keep(args, strdup(name));
    cli_value value = {.source = source};
    int code = source ? cli_take_value(row, name, text, &value) : CLI_FATAL;
    if (code == CLI_OK)
        cli_settle(args, row->id, value);
    return code;
}

static int read_environment(cli_arguments *args)
{
    for (size_t i = 0; cli_option_at(i); i++) {
        const option_row *row = cli_option_at(i);
        if (!(row->verbs & args->verb->bit) || (!cli_is_setting(row->id) && row->id != OPTION_CONFIG))
            continue;
        int code = read_variable(args, row);
        if (code != CLI_OK)
            return code;
    }
    return CLI_OK;
}

int cli_read_layers(cli_arguments *args)
{
    char user[4096];
    int code = read_environment(args);
    const char *project = cli_text(args, OPTION_CONFIG, NULL);
    if (code != CLI_OK || (project && !strcmp(project, "none")))
        return code;
    code = cli_read_settings_file(args, project ? project : PROJECT_FILE, project != NULL);
    if (code == CLI_OK && cli_user_file(user, sizeof user))
        code = cli_read_settings_file(args, user, false);
    return code;
}

void cli_forget_layers(cli_arguments *args)
{
    for (size_t i = 0; i < args->kept_count; i++)
        free(args->kept[i]);
    free(args->kept);
    args->kept = NULL;
    args->kept_count = 0;
}
