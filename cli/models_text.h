// The families and their sizes as text: for the terminal, and docs/models.md.
#ifndef TUB_CLI_MODELS_TEXT_H
#define TUB_CLI_MODELS_TEXT_H

#include <stdint.h>

// "86.6 M", "1.0 B"
const char *cli_millions(int64_t parameters, char out[24]);

// Prints docs/models.md. Returns an exit code.
int cli_models_markdown(void);

#endif
