#include "arguments.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"

// A whole number of digits alone: no sign, no blanks, no hexadecimal.
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

static int refuse_value(const option_row *row, const char *text, const char *wanted)
{
    return cli_refuse(CLI_USAGE, "--%s %s: expected %s", row->name, text, wanted);
}

static int take_number(const option_row *row, const char *text, cli_value *out)
{
    const char *end;
    if (row->kind == KIND_AUTO && !strcmp(text, "auto")) {
        out->number = 0;
        return CLI_OK;
    }
    if (whole_number(text, &end, &out->number) && !*end && out->number >= row->least && out->number <= row->most)
        return CLI_OK;
    return cli_refuse(CLI_USAGE, "--%s %s: expected a whole number from %lld to %lld%s", row->name, text,
                      (long long)row->least, (long long)row->most, row->kind == KIND_AUTO ? ", or auto" : "");
}

static int take_rate(const option_row *row, const char *text, cli_value *out)
{
    const char *end;
    out->rate = 0;
    if (!strcmp(text, "native"))
        return CLI_OK;
    if (real_number(text, &end, &out->rate) && !*end && out->rate > 0 && out->rate <= (double)row->most)
        return CLI_OK;
    return cli_refuse(CLI_USAGE, "--%s %s: expected native, or a number above 0, at most %lld", row->name, text,
                      (long long)row->most);
}

static int take_size(const option_row *row, const char *text, cli_value *out)
{
    int64_t height, width;
    const char *end;
    if (whole_number(text, &end, &height) && *end == 'x' && whole_number(end + 1, &end, &width) && !*end &&
        height >= row->least && height <= row->most && width >= row->least && width <= row->most) {
        out->height = (int)height;
        out->width = (int)width;
        return CLI_OK;
    }
    return cli_refuse(CLI_USAGE, "--%s %s: expected HEIGHTxWIDTH, as 224x224, each from %lld to %lld", row->name, text,
                      (long long)row->least, (long long)row->most);
}

static int take_triple(const option_row *row, const char *text, cli_value *out)
{
    const char *at = text;
    for (int i = 0; i < 3; i++) {
        double x;
        if (!real_number(at, &at, &x) || *at != (i < 2 ? ',' : '\0') || (row->kind == KIND_POSITIVES && (float)x <= 0))
            return refuse_value(row, text,
                                row->kind == KIND_POSITIVES ? "three numbers above 0, as 0.229,0.224,0.225"
                                                            : "three numbers, as 0.485,0.456,0.406");
        out->triple[i] = (float)x;
        at++;
    }
    return CLI_OK;
}

static int take_choice(const option_row *row, const char *text)
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
        return cli_refuse(CLI_USAGE, "--%s %s: did you mean %s? (%.*s)", row->name, text, near, shown, row->value);
    return cli_refuse(CLI_USAGE, "--%s %s: expected %.*s", row->name, text, shown, row->value);
}

static int take_value(const option_row *row, const char *text, cli_value *out)
{
    out->text = text;
    switch (row->kind) {
    case KIND_NUMBER:
    case KIND_AUTO:
        return take_number(row, text, out);
    case KIND_RATE:
        return take_rate(row, text, out);
    case KIND_SIZE:
        return take_size(row, text, out);
    case KIND_TRIPLE:
    case KIND_POSITIVES:
        return take_triple(row, text, out);
    case KIND_CHOICE:
        return take_choice(row, text);
    case KIND_TEXT:
        return *text ? CLI_OK : cli_refuse(CLI_USAGE, "--%s needs a value that isn't empty", row->name);
    case KIND_FLAG:
        break;
    }
    return CLI_OK;
}

static int unknown_option(const cli_verb *verb, const char *name, size_t length)
{
    const char *why = cli_option_refusal(name, length);
    if (why)
        return cli_refuse(CLI_USAGE, "--%.*s %s", (int)length, name, why);
    const option_row *elsewhere = cli_option_find(name, length, ~0u);
    if (elsewhere)
        return cli_refuse(CLI_USAGE, "tubelet %s takes no --%s; see tubelet %s --help", verb->name, elsewhere->name,
                          verb->name);
    const char *names[OPTION_COUNT];
    size_t count = 0;
    for (size_t i = 0; cli_option_at(i); i++)
        if ((cli_option_at(i)->verbs & verb->bit) && count < OPTION_COUNT)
            names[count++] = cli_option_at(i)->name;
    char typed[64];
    snprintf(typed, sizeof typed, "%.*s", (int)length, name);
    const char *near = cli_nearest(typed, names, count);
    if (near)
        return cli_refuse(CLI_USAGE, "unknown option --%s: did you mean --%s?", typed, near);
    return cli_refuse(CLI_USAGE, "unknown option --%s; see tubelet %s --help", typed, verb->name);
}

// One option at argv[*i]; *i moves on when its argument is the next word.
static int take_option(cli_arguments *out, int *i)
{
    const char *name = out->argv[*i] + 2;
    const char *equals = strchr(name, '=');
    size_t length = equals ? (size_t)(equals - name) : strlen(name);
    const option_row *row = cli_option_find(name, length, out->verb->bit);
    if (!row)
        return unknown_option(out->verb, name, length);
    if (row->kind == KIND_FLAG) {
        if (equals)
            return cli_refuse(CLI_USAGE, "--%s takes no value", row->name);
        out->value[row->id].text = "";
        return CLI_OK;
    }
    if (!equals && *i + 1 >= out->argc)
        return cli_refuse(CLI_USAGE, "--%s needs a value: %s", row->name, row->value);
    const char *text = equals ? equals + 1 : out->argv[++*i];
    return take_value(row, text, &out->value[row->id]);
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

int cli_parse(const cli_verb *verb, int argc, char **argv, cli_arguments *out)
{
    *out = (cli_arguments){.verb = verb, .argc = argc, .argv = argv};
    out->operands = calloc((size_t)argc, sizeof *out->operands);
    if (!out->operands)
        return cli_refuse(CLI_FATAL, "out of memory");
    bool options = true;
    for (int i = 2; i < argc; i++) {
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
    return cli_given(out, OPTION_HELP) ? CLI_OK : check_operands(out);
}

void cli_arguments_finish(cli_arguments *args)
{
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
