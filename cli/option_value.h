// Checks the text of option values against the option table.
#ifndef TUB_CLI_OPTION_VALUE_H
#define TUB_CLI_OPTION_VALUE_H

#include "arguments.h"

// Reads `text` according to the row's kind. `where` begins the error message: "--stride", "TUBELET_STRIDE",
// "tubelet.conf:3: stride". out->text keeps `text`; for a flag, it is "" for yes and NULL for no. Returns 0, or an exit
// code after a message.
int cli_take_value(const option_row *row, const char *where, const char *text, cli_value *out);

#endif
