// The command: verbs, exit codes, and what every verb uses. It includes only the library's public headers.
#ifndef TUB_CLI_H
#define TUB_CLI_H

#include <stddef.h>
#include <tubelet/tubelet.h>

#include "arguments.h"

// Exit codes. An interrupted run ends with 128 + the signal's number: 130, 143.
enum {
    CLI_OK = 0,
    CLI_FATAL = 1,      // out of memory, a broken invariant
    CLI_USAGE = 2,      // usage, missing inputs, mixed settings, colliding names
    CLI_INCOMPLETE = 3, // finished; some videos failed or are partial
    CLI_MODEL = 4,      // the checkpoint is rejected
    CLI_OUTPUT = 5,     // the output can't be written
    CLI_DEVICE = 6,     // the device or backend can't do what was asked
};

// A verb of the command. The table is in main.c.
typedef struct cli_verb {
    const char *name;
    unsigned bit;         // its bit in the option table
    const char *operands; // as written in the usage line
    const char *summary;  // one line
    const char *notes;    // further lines of its help, or NULL
    int least, most;      // operands taken; most < 0: any number
    int (*run)(const cli_arguments *args);
} cli_verb;

// The i-th verb, NULL past the last.
const cli_verb *cli_verb_at(size_t i);
// By name; NULL if there is none. And the verb that a mistyped name most likely means; NULL if none is near.
const cli_verb *cli_verb_find(const char *name);
const char *cli_verb_nearest(const char *name);

int cli_extract(const cli_arguments *args); // and plan
int cli_embed(const cli_arguments *args);
int cli_frames(const cli_arguments *args);
int cli_probe(const cli_arguments *args);
int cli_init(const cli_arguments *args);
int cli_bench(const cli_arguments *args);
int cli_convert(const cli_arguments *args);
int cli_models(const cli_arguments *args);
int cli_show_report(const cli_arguments *args);
int cli_info(const cli_arguments *args);
int cli_tune(const cli_arguments *args);
int cli_doctor(const cli_arguments *args);
int cli_completion(const cli_arguments *args);
int cli_man(const cli_arguments *args);
int cli_presets(const cli_arguments *args);
int cli_consumer_config(const cli_arguments *args);
int cli_resample(const cli_arguments *args);
int cli_compare(const cli_arguments *args);
int cli_verify(const cli_arguments *args);

// The exit code that a status means.
int cli_exit_code(tub_status status);
// Prints the error to stderr and returns its exit code.
int cli_fail(const tub_error *err);
// Prints a message to stderr and returns `code`.
int cli_refuse(int code, const char *format, ...) __attribute__((format(printf, 2, 3)));

// Help: the list of verbs, one verb.
void cli_print_overview(void);
void cli_print_help(const cli_verb *verb);
// Prints what --print-config asks for: each setting of the verb and where it comes from.
void cli_print_config(const cli_arguments *args);
// "stride = 8 (tubelet.conf:3), ...": the settings that don't come from the command line. The caller frees the text.
// NULL: there are none.
char *cli_settings_elsewhere(const cli_arguments *args);

// Seconds of the monotonic clock.
double cli_now(void);

// The one of `count` names that a mistyped `name` most likely means; NULL if none is near.
const char *cli_nearest(const char *name, const char *const *names, size_t count);

#endif
