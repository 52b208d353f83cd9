#include <libavutil/intreadwrite.h>
#include <stdbool.h>
#include <string.h>

#include "container_walk.h"
#include "file_window.h"

enum { HEAD = 8, LONG_HEAD = 16, KIND_AT = 4 };

enum { IN_FILE, IN_FRAGMENT, IN_TRACK }; // levels

typedef struct box {
    char kind[4];
    int64_t content, end;
} box;

// Kinds are four characters. False: it isn't a box, or its size is 0 (up to the end of the file).
static bool read_head(tub_file_window *w, int64_t at, box *out)
{
    const uint8_t *head;
    const int there = tub_window_look(w, at, LONG_HEAD, &head);
    if (there < HEAD)
        return false;
    const bool is_long = AV_RB32(head) == 1 && there == LONG_HEAD;
    const uint64_t size = is_long ? AV_RB64(head + HEAD) : AV_RB32(head);
    memcpy(out->kind, head + KIND_AT, sizeof out->kind);
    for (int i = 0; i < 4; i++)
        if (head[KIND_AT + i] < ' ' || head[KIND_AT + i] == 0x7F)
            return false;
    out->content = at + (is_long ? LONG_HEAD : HEAD);
    out->end = size > INT64_MAX / 2 ? INT64_MAX / 2 : at + (int64_t)size;
    return out->end >= out->content;
}

// Whether a box of a fragment, or of the list of fragments, begins here and could end in the file.
static bool is_of_fragment(const uint8_t *head, int64_t left)
{
    static const char kinds[][5] = {"moof", "traf", "tfhd", "trun", "mdat", "mfra", "tfra", "mfro"};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (!memcmp(head + KIND_AT, kinds[i], 4))
            return AV_RB32(head) >= HEAD && AV_RB32(head) <= left;
    return false;
}

// Whether a box of a fragment follows somewhere, or room for one. Anything else may follow the last box.
static bool fragment_follows(tub_file_window *w, int64_t at)
{
    const uint8_t *bytes;
    if (w->bytes - at >= TUB_UNWRITTEN_BYTES && tub_window_is_zeros(w, at, w->bytes))
        return true;
    for (; at < w->bytes; at += TUB_WINDOW_BYTES - HEAD) {
        const int there = tub_window_look(w, at, TUB_WINDOW_BYTES, &bytes);
        for (int i = 0; i + HEAD <= there; i++)
            if (is_of_fragment(bytes + i, w->bytes - at - i))
                return true;
    }
    return false;
}

static bool enters(int level, const box *b)
{
    return (level == IN_FILE && !memcmp(b->kind, "moof", 4)) || (level == IN_FRAGMENT && !memcmp(b->kind, "traf", 4));
}

int64_t tub_mp4_broken_at(int fd, int64_t file_bytes)
{
    tub_file_window w = {.fd = fd, .bytes = file_bytes};
    int64_t ends[IN_TRACK + 1] = {file_bytes};
    int level = IN_FILE;
    bool has_fragments = false;
    for (int64_t at = 0; at < file_bytes;) {
        box b;
        while (level > IN_FILE && at == ends[level])
            level--;
        if (!read_head(&w, at, &b) || b.end > ends[level])
            return level > IN_FILE || (has_fragments && fragment_follows(&w, at)) ? at : -1;
        const bool in = enters(level, &b);
        has_fragments |= in;
        if (in)
            ends[++level] = b.end;
        at = in ? b.content : b.end;
    }
    return -1;
}
