#include <stdbool.h>

#include "container_walk.h"
#include "file_window.h"

enum { SCREEN = 13, EXTENSION = 0x21, IMAGE = 0x2C, TRAILER = 0x3B, IMAGE_HEAD = 10 };

static int palette_bytes(uint8_t flags)
{
    return flags & 0x80 ? 3 * (2 << (flags & 7)) : 0;
}

// The place after the sub-blocks at `at`. An empty one is the last; -1: the file ends before it.
static int64_t pass_sub_blocks(tub_file_window *w, int64_t at)
{
    const uint8_t *length;
    while (at < w->bytes && tub_window_look(w, at, 1, &length) == 1) {
        at += 1 + *length;
        if (!*length)
            return at;
    }
    return -1;
}

// The place after the block at `at`; -1: there is none, or the file ends within it.
static int64_t pass_block(tub_file_window *w, int64_t at, bool *trailer)
{
    const uint8_t *head;
    const int there = tub_window_look(w, at, IMAGE_HEAD, &head);
    *trailer = there > 0 && head[0] == TRAILER;
    if (*trailer)
        return at + 1;
    if (there > 2 && head[0] == EXTENSION)
        return pass_sub_blocks(w, at + 2);
    if (there == IMAGE_HEAD && head[0] == IMAGE)
        return pass_sub_blocks(w, at + IMAGE_HEAD + palette_bytes(head[9]) + 1);
    return -1;
}

int64_t tub_gif_broken_at(int fd, int64_t file_bytes)
{
    tub_file_window w = {.fd = fd, .bytes = file_bytes};
    const uint8_t *head;
    if (tub_window_look(&w, 0, SCREEN, &head) < SCREEN)
        return 0;
    bool trailer = false;
    for (int64_t at = SCREEN + palette_bytes(head[10]), next; at < file_bytes && !trailer; at = next) {
        next = pass_block(&w, at, &trailer);
        if (next < 0)
            return at;
    }
    return -1; // without a trailer, too: some writers forget it
}
