// Records a run for its report. The memory is bounded, however long the run is.
#ifndef TUB_CLI_RUN_RECORD_H
#define TUB_CLI_RUN_RECORD_H

#include <jansson.h>

#include "arguments.h"
#include "sample.h"

enum { RECORD_COLUMNS = 19, RECORD_FORMATS = 64, RECORD_SLOWEST = 25, RECORD_FAILURES = 200 };

// Videos of one codec and size.
typedef struct record_format {
    char codec[32];
    int width, height;
    int64_t videos, frames;
    double decode_seconds;
} record_format;

typedef struct record_video {
    double work_seconds;
    json_t *facts;
} record_video;

typedef struct cli_run_record {
    const cli_arguments *args;
    double (*samples)[RECORD_COLUMNS];
    size_t sample_count;
    double interval; // seconds between two samples that are kept
    cli_sample last;
    record_format formats[RECORD_FORMATS];
    size_t format_count;
    record_video slowest[RECORD_SLOWEST]; // the slowest first
    size_t slowest_count;
    json_t *failures;
    size_t failure_count;
    char started[32];
    json_t *model, *settings;
    cli_decoding decoding;
    int rank, world;
} cli_run_record;

// NULL: out of memory.
cli_run_record *cli_record_open(const cli_arguments *args, int rank, int world);
void cli_record_close(cli_run_record **record); // accepts NULL

void cli_record_start(cli_run_record *r, const tub_encoder_info *info, const tub_sampling *sampling,
                      const cli_decoding *decoding);
void cli_record_sample(cli_run_record *r, const cli_sample *sample);
void cli_record_video(cli_run_record *r, const tub_event *event);
// The whole record as JSON; the caller frees it. NULL: out of memory.
json_t *cli_record_json(cli_run_record *r, const tub_run_totals *totals, tub_status status);

#endif
