// A command line, parsed and checked against the option table. It takes precedence over files and the environment.
#ifndef TUB_CLI_ARGUMENTS_H
#define TUB_CLI_ARGUMENTS_H

#include <stdbool.h>
#include <stdint.h>

#include "options.h"

struct cli_verb;

#define CLI_COMMAND_LINE "command line"

// One option's argument. `text` is NULL if the option wasn't given, and "" for a flag that was.
typedef struct cli_value {
    const char *text;
    const char *source; // CLI_COMMAND_LINE, "TUBELET_STRIDE", "tubelet.conf:3"; NULL: not given anywhere
    int64_t number;     // NUMBER; AUTO: 0 = auto
    double rate;        // RATE: 0 = native
    int height, width;  // SIZE
    float triple[3];    // TRIPLE and POSITIVES
} cli_value;

typedef struct cli_arguments {
    const struct cli_verb *verb;
    cli_value value[OPTION_COUNT];
    const char **operands;
    int operand_count;
    int argc; // the command line itself, to print the command that resumes
    char **argv;
    char **kept; // texts from files and the environment
    size_t kept_count;
} cli_arguments;

// Parses argv[2...] for `verb`. Returns 0, or an exit code after a message. If an option is repeated, the last one
// counts. Options may be anywhere, as --name VALUE or --name=VALUE; "--" ends them. --no-NAME turns a flag off.
// Options that the command line doesn't give come from the environment and from files: see settings_layers.h.
int cli_parse(const struct cli_verb *verb, int argc, char **argv, cli_arguments *out);
void cli_arguments_finish(cli_arguments *args);

bool cli_given(const cli_arguments *args, option_id id);
// The argument's text, or `otherwise` if the option wasn't given; likewise the number.
const char *cli_text(const cli_arguments *args, option_id id, const char *otherwise);
int cli_number(const cli_arguments *args, option_id id, int otherwise);
// Refuses a command line without one of these options.
int cli_require(const cli_arguments *args, option_id id);

#endif
