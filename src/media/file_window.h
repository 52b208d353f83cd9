// Looks at a few bytes here and there in a file, from front to end, with few reads.
//
// Thread-safety: one thread at a time per object.
#ifndef TUB_FILE_WINDOW_H
#define TUB_FILE_WINDOW_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum {
    TUB_WINDOW_BYTES = 4096,
    TUB_UNWRITTEN_BYTES = 64 << 10, // zeros at a file's end: fewer may be padding, so many were never written
};

typedef struct tub_file_window {
    int fd;
    int64_t bytes;    // of the file
    int64_t from, to; // the part of the file that is in the window
    uint8_t window[TUB_WINDOW_BYTES];
} tub_file_window;

// As pread(2), but signals don't interrupt it, and errno is set only by failures.
ssize_t tub_read_at(int fd, void *out, size_t bytes, int64_t at);
// The `most` bytes at `at` (no more than TUB_WINDOW_BYTES), or fewer at the end of the file or where it can't be read
// (see errno). Returns how many. *out stays valid until the next call.
int tub_window_look(tub_file_window *w, int64_t at, int most, const uint8_t **out);
// Whether all bytes from `at` to `end` are zeros.
bool tub_window_is_zeros(tub_file_window *w, int64_t at, int64_t end);

#endif
