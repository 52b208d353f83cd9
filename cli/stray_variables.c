// Variables that look like our settings but aren't: most likely mistyped.
#include <ctype.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"
#include "console.h"
#include "settings_layers.h"

#define PREFIX "TUBELET_"

enum { LONGEST_NAME = 64, MOST_NAMES = 512 };

// Names that aren't options but are read elsewhere, written as options; others_begin: prefixes of names for tests.
static const char *const others[] = {"isa", "openvino", "cuda-plugin"};
static const char *const others_begin[] = {"test-", "cuda-"};

// Every name that means something.
typedef struct known_names {
    const char *name[MOST_NAMES];
    size_t count;
} known_names;

static void add(known_names *known, const char *name)
{
    if (known->count < MOST_NAMES)
        known->name[known->count++] = name;
}

static void collect(known_names *known)
{
    known->count = 0;
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        add(known, others[i]);
    for (size_t i = 0; cli_option_at(i); i++)
        if (cli_is_setting(cli_option_at(i)->id) || cli_option_at(i)->id == OPTION_CONFIG)
            add(known, cli_option_at(i)->name);
}

// Whether the variable means something: a known name, written in capitals.
static bool is_known(const known_names *known, const char *variable, const char *name)
{
    for (const char *c = variable; *c && *c != '='; c++)
        if (islower((unsigned char)*c))
            return false;
    for (size_t i = 0; i < sizeof others_begin / sizeof *others_begin; i++)
        if (!strncmp(name, others_begin[i], strlen(others_begin[i])))
            return true;
    for (size_t i = 0; i < known->count; i++)
        if (!strcmp(name, known->name[i]))
            return true;
    return false;
}

// "decode-thread" from "TUBELET_DECODE_THREAD=8"; false if it is too long, or empty, which counts as unset.
static bool read_name(const char *variable, char out[LONGEST_NAME])
{
    size_t length = strcspn(variable, "="), skipped = strlen(PREFIX);
    if (length - skipped >= LONGEST_NAME || !variable[length] || !variable[length + 1])
        return false;
    for (size_t i = skipped; i < length; i++)
        out[i - skipped] = variable[i] == '_' ? '-' : (char)tolower((unsigned char)variable[i]);
    out[length - skipped] = 0;
    return true;
}

static void warn(const known_names *known, const char *variable, const char *name)
{
    char meant[LONGEST_NAME] = "";
    int length = (int)strcspn(variable, "=");
    const char *near = cli_nearest(name, known->name, known->count);
    for (size_t i = 0; near && near[i] && i + 1 < sizeof meant; i++)
        meant[i] = near[i] == '-' ? '_' : (char)toupper((unsigned char)near[i]);
    if (near)
        cli_warn("%.*s in the environment is no setting, and ignored: did you mean " PREFIX "%s?", length, variable,
                 meant);
    else
        cli_warn("%.*s in the environment is no setting, and ignored: tubelet VERB --print-config lists them", length,
                 variable);
}

void cli_warn_of_variables(void)
{
    known_names known;
    char name[LONGEST_NAME];
    collect(&known);
    for (char **variable = environ; variable && *variable; variable++)
        if (!strncmp(*variable, PREFIX, strlen(PREFIX)) && read_name(*variable, name) &&
            !is_known(&known, *variable, name))
            warn(&known, *variable, name);
}
