// What records an extraction besides its output: the trace (--trace), metrics (--metrics-file, --metrics-port), the
// report (--report), and the state of the GPUs that it runs on.
#ifndef TUB_CLI_WATCH_H
#define TUB_CLI_WATCH_H

#include "arguments.h"
#include "metrics.h"
#include "run_record.h"

typedef struct cli_watch {
    const cli_arguments *args;
    tub_trace *trace;     // for tub_extractor_params; NULL = none
    cli_metrics *metrics; // NULL = none, as the next two
    cli_run_record *record;
    tub_gpu_monitor *gpus[SAMPLE_GPUS];
    int gpu_count;
    double began, cpu_before;
} cli_watch;

// Call this before anything is computed. Refuses files that can't be written. Returns 0, or an exit code after a
// message.
int cli_watch_open(cli_watch *w, const cli_arguments *args, int rank, int world);
// Call this before the first video.
void cli_watch_start(cli_watch *w, const tub_encoder_info *info, const tub_sampling *sampling,
                     const cli_decoding *decoding);
// Call this with each of the run's events.
void cli_watch_event(cli_watch *w, const tub_event *event);
// Call this at the end: writes the files. Returns 0, or an exit code after a message.
int cli_watch_end(cli_watch *w, const tub_run_totals *totals, tub_status status);
void cli_watch_finish(cli_watch *w);

#endif
