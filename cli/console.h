// Lines on stdout and stderr, and the status line that a terminal shows below them. Thread-safety: safe.
#ifndef TUB_CLI_CONSOLE_H
#define TUB_CLI_CONSOLE_H

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <tubelet/status.h>

// In the text of a line: red from here, plain from here. There is no color if the output isn't a terminal or NO_COLOR
// is set.
#define CLI_RED "\x01"
#define CLI_PLAIN "\x02"

// Writes a line. Control characters (in file names, for example) are shown as '?'.
void cli_say(FILE *to, const char *format, ...) __attribute__((format(printf, 2, 3)));

// --log-format json: from now on every line is an object with time, level ("info", "warning", "error"), message and the
// facts of cli_say_with(). There is no status line then.
void cli_lines_as_json(void);
bool cli_lines_are_json(void);
// Writes a line that isn't part of the log: a result, or JSON.
void cli_put(FILE *to, const char *format, ...) __attribute__((format(printf, 2, 3)));
// Writes a line with facts for programs, which are shown only in JSON. Frees `facts` (NULL: none).
void cli_say_with(FILE *to, json_t *facts, const char *format, ...) __attribute__((format(printf, 3, 4)));
// Writes a line that begins with "tubelet: warning: ".
void cli_warn(const char *format, ...) __attribute__((format(printf, 1, 2)));

// While held, lines are written many at a time instead of one by one.
void cli_hold_lines(bool hold);

// Shows `text` as the status line on stderr, truncated to the terminal's width; "" removes it.
void cli_status_line(const char *text);
// Whether stderr is a terminal that can show one, and its width.
bool cli_has_status_line(void);
int cli_terminal_width(void);

// Called at the end of the process. Returns `code`, but if stdout couldn't be written, says so and returns CLI_OUTPUT
// in place of CLI_OK. A reader that went away is no error.
int cli_finish_output(int code);

// A log for the library's warnings; `verbose`: also for its information.
tub_log cli_log(bool verbose);

#endif
