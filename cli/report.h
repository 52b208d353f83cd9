// What an extraction prints while it runs and at its end.
//
// Results go to stdout: a line per video and the totals. With --json it is one event per line (start, video, end), and
// the lines for people go to stderr. Progress goes to stderr: a status line on a terminal, elsewhere a line every 30 s.
#ifndef TUB_CLI_REPORT_H
#define TUB_CLI_REPORT_H

#include <stdbool.h>
#include <stdio.h>
#include <tubelet/tubelet.h>

#include "arguments.h"
#include "sample.h"

enum { REPORT_FAILURES = 5 };

typedef struct cli_report {
    const cli_arguments *args;
    int rank, world;
    const char *shard_source; // "--shard", or the environment's
    const char *out;
    const char *extension; // of the feature files
    bool json;
    cli_decoding decoding;
    FILE *text;                                                      // where lines for people go
    size_t videos, todo, done_before, partial_before, failed_before; // of this shard, at the start
    double bytes_todo, bytes_done;                                   // of the videos to do
    int64_t rows_done;
    double stated_bytes_per_row; // from the headers of a few videos to do, 0 = unknown
    double began, last_line;     // seconds of the monotonic clock
    double cpu_before;           // processor time of the process when the run began
    size_t failures;             // seen; the first few are kept
    char *failure[REPORT_FAILURES];
} cli_report;

// Counts the work to do. `shard_source` is static.
void cli_report_init(cli_report *r, const cli_arguments *args, const tub_dataset *dataset, int rank, int world,
                     const char *shard_source);
void cli_report_finish(cli_report *r);

// Seconds as 0:42 or 1:02:03.
void cli_duration(double seconds, char *out, size_t size);

// Call this before the first video.
void cli_report_start(cli_report *r, const tub_encoder_info *info, const tub_sampling *sampling,
                      const cli_decoding *decoding);
// For tub_run_params.on_event, with the report as `user`.
void cli_report_event(void *user, const tub_event *event);
// The part of it for the event that comes about four times a second.
void cli_report_tick(cli_report *r, const tub_event *event);
// Call this at the end. Prints totals, failures and the command that continues. `status`: the run's.
void cli_report_end(cli_report *r, const tub_run_totals *totals, tub_status status);

// The stage that the others wait for: "decode", "convert" or "forward". All arguments are seconds, of waiting or of
// work.
const char *cli_bottleneck(double forward, double device_wait, double decode_wait, double decode, double convert);

// The command line, quoted for a shell, with `more` appended.
char *cli_command_line(const cli_arguments *args, const char *more);

#endif
