#include "console.h"

#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "cli.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static bool held;        // lines are left in the buffers
static bool shown;       // a status line stands on the terminal
static int stdout_error; // the errno of the first failed write

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

static void say(FILE *to, const char *prefix, const char *format, va_list arguments)
{
    char *text = NULL;
    if (vasprintf(&text, format, arguments) < 0)
        return;
    pthread_mutex_lock(&lock);
    clear_status_line();
    fputs(prefix, to);
    put_text(to, text);
    fputc('\n', to);
    if (!held)
        flush(to);
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
    say(to, "", format, arguments);
    va_end(arguments);
}

int cli_refuse(int code, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    say(stderr, "tubelet: ", format, arguments);
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
    return isatty(STDERR_FILENO) && terminal && strcmp(terminal, "dumb");
}

int cli_terminal_width(void)
{
    struct winsize size;
    return !ioctl(STDERR_FILENO, TIOCGWINSZ, &size) && size.ws_col > 20 ? size.ws_col : 80;
}

void cli_status_line(const char *text)
{
    int width = cli_terminal_width() - 1;
    pthread_mutex_lock(&lock);
    clear_status_line();
    if (*text)
        fprintf(stderr, "%.*s", width, text);
    fflush(stderr);
    shown = *text != '\0';
    pthread_mutex_unlock(&lock);
}

int cli_finish_output(int code)
{
    flush(stdout);
    if (!stdout_error || stdout_error == EPIPE || code != CLI_OK)
        return code;
    return cli_refuse(CLI_OUTPUT, "standard output: %s", strerror(stdout_error));
}

static void write_log(void *user, int level, const char *text)
{
    if (level == 0)
        cli_say(stderr, "tubelet: warning: %s", text);
    else if (user)
        cli_say(stderr, "tubelet: %s", text);
}

tub_log cli_log(bool verbose)
{
    static char yes;
    return (tub_log){write_log, verbose ? &yes : NULL};
}
