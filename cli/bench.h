// tubelet bench: its cases, and what they have in common.
#ifndef TUB_CLI_BENCH_H
#define TUB_CLI_BENCH_H

#include <jansson.h>
#include <stdbool.h>

#include "arguments.h"

// Each case times one part and prints its result. With --json, the last line of stdout is the result.
int cli_bench_roof(const cli_arguments *args);
int cli_bench_forward(const cli_arguments *args);
int cli_bench_decode(const cli_arguments *args);
int cli_bench_preprocess(const cli_arguments *args);
int cli_bench_windows(const cli_arguments *args);
int cli_bench_end_to_end(const cli_arguments *args);
int cli_bench_resume(const cli_arguments *args);
int cli_bench_ablation(const cli_arguments *args);

enum { BENCH_REPETITIONS = 1000 };

typedef struct bench_spread {
    double median, least, most;
} bench_spread;

// The spread of `count` values, which this sorts.
bench_spread bench_spread_of(double *values, int count);

// Prints the result and frees it: with --json the object, with --markdown a table of its keys, else the sentence.
int bench_print(const cli_arguments *args, json_t *result, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
// Adds "seconds", "min_seconds", "max_seconds" and "repetitions".
void bench_add_seconds(json_t *result, bench_spread seconds, int repetitions);

enum { BENCH_PATH = 512 };

// Makes a new folder under $TMPDIR (or /tmp); false after a message. remove() deletes it with everything in it.
bool bench_folder_make(char path[BENCH_PATH]);
void bench_folder_remove(const char *path);

// A run of this same command in its own process.
typedef struct bench_child {
    int code;            // its exit code
    double seconds;      // from its start to its end
    double peak_bytes;   // peak of resident memory
    json_t *start, *end; // its events with these names, NULL: there was none
} bench_child;

// Runs `tubelet extract` over `input` into `out` with --json, `more` (NULL: nothing) and those options in `args` that
// extract takes, too. If `model` isn't NULL, it replaces their --model. If the child fails, its output is shown.
// Returns CLI_OK, or an exit code after a message.
int bench_extract(const cli_arguments *args, const char *input, const char *model, const char *out, bench_child *child);
void bench_child_finish(bench_child *child);

#endif
