// What watches an extraction besides its lines: the trace (--trace).
#ifndef TUB_CLI_WATCH_H
#define TUB_CLI_WATCH_H

#include <tubelet/tubelet.h>

#include "arguments.h"

typedef struct cli_watch {
    const cli_arguments *args;
    tub_trace *trace; // for tub_extractor_params; NULL = none
} cli_watch;

// Before anything is computed. Refuses files that can't be written; returns 0 or an exit code after a message.
int cli_watch_open(cli_watch *w, const cli_arguments *args);
// At the end: writes the files. Returns 0 or an exit code after a message.
int cli_watch_end(cli_watch *w);
void cli_watch_finish(cli_watch *w);

#endif
