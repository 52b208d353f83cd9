#include "console.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "cli.h"
#include "interrupt.h"
#include "json_events.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static bool held;        // lines stay in the buffers
static bool shown;       // a status line is on the terminal
static bool json_lines;  // every line is an object
static int stdout_error; // the errno of the first failed write
static bool left[2];     // standard output, standard error: we no longer wait for its reader, which has stopped

static const char INFO[] = "info", WARNING[] = "warning", ERROR[] = "error";

static void clear_status_line(void)
{
    if (shown)
        fputs("\r\033[K", stderr);
    shown = false;
}

static bool has_colour(FILE *to)
{
    const char *no_color = getenv("NO_COLOR");
    return !(no_color && *no_color) && isatty(fileno(to));
}

static void put_text(FILE *to, const char *text)
{
    for (const char *c = text; *c; c++) {
        if (*c == *CLI_RED || *c == *CLI_PLAIN)
            fputs(!has_colour(to) ? "" : *c == *CLI_RED ? "\033[31m" : "\033[0m", to);
        else
            putc_unlocked((unsigned char)*c < 0x20 || *c == 0x7f ? '?' : *c, to);
    }
}

static void flush(FILE *to)
{
    errno = 0;
    if (fflush(to) && to == stdout && !stdout_error)
        stdout_error = errno;
}

// Waits for room. A reader that has stopped (a pager, a terminal) blocks a run until it goes on, but not its end.
static bool has_room(FILE *to)
{
    enum { SLICE = 100, PATIENCE = 10 };
    bool *gone = &left[to == stderr];
    struct pollfd pipe = {.fd = fileno(to), .events = POLLOUT};
    for (int waited = 0; !*gone && poll(&pipe, 1, SLICE) <= 0;) // room, or an error that the write will report
        *gone = cli_interrupted() && ++waited >= PATIENCE;
    return !*gone;
}

static const char *now_text(char *out, size_t size)
{
    struct timespec t;
    struct tm utc;
    char seconds[32] = "";
    clock_gettime(CLOCK_REALTIME, &t);
    if (gmtime_r(&t.tv_sec, &utc))
        strftime(seconds, sizeof seconds, "%Y-%m-%dT%H:%M:%S", &utc);
    snprintf(out, size, "%s.%03ldZ", seconds, t.tv_nsec / 1000000);
    return out;
}

// The line as an object that replaces its text; NULL: out of memory.
static char *as_json(const char *level, const char *text, json_t *facts)
{
    char time[48], *plain = strdup(text), *to = plain;
    for (const char *c = text; plain && *c; c++)
        if (*c != *CLI_RED && *c != *CLI_PLAIN)
            *to++ = *c;
    if (plain)
        *to = '\0';
    json_t *line = json_pack("{s:s, s:s, s:o}", "time", now_text(time, sizeof time), "level", level, "message",
                             cli_json_text(plain));
    if (line && facts)
        json_object_update_missing(line, facts);
    char *out = line ? json_dumps(line, JSON_COMPACT | JSON_REAL_PRECISION(10)) : NULL;
    json_decref(line);
    free(plain);
    return out;
}

// Call with the lock held.
static void put_line(FILE *to, const char *level, const char *text)
{
    clear_status_line();
    if (level && !strcmp(level, ERROR))
        fputs("tubelet: ", to);
    if (level && !strcmp(level, WARNING))
        fputs("tubelet: warning: ", to);
    put_text(to, text);
    fputc('\n', to);
    if (!held)
        flush(to);
}

static void say(FILE *to, const char *level, json_t *facts, const char *format, va_list arguments)
    __attribute__((format(printf, 4, 0)));

// `level` NULL: the line is written as it is. Releases `facts`.
static void say(FILE *to, const char *level, json_t *facts, const char *format, va_list arguments)
{
    char *text = NULL;
    if (vasprintf(&text, format, arguments) < 0)
        text = NULL;
    if (text && level && json_lines) {
        char *line = as_json(level, text, facts);
        free(text);
        text = line;
        level = NULL;
    }
    json_decref(facts);
    if (!text)
        return;
    pthread_mutex_lock(&lock);
    if (has_room(to))
        put_line(to, level, text);
    pthread_mutex_unlock(&lock);
    free(text);
}

void cli_hold_lines(bool hold)
{
    pthread_mutex_lock(&lock);
    held = hold;
    if (!held) {
        flush(stdout);
        flush(stderr);
    }
    pthread_mutex_unlock(&lock);
}

void cli_say(FILE *to, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    say(to, INFO, NULL, format, arguments);
    va_end(arguments);
}

void cli_say_with(FILE *to, json_t *facts, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    say(to, INFO, facts, format, arguments);
    va_end(arguments);
}

void cli_put(FILE *to, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    say(to, NULL, NULL, format, arguments);
    va_end(arguments);
}

void cli_warn(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    say(stderr, WARNING, NULL, format, arguments);
    va_end(arguments);
}

void cli_lines_as_json(void)
{
    json_lines = true;
}

bool cli_lines_are_json(void)
{
    return json_lines;
}

int cli_refuse(int code, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    say(stderr, ERROR, NULL, format, arguments);
    va_end(arguments);
    return code;
}

int cli_fail(const tub_error *err)
{
    return cli_refuse(cli_exit_code(err->status), "%s", err->text);
}

int cli_exit_code(tub_status status)
{
    switch (status) {
    case TUB_OK:
    case TUB_END:
        return CLI_OK;
    case TUB_ERROR_ARGUMENT:
    case TUB_ERROR_INPUT:
        return CLI_USAGE;
    case TUB_ERROR_VIDEO:
        return CLI_INCOMPLETE;
    case TUB_ERROR_MODEL:
        return CLI_MODEL;
    case TUB_ERROR_OUTPUT:
        return CLI_OUTPUT;
    case TUB_ERROR_DEVICE:
        return CLI_DEVICE;
    case TUB_ERROR_CANCELLED:
        return 128 + 2;
    case TUB_AGAIN:
    case TUB_ERROR_MEMORY:
    case TUB_ERROR_INTERNAL:
        break;
    }
    return CLI_FATAL;
}

double cli_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

bool cli_has_status_line(void)
{
    const char *terminal = getenv("TERM");
    return !json_lines && isatty(STDERR_FILENO) && terminal && strcmp(terminal, "dumb");
}

int cli_terminal_width(void)
{
    struct winsize size;
    return !ioctl(STDERR_FILENO, TIOCGWINSZ, &size) && size.ws_col > 20 ? size.ws_col : 80;
}

// Columns that a UTF-8 character takes: 2 for wide East Asian ones. Continuation bytes take 0.
static int columns(const char *at)
{
    const unsigned char *c = (const unsigned char *)at;
    if ((*c & 0xc0) == 0x80)
        return 0;
    if (*c < 0xe1)
        return 1;
    unsigned code = *c < 0xf0 ? (*c & 15u) << 12 | (c[1] & 63u) << 6 : 0x20000;
    return (code >= 0x1100 && code < 0x1160) || (code >= 0x2e80 && code < 0xa4d0) ||
                   (code >= 0xac00 && code < 0xd7a4) || (code >= 0xf900 && code < 0xfb00) ||
                   (code >= 0xfe30 && code < 0xff61) || code >= 0x20000
               ? 2
               : 1;
}

// How many bytes of the text fit into `width` columns.
static int fitting(const char *text, int width)
{
    int used = 0;
    const char *c = text;
    for (; *c && used + columns(c) <= width; c++)
        used += columns(c);
    return (int)(c - text);
}

void cli_status_line(const char *text)
{
    int width = cli_terminal_width() - 1;
    pthread_mutex_lock(&lock);
    if (has_room(stderr)) {
        clear_status_line();
        if (*text)
            fprintf(stderr, "%.*s", fitting(text, width), text);
        fflush(stderr);
        shown = *text != '\0';
    }
    pthread_mutex_unlock(&lock);
}

int cli_finish_output(int code)
{
    flush(stdout);
    if (!left[0] && (!stdout_error || stdout_error == EPIPE))
        return code;
    const char *why = left[0] ? "its reader has stopped: lines are missing" : strerror(stdout_error);
    return cli_refuse(code == CLI_OK ? CLI_OUTPUT : code, "standard output: %s", why);
}

static void write_log(void *user, int level, const char *text)
{
    if (level == 0)
        cli_warn("%s", text);
    else if (user)
        cli_say(stderr, json_lines ? "%s" : "tubelet: %s", text);
}

tub_log cli_log(bool verbose)
{
    static char yes;
    return (tub_log){write_log, verbose ? &yes : NULL};
}
