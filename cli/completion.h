// Completion scripts and the manual page, from the verbs' table and the option table.
#ifndef TUB_CLI_COMPLETION_H
#define TUB_CLI_COMPLETION_H

#include <stdbool.h>
#include <stdio.h>

#include "cli.h"

void cli_complete_bash(FILE *to);
void cli_complete_zsh(FILE *to);
void cli_complete_fish(FILE *to);

// The words that an option's value can be, separated by spaces; "" if they can't be listed.
void cli_value_words(const option_row *row, char *out, size_t size);
// Whether an option's value is a file or a folder.
bool cli_value_is_path(const option_row *row);
// Whether a row is an option of the verb.
bool cli_row_is_of(const option_row *row, const cli_verb *verb);
// Length of the value's name without the choices that the help leaves out.
int cli_value_shown(const option_row *row);
// Whether the operands of a verb are files or folders.
bool cli_operands_are_paths(const cli_verb *verb);

#endif
