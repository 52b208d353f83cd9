// What files and the environment say of options.
//
// From the strongest to the weakest: the command line; TUBELET_<NAME> in the environment; the project's file
// (./tubelet.conf, or --config FILE in its place); the user's ($XDG_CONFIG_HOME/tubelet/config, or
// ~/.config/tubelet/config). --config none reads neither file. docs/settings.md has the files' form.
#ifndef TUB_CLI_SETTINGS_LAYERS_H
#define TUB_CLI_SETTINGS_LAYERS_H

#include "arguments.h"

// Fills in the values that nothing stronger has said. Returns 0 or an exit code after a message.
int cli_read_layers(cli_arguments *args);
void cli_forget_layers(cli_arguments *args);

// Whether an option may stand in a file and in the environment: not --help and the like. --config may in the latter.
bool cli_is_setting(option_id id);
// "TUBELET_DECODE_THREADS" of "decode-threads".
void cli_variable_name(const option_row *row, char out[64]);
// The user's file; false where there is neither XDG_CONFIG_HOME nor HOME.
bool cli_user_file(char *out, size_t size);

// One file into the values that nothing stronger has said. `needed`: that it isn't there is an error.
int cli_read_settings_file(cli_arguments *args, const char *path, bool needed);
// Puts `value` where nothing stronger has said anything.
void cli_settle(cli_arguments *args, option_id id, cli_value value);
// Warns of variables that begin with TUBELET_ and are no setting, nor read by anything else.
void cli_warn_of_variables(void);
// Keeps a text (malloc's) as long as the arguments; NULL after a message where memory is out.
char *cli_keep(cli_arguments *args, char *text);

#endif
