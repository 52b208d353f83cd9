#include <libavutil/intreadwrite.h>
#include <stdbool.h>
#include <string.h>

#include "container_walk.h"
#include "file_window.h"

enum { OBJECT_HEAD = 24, HEADER_HEAD = 30, DATA_HEAD = 50, PROPERTIES = 104, STREAMS = 128 }; // bytes; numbers below

static const uint8_t header_id[16] = "\x30\x26\xB2\x75\x8E\x66\xCF\x11\xA6\xD9\x00\xAA\x00\x62\xCE\x6C";
static const uint8_t data_id[16] = "\x36\x26\xB2\x75\x8E\x66\xCF\x11\xA6\xD9\x00\xAA\x00\x62\xCE\x6C";
static const uint8_t properties_id[16] = "\xA1\xDC\xAB\x8C\x47\xA9\xCF\x11\x8E\xE4\x00\xC0\x0C\x20\x53\x65";

typedef struct packets {
    int64_t at, count; // of the first one; number of them, 0: unknown
    int64_t bytes;     // of each
} packets;

// What a stream's payloads have said about their object (a frame), of which they are pieces.
typedef struct object {
    int64_t size, got; // size 0: no object yet, or unknown
} object;

typedef struct reader {
    tub_file_window *w;
    int64_t at, end;
    bool failed;
} reader;

// Reads a number of 0, 1, 2 or 4 bytes.
static int64_t take(reader *r, int bytes)
{
    const uint8_t *p;
    if (r->failed || bytes > r->end - r->at || tub_window_look(r->w, r->at, bytes, &p) < bytes) {
        r->failed = true;
        return 0;
    }
    r->at += bytes;
    return bytes == 4 ? (int64_t)AV_RL32(p) : bytes == 2 ? AV_RL16(p) : bytes == 1 ? p[0] : 0;
}

static void skip(reader *r, int64_t bytes)
{
    r->failed |= bytes < 0 || bytes > r->end - r->at;
    r->at += r->failed ? 0 : bytes;
}

// Reads a number whose length is given by two bits.
static int64_t take_coded(reader *r, int64_t bits)
{
    static const int lengths[] = {0, 1, 2, 4};
    return take(r, lengths[bits & 3]);
}

// Whether the piece is the next one of its object, or the first one of a new object after a whole one.
static bool continues(object *o, int64_t offset, int64_t size, int64_t bytes)
{
    if (offset == 0) {
        const bool was_whole = o->got == o->size;
        *o = (object){size, bytes};
        return was_whole;
    }
    if (!o->size) // it began before the start of the file
        return true;
    const bool fits = offset == o->got && size == o->size && bytes <= size - offset;
    o->got += bytes;
    return fits;
}

// `length`: the two bits for take_coded() that give the payload's length; -1: the payload is the rest.
static bool read_payload(reader *r, int64_t property, int length, object *objects)
{
    object *o = &objects[take(r, 1) & (STREAMS - 1)];
    take_coded(r, property >> 4); // the object's number
    const int64_t offset = take_coded(r, property >> 2), replicated = take_coded(r, property);
    const bool says_size = replicated >= 8;
    const int64_t size = says_size ? take(r, 4) : 0;
    skip(r, says_size ? replicated - 4 : replicated);
    const int64_t bytes = length < 0 ? r->end - r->at : take_coded(r, length);
    skip(r, bytes);
    if (r->failed || o == objects) // there is no stream 0
        return false;
    if (says_size && size > 0)
        return continues(o, offset, size, bytes);
    *o = (object){0};
    return true;
}

static bool read_packet(tub_file_window *w, int64_t at, int64_t bytes, object *objects)
{
    reader r = {.w = w, .at = at, .end = at + bytes};
    int64_t flags = take(&r, 1);
    if ((flags & 0x8F) == 0x82) {
        if (take(&r, 2) != 0)
            return false;
        flags = take(&r, 1);
    }
    const int64_t property = take(&r, 1), stated = take_coded(&r, flags >> 5);
    take_coded(&r, flags >> 1);
    const int64_t padding = take_coded(&r, flags >> 3);
    skip(&r, 4 + 2); // time and duration
    const int64_t kinds = flags & 1 ? take(&r, 1) : 1;
    const int64_t end = at + (flags >> 5 & 3 ? stated : bytes) - padding;
    if (r.failed || end < r.at || end > r.end)
        return false;
    r.end = end;
    for (int64_t i = 0; i < (kinds & 0x3F); i++)
        if (!read_payload(&r, property, flags & 1 ? (int)(kinds >> 6) : -1, objects))
            return false;
    return true;
}

// Reads the properties in the header, and the head of the data, which follows the header.
static bool find_packets(tub_file_window *w, packets *out)
{
    const uint8_t *p;
    if (tub_window_look(w, 0, HEADER_HEAD, &p) < HEADER_HEAD || memcmp(p, header_id, 16) != 0)
        return false;
    const int64_t header = (int64_t)AV_RL64(p + 16);
    bool live = true;
    for (int64_t at = HEADER_HEAD, size; at < header && at < w->bytes; at += size) {
        const int there = tub_window_look(w, at, PROPERTIES, &p);
        if (there < OBJECT_HEAD)
            return false;
        size = (int64_t)AV_RL64(p + 16);
        if (size < OBJECT_HEAD || size > w->bytes - at)
            return false;
        if (there == PROPERTIES && !memcmp(p, properties_id, 16)) {
            live = AV_RL32(p + 88) & 1;
            out->bytes = AV_RL32(p + 92) == AV_RL32(p + 96) ? AV_RL32(p + 92) : 0;
        }
    }
    if (header < HEADER_HEAD || header >= w->bytes || tub_window_look(w, header, DATA_HEAD, &p) < DATA_HEAD ||
        memcmp(p, data_id, 16) != 0)
        return false;
    out->at = header + DATA_HEAD;
    out->count = live || AV_RL64(p + 40) > UINT32_MAX ? 0 : (int64_t)AV_RL64(p + 40);
    return out->bytes > 0;
}

// Whether there is an object (an index) at `at`. Anything may follow it.
static bool is_object(tub_file_window *w, int64_t at)
{
    const uint8_t *p;
    if (tub_window_look(w, at, OBJECT_HEAD, &p) < OBJECT_HEAD)
        return false;
    const int64_t size = (int64_t)AV_RL64(p + 16);
    return size >= OBJECT_HEAD && size <= w->bytes - at;
}

int64_t tub_asf_broken_at(int fd, int64_t file_bytes)
{
    tub_file_window w = {.fd = fd, .bytes = file_bytes};
    object objects[STREAMS] = {{0}};
    packets all = {0};
    if (!find_packets(&w, &all))
        return -1;
    int64_t at = all.at;
    for (int64_t i = 0; all.count ? i < all.count : at < file_bytes; i++, at += all.bytes)
        if (all.bytes > file_bytes - at || !read_packet(&w, at, all.bytes, objects))
            return !all.count && is_object(&w, at) ? -1 : at;
    return -1;
}
