#include "file_window.h"

#include <errno.h>
#include <unistd.h>

ssize_t tub_read_at(int fd, void *out, size_t bytes, int64_t at)
{
    const int before = errno;
    ssize_t got;
    do
        got = pread(fd, out, bytes, at);
    while (got < 0 && errno == EINTR);
    if (got >= 0)
        errno = before;
    return got;
}

int tub_window_look(tub_file_window *w, int64_t at, int most, const uint8_t **out)
{
    const int64_t wanted = w->bytes - at < most ? w->bytes - at : most;
    if (at < w->from || at + wanted > w->to) {
        const ssize_t got = tub_read_at(w->fd, w->window, TUB_WINDOW_BYTES, at);
        w->from = at;
        w->to = at + (got > 0 ? got : 0);
    }
    *out = w->window + (at - w->from);
    return (int)(w->to - at < wanted ? w->to - at : wanted);
}

bool tub_window_is_zeros(tub_file_window *w, int64_t at, int64_t end)
{
    const uint8_t *bytes;
    for (int there; at < end; at += there) {
        there = tub_window_look(w, at, end - at < TUB_WINDOW_BYTES ? (int)(end - at) : TUB_WINDOW_BYTES, &bytes);
        for (int i = 0; i < there; i++)
            if (bytes[i])
                return false;
        if (there < 1)
            return false;
    }
    return true;
}
