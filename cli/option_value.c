#include "option_value.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "cli.h"

// A whole number, digits only: no sign, no blanks, no hexadecimal.
static bool whole_number(const char *text, const char **end, int64_t *out)
{
    if (*text < '0' || *text > '9')
        return false;
    char *after;
    errno = 0;
    long long n = strtoll(text, &after, 10);
    *out = n;
    *end = after;
    return errno == 0;
}

static bool real_number(const char *text, const char **end, double *out)
{
    if (!*text || !strchr("+-.0123456789", *text))
        return false;
    char *after;
    *out = strtod(text, &after);
    *end = after;
    return after != text && isfinite(*out) && !memchr(text, 'x', (size_t)(after - text));
}

static int refuse_value(const char *where, const char *text, const char *wanted)
{
    return cli_refuse(CLI_USAGE, "%s %s: expected %s", where, text, wanted);
}

static int take_number(const option_row *row, const char *where, const char *text, cli_value *out)
{
    const char *end;
    if (row->kind == KIND_AUTO && !strcmp(text, "auto")) {
        out->number = 0;
        return CLI_OK;
    }
    if (whole_number(text, &end, &out->number) && !*end && out->number >= row->least && out->number <= row->most)
        return CLI_OK;
    return cli_refuse(CLI_USAGE, "%s %s: expected a whole number from %lld to %lld%s", where, text,
                      (long long)row->least, (long long)row->most, row->kind == KIND_AUTO ? ", or auto" : "");
}

static int take_rate(const option_row *row, const char *where, const char *text, cli_value *out)
{
    const char *end;
    out->rate = 0;
    if (!strcmp(text, "native"))
        return CLI_OK;
    if (real_number(text, &end, &out->rate) && !*end && out->rate > 0 && out->rate <= (double)row->most)
        return CLI_OK;
    return cli_refuse(CLI_USAGE, "%s %s: expected native, or a number above 0, at most %lld", where, text,
                      (long long)row->most);
}

static int take_size(const option_row *row, const char *where, const char *text, cli_value *out)
{
    int64_t height, width;
    const char *end;
    if (whole_number(text, &end, &height) && *end == 'x' && whole_number(end + 1, &end, &width) && !*end &&
        height >= row->least && height <= row->most && width >= row->least && width <= row->most) {
        out->height = (int)height;
        out->width = (int)width;
        return CLI_OK;
    }
    return cli_refuse(CLI_USAGE, "%s %s: expected HEIGHTxWIDTH, as 224x224, each from %lld to %lld", where, text,
                      (long long)row->least, (long long)row->most);
}

static int take_triple(const option_row *row, const char *where, const char *text, cli_value *out)
{
    const char *at = text;
    for (int i = 0; i < 3; i++) {
        double x;
        if (!real_number(at, &at, &x) || *at != (i < 2 ? ',' : '\0') || (row->kind == KIND_POSITIVES && (float)x <= 0))
            return refuse_value(where, text,
                                row->kind == KIND_POSITIVES ? "three numbers above 0, as 0.229,0.224,0.225"
                                                            : "three numbers, as 0.485,0.456,0.406");
        out->triple[i] = (float)x;
        at++;
    }
    return CLI_OK;
}

static int take_choice(const option_row *row, const char *where, const char *text)
{
    char words[128];
    const char *names[16];
    size_t count = 0;
    snprintf(words, sizeof words, "%s", row->value);
    for (char *rest = NULL, *word = strtok_r(words, "|", &rest); word; word = strtok_r(NULL, "|", &rest)) {
        if (!strcmp(word, text))
            return CLI_OK;
        if (count < sizeof names / sizeof *names)
            names[count++] = word;
    }
    const char *near = cli_nearest(text, names, count), *hidden = strstr(row->value, "||");
    int shown = (int)(hidden ? (size_t)(hidden - row->value) : strlen(row->value));
    if (near)
        return cli_refuse(CLI_USAGE, "%s %s: did you mean %s? (%.*s)", where, text, near, shown, row->value);
    return cli_refuse(CLI_USAGE, "%s %s: expected %.*s", where, text, shown, row->value);
}

// A flag's value in a file or the environment. On the command line a flag has none.
static int take_flag(const char *where, const char *text, cli_value *out)
{
    static const char *const words[][2] = {{"yes", "no"}, {"true", "false"}, {"on", "off"}, {"1", "0"}};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        for (int no = 0; no < 2; no++)
            if (!strcasecmp(text, words[i][no])) {
                out->text = no ? NULL : "";
                return CLI_OK;
            }
    return refuse_value(where, text, "yes or no");
}

int cli_take_value(const option_row *row, const char *where, const char *text, cli_value *out)
{
    out->text = text;
    switch (row->kind) {
    case KIND_NUMBER:
    case KIND_AUTO:
        return take_number(row, where, text, out);
    case KIND_RATE:
        return take_rate(row, where, text, out);
    case KIND_SIZE:
        return take_size(row, where, text, out);
    case KIND_TRIPLE:
    case KIND_POSITIVES:
        return take_triple(row, where, text, out);
    case KIND_CHOICE:
        return take_choice(row, where, text);
    case KIND_TEXT:
        return *text ? CLI_OK : cli_refuse(CLI_USAGE, "%s needs a value that isn't empty", where);
    case KIND_FLAG:
        return take_flag(where, text, out);
    }
    return CLI_OK;
}
