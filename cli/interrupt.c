#include "interrupt.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <time.h>
#include <unistd.h>

static volatile int caught; // the signal's number
static struct timespec caught_at;

// timeout(1) and others signal a process and then its group. Both signals are one request.
static bool is_echo(int number)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    long long since = (now.tv_sec - caught_at.tv_sec) * 1000000000ll + now.tv_nsec - caught_at.tv_nsec;
    return number == caught && since < 100000000;
}

static void on_signal(int number)
{
    static const char text[] = "\ntubelet: stopping; a second signal leaves at once\n";
    if (caught && is_echo(number))
        return;
    if (caught)
        _exit(128 + number);
    clock_gettime(CLOCK_MONOTONIC, &caught_at);
    caught = number;
    // Only calls like write() may be made here, and there is nothing to do if it fails. If the reader has stopped,
    // write() would block and keep the second signal from us: hence poll().
    int saved = errno;
    struct pollfd pipe = {.fd = STDERR_FILENO, .events = POLLOUT};
    ssize_t written = poll(&pipe, 1, 0) > 0 ? write(STDERR_FILENO, text, sizeof text - 1) : 0;
    (void)written;
    errno = saved;
}

void cli_catch_interrupts(void)
{
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
    sigemptyset(&action.sa_mask);
    static const int signals[] = {SIGINT, SIGTERM};
    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++) {
        struct sigaction old;
        // A script's background job starts with SIGINT ignored: keep that.
        if (!sigaction(signals[i], NULL, &old) && old.sa_handler != SIG_IGN)
            sigaction(signals[i], &action, NULL);
    }
}

const volatile int *cli_stop_flag(void)
{
    return &caught;
}

int cli_interrupted(void)
{
    return caught ? 128 + caught : 0;
}
