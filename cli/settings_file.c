// Settings in a file: one option per line, as NAME = VALUE.
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cli.h"
#include "console.h"
#include "option_value.h"
#include "settings_layers.h"

enum { LONGEST_FILE = 1 << 16 };

typedef struct settings_file {
    cli_arguments *args;
    const char *path;
    int line;
    const cli_verb *section; // of [verb]; NULL: for every verb
    cli_value value[OPTION_COUNT];
} settings_file;

// A default file may be missing. It may also be in a folder that we can't look into, such as the HOME of another user
// who started us.
static int without_file(const char *path, bool needed, int error)
{
    struct stat info;
    if (!needed && (error == ENOENT || error == ENOTDIR))
        return CLI_OK;
    if (needed || error != EACCES || stat(path, &info) == 0)
        return cli_refuse(CLI_USAGE, "settings file %s: %s", path, strerror(error));
    cli_warn("settings file %s: %s: done without it", path, strerror(error));
    return CLI_OK;
}

static int read_text(cli_arguments *args, const char *path, bool needed, char **out)
{
    *out = NULL;
    FILE *f = fopen(path, "re");
    if (!f)
        return without_file(path, needed, errno);
    char *text = cli_keep(args, calloc(LONGEST_FILE + 1, 1));
    size_t bytes = text ? fread(text, 1, LONGEST_FILE, f) : 0;
    int failed = ferror(f) ? errno : 0, more = fgetc(f) != EOF;
    fclose(f);
    if (!text)
        return CLI_FATAL;
    if (failed)
        return cli_refuse(CLI_USAGE, "settings file %s: %s", path, strerror(failed));
    if (more || memchr(text, 0, bytes))
        return cli_refuse(CLI_USAGE, "settings file %s: isn't a text of settings, one NAME = VALUE a line", path);
    static const char mark[] = "\xef\xbb\xbf"; // editors on Windows write this before UTF-8
    *out = strncmp(text, mark, sizeof mark - 1) ? text : text + sizeof mark - 1;
    return CLI_OK;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

static char *trim(char *text)
{
    while (is_blank(*text))
        text++;
    for (char *end = text + strlen(text); end > text && is_blank(end[-1]);)
        *--end = 0;
    return text;
}

// Removes a comment: '#' at the beginning or after a blank, outside quotes.
static void cut_comment(char *line)
{
    bool quoted = false;
    for (char *c = line; *c; c++) {
        if (*c == '\\' && quoted && c[1])
            c++;
        else if (*c == '"')
            quoted = !quoted;
        else if (*c == '#' && !quoted && (c == line || is_blank(c[-1]))) {
            *c = 0;
            return;
        }
    }
}

// Removes "..." in place, with \" and \\ inside. False if the quotes don't close at the end.
static bool unquote(char *text)
{
    char *to = text, *from = text + 1;
    if (*text != '"')
        return true;
    while (*from && *from != '"') {
        if (*from == '\\' && from[1])
            from++;
        *to++ = *from++;
    }
    bool closed = from[0] == '"' && !from[1];
    *to = 0;
    return closed;
}

static int take_section(settings_file *f, char *name)
{
    char *end = strchr(name, ']');
    if (!end || end[1])
        return cli_refuse(CLI_USAGE, "%s:%d: expected [VERB]", f->path, f->line);
    *end = 0;
    name = trim(name + 1);
    f->section = cli_verb_find(name);
    if (f->section)
        return CLI_OK;
    const char *near = cli_verb_nearest(name);
    return near
               ? cli_refuse(CLI_USAGE, "%s:%d: there is no verb %s: did you mean [%s]?", f->path, f->line, name, near)
               : cli_refuse(CLI_USAGE, "%s:%d: there is no verb %s; tubelet --help lists them", f->path, f->line, name);
}

static int unknown_setting(const settings_file *f, const char *name)
{
    const option_row *elsewhere = cli_option_find(name, strlen(name), EVERY_VERB);
    if (elsewhere && !cli_is_setting(elsewhere->id))
        return cli_refuse(CLI_USAGE, "%s:%d: %s is for the command line, not for files", f->path, f->line, name);
    if (elsewhere)
        return cli_refuse(CLI_USAGE, "%s:%d: tubelet %s takes no %s: put it above the first [VERB]", f->path, f->line,
                          f->section->name, name);
    const char *near = cli_option_nearest(name, EVERY_VERB);
    return near ? cli_refuse(CLI_USAGE, "%s:%d: unknown setting %s: did you mean %s?", f->path, f->line, name, near)
                : cli_refuse(CLI_USAGE, "%s:%d: unknown setting %s; tubelet VERB --print-config lists them", f->path,
                             f->line, name);
}

static int take_value(settings_file *f, const option_row *row, char *text)
{
    char *where = NULL, *source = NULL;
    if (asprintf(&where, "%s:%d: %s", f->path, f->line, row->name) < 0 || !cli_keep(f->args, where) ||
        asprintf(&source, "%s:%d", f->path, f->line) < 0 || !cli_keep(f->args, source))
        return CLI_FATAL;
    if (!unquote(text))
        return cli_refuse(CLI_USAGE, "%s: the quotes don't close at the end of the line", where);
    cli_value value = {.source = source};
    int code = cli_take_value(row, where, row->kind == KIND_FLAG && !*text ? "yes" : text, &value);
    if (code == CLI_OK) // the last of several equal ones counts, and a section's more than what is for all
        f->value[row->id] = value;
    return code;
}

// NAME = VALUE, NAME VALUE or --NAME VALUE; for flags also NAME alone.
static int take_line(settings_file *f, char *line)
{
    while (*line == '-')
        line++;
    size_t length = strcspn(line, "= \t");
    char *text = line + length;
    text += strspn(text, " \t");
    text = trim(*text == '=' ? text + 1 : text);
    line[length] = 0;
    unsigned verbs = f->section ? f->section->bit : EVERY_VERB;
    const option_row *row = cli_option_find(line, length, verbs);
    if (!row || !cli_is_setting(row->id))
        return unknown_setting(f, line);
    unsigned ours = f->args->verb->bit;
    row = verbs & ours ? cli_option_find(line, length, ours) : NULL;
    return row ? take_value(f, row, text) : CLI_OK; // otherwise it is for other verbs
}

static int take_lines(settings_file *f, char *text)
{
    int code = CLI_OK;
    for (char *next; code == CLI_OK && text; text = next) {
        next = strchr(text, '\n');
        if (next)
            *next++ = 0;
        f->line++;
        cut_comment(text);
        char *line = trim(text);
        if (*line == '[')
            code = take_section(f, line);
        else if (*line)
            code = take_line(f, line);
    }
    return code;
}

int cli_read_settings_file(cli_arguments *args, const char *path, bool needed)
{
    char *text;
    settings_file f = {.args = args, .path = path};
    if (!cli_keep(args, strdup(path)))
        return CLI_FATAL;
    int code = read_text(args, path, needed, &text);
    if (code == CLI_OK && text)
        code = take_lines(&f, text);
    for (size_t id = 0; code == CLI_OK && id < OPTION_COUNT; id++)
        if (f.value[id].source)
            cli_settle(args, (option_id)id, f.value[id]);
    return code;
}
