// A run's numbers in Prometheus's text format: in a file that is replaced every few seconds (--metrics-file, for the
// node exporter's textfile collector), and over HTTP (--metrics-port).
#ifndef TUB_CLI_METRICS_H
#define TUB_CLI_METRICS_H

#include "sample.h"

typedef struct cli_metrics cli_metrics;

// `file` and `address` may be NULL. `address`: "PORT" (on the loopback interface) or "HOST:PORT". Returns 0, or an exit
// code after a message.
int cli_metrics_open(const char *file, const char *address, int rank, int world, cli_metrics **out);
// Accepts a pointer to NULL.
void cli_metrics_close(cli_metrics **metrics);

// `gpus`: the `count` GPUs of the run, in the samples' order; used only during the call.
void cli_metrics_start(cli_metrics *m, const tub_encoder_info *info, tub_gpu_monitor *const *gpus, int count);
// Publishes a sample. The file is written at most once in `period` seconds, except for the last sample. If it can't be
// written, there is one warning.
void cli_metrics_publish(cli_metrics *m, const cli_sample *sample, const tub_run_totals *totals, bool last);

#endif
