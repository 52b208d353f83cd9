// A command line, parsed and checked against the option table, over what files and the environment say.
#ifndef TUB_CLI_ARGUMENTS_H
#define TUB_CLI_ARGUMENTS_H

#include <stdbool.h>
#include <stdint.h>

#include "options.h"

struct cli_verb;

#define CLI_COMMAND_LINE "command line"

// One option's argument. `text` is NULL where the option wasn't given; "" of a flag that was.
typedef struct cli_value {
    const char *text;
    const char *source; // CLI_COMMAND_LINE, "TUBELET_STRIDE", "tubelet.conf:3"; NULL: nowhere said
    int64_t number;     // of NUMBER; of AUTO, 0 = auto
    double rate;        // of RATE, 0 = native
    int height, width;  // of SIZE
    float triple[3];    // of TRIPLE and POSITIVES
} cli_value;

typedef struct cli_arguments {
    const struct cli_verb *verb;
    cli_value value[OPTION_COUNT];
    const char **operands;
    int operand_count;
    int argc; // the command line itself, for the command that resumes
    char **argv;
    char **kept; // texts of files and the environment
    size_t kept_count;
} cli_arguments;

// Parses argv[2...] for `verb`. Returns 0 or an exit code after a message. The last of several equal options counts.
// Options may stand anywhere, as --name VALUE or --name=VALUE; "--" ends them. --no-NAME takes back a flag.
// What the command line doesn't say, the environment and the files do: see settings_layers.h.
int cli_parse(const struct cli_verb *verb, int argc, char **argv, cli_arguments *out);
void cli_arguments_finish(cli_arguments *args);

bool cli_given(const cli_arguments *args, option_id id);
// The argument's text, or `otherwise` where the option wasn't given; likewise the number.
const char *cli_text(const cli_arguments *args, option_id id, const char *otherwise);
int cli_number(const cli_arguments *args, option_id id, int otherwise);
// Refuses a command line without one of these options.
int cli_require(const cli_arguments *args, option_id id);

#endif
