// Looks at a few bytes here and there in a file, from its front to its end, with few reads.
//
// Thread-safety: one thread at a time per object.
#ifndef TUB_FILE_WINDOW_H
#define TUB_FILE_WINDOW_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum {
    TUB_WINDOW_BYTES = 4096,
    TUB_UNWRITTEN_BYTES = 64 << 10, // zeros at a file's end: fewer fill up a block, so many were never written to
};

typedef struct tub_file_window {
    int fd;
    int64_t bytes;    // of the file
    int64_t from, to; // of the file, what is in the window
    uint8_t window[TUB_WINDOW_BYTES];
} tub_file_window;

// As pread(2), but a signal doesn't end it, and errno tells only of what failed.
ssize_t tub_read_at(int fd, void *out, size_t bytes, int64_t at);
// The bytes at `at`, `most` (no more than TUB_WINDOW_BYTES) or fewer at the end of the file or where it
// can't be read (errno tells): returns how many. *out stays valid until the next call.
int tub_window_look(tub_file_window *w, int64_t at, int most, const uint8_t **out);
// Whether there are zeros only, up to `end`.
bool tub_window_is_zeros(tub_file_window *w, int64_t at, int64_t end);

#endif
