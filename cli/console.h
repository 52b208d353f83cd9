// Lines on stdout and stderr, and the status line that terminals show below them. Safe from any thread.
#ifndef TUB_CLI_CONSOLE_H
#define TUB_CLI_CONSOLE_H

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <tubelet/status.h>

// In the text of a line: red from here, plain from here. Without colour where the output is no terminal or NO_COLOR is
// set.
#define CLI_RED "\x01"
#define CLI_PLAIN "\x02"

// One line. Control characters (of file names, say) are shown as '?'.
void cli_say(FILE *to, const char *format, ...) __attribute__((format(printf, 2, 3)));

// --log-format json: from now on every line is an object: time, level ("info", "warning", "error"), message, and what
// cli_say_with() gives beside it. There is no status line then.
void cli_lines_as_json(void);
bool cli_lines_are_json(void);
// A line that isn't of the log: a result, JSON of its own.
void cli_put(FILE *to, const char *format, ...) __attribute__((format(printf, 2, 3)));
// One line; its facts for programs are shown in JSON only. Lets go of `facts` (NULL: none).
void cli_say_with(FILE *to, json_t *facts, const char *format, ...) __attribute__((format(printf, 3, 4)));
// A line that begins with "tubelet: warning: ".
void cli_warn(const char *format, ...) __attribute__((format(printf, 1, 2)));

// While held, lines are written when there are many, not one by one.
void cli_hold_lines(bool hold);

// Shows `text` as the status line on stderr, cut to the terminal's width; "" takes it away.
void cli_status_line(const char *text);
// Whether stderr is a terminal that can show one, and its width.
bool cli_has_status_line(void);
int cli_terminal_width(void);

// At the end of the process: `code`, in the place of CLI_OK CLI_OUTPUT where stdout couldn't be written, which is said. A
// reader that went away is no error.
int cli_finish_output(int code);

// A log for the library's warnings; `verbose`: its information too.
tub_log cli_log(bool verbose);

#endif
