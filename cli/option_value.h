// The values of options, as text, checked against the option table.
#ifndef TUB_CLI_OPTION_VALUE_H
#define TUB_CLI_OPTION_VALUE_H

#include "arguments.h"

// Reads `text` as the row's kind wants it. `where` is what a refusal begins with: "--stride", "TUBELET_STRIDE",
// "tubelet.conf:3: stride". out->text keeps `text`; of a flag, "" for yes and NULL for no. Returns 0 or an exit code
// after a message.
int cli_take_value(const option_row *row, const char *where, const char *text, cli_value *out);

#endif
