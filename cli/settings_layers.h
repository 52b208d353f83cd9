// Options from files and the environment.
//
// In order of precedence: the command line; TUBELET_<NAME> in the environment; the project's file (./tubelet.conf, or
// --config FILE instead); the user's file ($XDG_CONFIG_HOME/tubelet/config, or ~/.config/tubelet/config). With --config
// none, neither file is read. docs/settings.md describes the files' format.
#ifndef TUB_CLI_SETTINGS_LAYERS_H
#define TUB_CLI_SETTINGS_LAYERS_H

#include "arguments.h"

// Fills in the values that aren't set by anything of higher precedence. Returns 0, or an exit code after a message.
int cli_read_layers(cli_arguments *args);
void cli_forget_layers(cli_arguments *args);

// Whether an option may be set in a file and in the environment: not --help and the like. --config only in the latter.
bool cli_is_setting(option_id id);
// "TUBELET_DECODE_THREADS" for "decode-threads".
void cli_variable_name(const option_row *row, char out[64]);
// The path of the user's file; false if neither XDG_CONFIG_HOME nor HOME is set.
bool cli_user_file(char *out, size_t size);

// Reads one file into the values that aren't set yet. `needed`: a missing file is an error.
int cli_read_settings_file(cli_arguments *args, const char *path, bool needed);
// Sets an option to `value` if it isn't set yet.
void cli_settle(cli_arguments *args, option_id id, cli_value value);
// Warns about variables that begin with TUBELET_ but are neither a setting nor read by anything else.
void cli_warn_of_variables(void);
// Keeps a text from malloc() as long as the arguments. NULL after a message: out of memory.
char *cli_keep(cli_arguments *args, char *text);

#endif
