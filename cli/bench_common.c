#include <errno.h>
#include <ftw.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "cli.h"
#include "console.h"
#include "json_events.h"

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

bench_spread bench_spread_of(double *values, int count)
{
    qsort(values, (size_t)count, sizeof *values, by_value);
    return (bench_spread){(values[(count - 1) / 2] + values[count / 2]) / 2, values[0], values[count - 1]};
}

void bench_add_seconds(json_t *result, bench_spread seconds, int repetitions)
{
    json_object_set_new(result, "seconds", json_real(seconds.median));
    json_object_set_new(result, "min_seconds", json_real(seconds.least));
    json_object_set_new(result, "max_seconds", json_real(seconds.most));
    json_object_set_new(result, "repetitions", json_integer(repetitions));
}

static void print_markdown(const json_t *result)
{
    const char *key;
    json_t *value;
    cli_say(stdout, "| | |");
    cli_say(stdout, "|---|---|");
    // jansson's iteration takes a non-const json_t, but doesn't change it.
    json_object_foreach((json_t *)(uintptr_t)result, key, value)
    {
        char *text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY | JSON_REAL_PRECISION(6));
        cli_say(stdout, "| %s | %s |", key, json_is_string(value) ? json_string_value(value) : text ? text : "");
        free(text);
    }
}

int bench_print(const cli_arguments *args, json_t *result, const char *format, ...)
{
    if (!result)
        return cli_refuse(CLI_FATAL, "out of memory");
    if (cli_given(args, OPTION_JSON)) {
        cli_print_json(result);
        return CLI_OK;
    }
    char *text = NULL;
    va_list arguments;
    va_start(arguments, format);
    int length = vasprintf(&text, format, arguments);
    va_end(arguments);
    if (cli_given(args, OPTION_MARKDOWN))
        print_markdown(result);
    else if (length >= 0)
        cli_say(stdout, "%s", text);
    if (length >= 0)
        free(text);
    json_decref(result);
    return CLI_OK;
}

bool bench_folder_make(char path[BENCH_PATH])
{
    const char *under = getenv("TMPDIR");
    int length = snprintf(path, BENCH_PATH, "%s/tubelet-bench-XXXXXX", under && *under ? under : "/tmp");
    if (length > 0 && length < BENCH_PATH && mkdtemp(path))
        return true;
    cli_refuse(CLI_OUTPUT, "%s: no temporary folder: %s", path, strerror(errno));
    *path = '\0';
    return false;
}

static int remove_one(const char *path, const struct stat *about, int kind, struct FTW *where)
{
    (void)about, (void)kind, (void)where;
    return remove(path);
}

void bench_folder_remove(const char *path)
{
    if (*path && nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS) != 0)
        cli_refuse(CLI_OK, "warning: %s: not all of it could be removed: %s", path, strerror(errno));
}
