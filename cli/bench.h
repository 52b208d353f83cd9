// tubelet bench: its cases, and what they share.
#ifndef TUB_CLI_BENCH_H
#define TUB_CLI_BENCH_H

#include <jansson.h>
#include <stdbool.h>

#include "arguments.h"

// Each times one part and prints its result; the last line of stdout is the result with --json.
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

// Of `count` values, which get sorted.
bench_spread bench_spread_of(double *values, int count);

// Prints the result and lets go of it: with --json the object, with --markdown a table of its keys, else the sentence.
int bench_print(const cli_arguments *args, json_t *result, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
// Adds "seconds", "min_seconds", "max_seconds" and "repetitions".
void bench_add_seconds(json_t *result, bench_spread seconds, int repetitions);

enum { BENCH_PATH = 512 };

// A new folder under $TMPDIR (or /tmp); false after a message. It goes with all that is in it.
bool bench_folder_make(char path[BENCH_PATH]);
void bench_folder_remove(const char *path);

// A run of this very command in a process of its own.
typedef struct bench_child {
    int code;            // what it ended with
    double seconds;      // from its start to its end
    double peak_bytes;   // of memory, resident
    json_t *start, *end; // its events of these names, NULL: there was none
} bench_child;

// Runs `tubelet extract` over `input` into `out` with --json, `more` (NULL: nothing) and what `args` has that extract
// takes too; with `model` instead of its --model if it isn't NULL. What the child says is shown where it fails.
// CLI_OK, or an exit code after a message.
int bench_extract(const cli_arguments *args, const char *input, const char *model, const char *out, bench_child *child);
void bench_child_finish(bench_child *child);

#endif
