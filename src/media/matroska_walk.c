#include <stdbool.h>
#include <stddef.h>

#include "container_walk.h"
#include "file_window.h"

enum { HEAD_MOST = 12, SEGMENT_CHILDREN = 8 }; // bytes of an element's ID and size

enum { IN_SEGMENT, IN_CLUSTER, IN_GROUP }; // levels

enum {
    EBML_HEADER = 0x1A45DFA3,
    SEGMENT = 0x18538067,
    CLUSTER = 0x1F43B675,
    BLOCK_GROUP = 0xA0,
};

static const uint32_t segment_children[SEGMENT_CHILDREN] = {CLUSTER,    0x114D9B74, 0x1549A966, 0x1654AE6B,
                                                            0x1C53BB6B, 0x1941A469, 0x1043A770, 0x1254C367};

typedef struct element {
    uint32_t id;
    int64_t content, end; // positions; end -1: unknown
} element;

// Bytes of a number, by its first byte; 0: it isn't a number.
static int length_of(uint8_t first, int most)
{
    for (int n = 1; n <= most; n++)
        if (first >> (8 - n) & 1)
            return n;
    return 0;
}

static bool read_head(tub_file_window *w, int64_t at, element *out)
{
    const uint8_t *bytes;
    const int there = tub_window_look(w, at, HEAD_MOST, &bytes), id = there ? length_of(bytes[0], 4) : 0;
    const int size = id && there > id ? length_of(bytes[id], 8) : 0;
    if (!size || there < id + size)
        return false;
    uint64_t length = bytes[id] & (0xFFu >> size);
    out->id = 0;
    for (int i = 0; i < id; i++)
        out->id = out->id << 8 | bytes[i];
    for (int i = 1; i < size; i++)
        length = length << 8 | bytes[id + i];
    out->content = at + id + size;
    out->end = length == (UINT64_C(1) << (7 * size)) - 1 ? -1 : out->content + (int64_t)length;
    return true;
}

static bool belongs_to_segment(uint32_t id)
{
    for (int i = 0; i < SEGMENT_CHILDREN; i++)
        if (segment_children[i] == id)
            return true;
    return false;
}

// The level of the element at `at`, after leaving whatever ends there. A cluster that doesn't state its end (-1; live
// recordings) ends where another element of the segment begins.
static int leave(const int64_t *ends, int level, int64_t at, uint32_t id)
{
    while (level > IN_SEGMENT && (ends[level] < 0 ? belongs_to_segment(id) : at >= ends[level]))
        level--;
    return level;
}

// The furthest end that an element may have: the end of the innermost container that states one, else the file's.
static int64_t reach(const tub_file_window *w, const int64_t *ends, int level)
{
    while (level >= IN_SEGMENT && ends[level] < 0)
        level--;
    return level >= IN_SEGMENT ? ends[level] : w->bytes;
}

static int64_t walk_segment(tub_file_window *w, const element *segment)
{
    int64_t ends[IN_GROUP + 1] = {segment->end};
    int level = IN_SEGMENT;
    for (int64_t at = segment->content; at < reach(w, ends, IN_SEGMENT) && at < w->bytes;) {
        element e;
        if (!read_head(w, at, &e))
            return at;
        if (e.id == EBML_HEADER && segment->end < 0)
            return -1; // another file follows this one
        level = leave(ends, level, at, e.id);
        const bool enters = level == IN_SEGMENT ? e.id == CLUSTER : level == IN_CLUSTER && e.id == BLOCK_GROUP;
        if (e.end < 0 ? level != IN_SEGMENT || e.id != CLUSTER : e.end > reach(w, ends, level))
            return at;
        if (enters)
            ends[++level] = e.end;
        at = enters ? e.content : e.end;
    }
    return -1;
}

int64_t tub_matroska_broken_at(int fd, int64_t file_bytes)
{
    tub_file_window w = {.fd = fd, .bytes = file_bytes};
    element e;
    // The header, and what may come between it and the segment.
    for (int64_t at = 0; at < file_bytes; at = e.end) {
        if (!read_head(&w, at, &e) || (e.end < 0 && e.id != SEGMENT))
            return at;
        if (e.id == SEGMENT)
            return walk_segment(&w, &e);
    }
    return -1;
}
