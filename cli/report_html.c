#include "report_html.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "save_file.h"

enum { LONGEST_FILE = 64 << 20 };

static const char data_mark[] = "@DATA@";
static const char data_begin[] = "<script type=\"application/json\" id=\"runs\">", data_end[] = "</script>";

// Writes JSON in which no tag can begin, so that no video's name ends the script that holds it.
static void put_json(FILE *to, const void *value)
{
    char *text = json_dumps(value, JSON_COMPACT | JSON_REAL_PRECISION(9));
    for (const char *c = text; c && *c; c++)
        if (*c == '<')
            fputs("\\u003c", to);
        else
            fputc(*c, to);
    free(text);
}

static void put_page(FILE *to, const void *runs)
{
    const char *page = (const char *)cli_report_page, *mark = strstr(page, data_mark);
    fwrite(page, 1, (size_t)(mark - page), to);
    put_json(to, runs);
    fputs(mark + sizeof data_mark - 1, to);
}

int cli_report_save_page(const char *path, const json_t *before, const json_t *run)
{
    json_t *runs = json_array();
    if (before)
        json_array_append_new(runs, json_deep_copy(before));
    json_array_append_new(runs, json_deep_copy(run));
    int code = cli_save_file(path, put_page, runs);
    json_decref(runs);
    return code;
}

int cli_report_save(const char *path, const json_t *run)
{
    size_t length = strlen(path);
    bool record = length > 5 && !strcmp(path + length - 5, ".json");
    return record ? cli_save_file(path, put_json, run) : cli_report_save_page(path, NULL, run);
}

static char *read_text(const char *path)
{
    FILE *f = fopen(path, "re");
    if (!f) {
        cli_refuse(CLI_USAGE, "%s: %s", path, strerror(errno));
        return NULL;
    }
    char *text = malloc(LONGEST_FILE + 1);
    size_t bytes = text ? fread(text, 1, LONGEST_FILE, f) : 0;
    bool whole = text && !ferror(f) && fgetc(f) == EOF;
    fclose(f);
    if (whole) {
        text[bytes] = '\0';
        return text;
    }
    free(text);
    cli_refuse(CLI_USAGE, "%s: can't be read, or is no report", path);
    return NULL;
}

// Parses the JSON of a record, or of the record inside a page.
static json_t *parse(const char *text)
{
    const char *begin = strstr(text, data_begin), *end = begin ? strstr(begin, data_end) : NULL;
    if (!begin)
        return json_loads(text, 0, NULL);
    begin += sizeof data_begin - 1;
    return end ? json_loadb(begin, (size_t)(end - begin), 0, NULL) : NULL;
}

static bool is_run(const json_t *run)
{
    const char *kind = json_string_value(json_object_get(run, "kind"));
    return kind && !strcmp(kind, "tubelet run") && json_integer_value(json_object_get(run, "schema")) == 1 &&
           json_is_object(json_object_get(run, "totals")) && json_is_object(json_object_get(run, "samples")) &&
           json_is_object(json_object_get(run, "model")) && json_is_object(json_object_get(run, "machine"));
}

json_t *cli_report_load(const char *path)
{
    char *text = read_text(path);
    if (!text)
        return NULL;
    json_t *found = parse(text), *run = found;
    free(text);
    if (json_is_array(found))
        run = json_array_get(found, json_array_size(found) - 1);
    run = is_run(run) ? json_incref(run) : NULL;
    json_decref(found);
    if (!run)
        cli_refuse(CLI_USAGE, "%s: is no report of a run: make one with tubelet extract --report FILE", path);
    return run;
}
