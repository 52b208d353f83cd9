#include <libavutil/intreadwrite.h>
#include <stdbool.h>
#include <string.h>

#include "container_walk.h"
#include "file_window.h"

enum { START = 4, HEAD_MOST = 14, END_CODE = 0xB9, PACK = 0xBA, PIECES_A_BREAK = 50 };

// Bytes of the piece that begins at `p`: a pack's head, or a packet. 0: none begins there; -1: unknown.
static int64_t piece_bytes(const uint8_t *p, int there)
{
    if (there < START || AV_RB24(p) != 1 || p[3] < END_CODE)
        return 0;
    if (p[3] == END_CODE)
        return START;
    if (p[3] == PACK && there == HEAD_MOST)
        return p[4] >> 6 == 1 ? HEAD_MOST + (p[13] & 7) : 12; // MPEG-2's or MPEG-1's
    return there < START + 2 || p[3] == PACK || !AV_RB16(p + START) ? -1 : START + 2 + AV_RB16(p + START);
}

// The place of the next start code of a pack; the end of the file: there is none.
static int64_t find_pack(tub_file_window *w, int64_t at)
{
    static const uint8_t code[START] = {0, 0, 1, PACK};
    const uint8_t *p;
    for (; w->bytes - at >= START; at++)
        if (tub_window_look(w, at, START, &p) < START || !memcmp(p, code, START))
            return at;
    return w->bytes;
}

static int64_t pass_zeros(tub_file_window *w, int64_t at)
{
    const uint8_t *p;
    while (tub_window_look(w, at, START, &p) == START && AV_RB24(p) == 0)
        at++;
    return at;
}

// Many breaks come from the way the file is stored (sectors with heads and checksums). Then none counts.
int64_t tub_ps_broken_at(int fd, int64_t file_bytes)
{
    tub_file_window w = {.fd = fd, .bytes = file_bytes};
    int64_t broken_at = -1, pieces = 0, breaks = 0;
    for (int64_t at = find_pack(&w, 0); at < file_bytes;) {
        const uint8_t *p;
        at = pass_zeros(&w, at);
        const int there = tub_window_look(&w, at, HEAD_MOST, &p);
        const int64_t bytes = piece_bytes(p, there), next = bytes > 0 ? at + bytes : find_pack(&w, at + 1);
        const bool breaks_here = bytes == 0 ? next < file_bytes : next > file_bytes;
        if (breaks_here && !breaks++)
            broken_at = at;
        pieces++;
        at = next;
    }
    return breaks * PIECES_A_BREAK <= pieces ? broken_at : -1;
}
