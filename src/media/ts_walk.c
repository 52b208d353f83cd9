#include <libavutil/intreadwrite.h>
#include <stdbool.h>

#include "container_walk.h"
#include "file_window.h"

enum { PACKET = 188, SYNC = 0x47, SYNC_PACKETS = 5, TABLE_PID = 0, COUNTERS = 16 };

static const int spacings[] = {PACKET, 192, 204}; // plain; with a time before each; with check bytes after each

typedef struct packet {
    int pid, counter;
    bool starts, has_payload, may_jump, is_bad;
    int64_t time; // decoding time of what starts here; -1: unknown
} packet;

typedef struct track {
    int pid, counter; // of the last packet; counter -1: none yet
    int64_t time;
    bool restarts; // since then, a table with a writer's initial counter came
} track;

static bool is_synced(tub_file_window *w, int64_t at, int spacing)
{
    const uint8_t *first;
    for (int i = 0; i < SYNC_PACKETS && at + i * (int64_t)spacing < w->bytes; i++)
        if (tub_window_look(w, at + i * (int64_t)spacing, 1, &first) < 1 || *first != SYNC)
            return false;
    return true;
}

// The next place from which packets follow each other; the end of the file: there is none.
static int64_t find_sync(tub_file_window *w, int64_t at, int *spacing)
{
    const uint8_t *bytes;
    for (int there; at < w->bytes && (there = tub_window_look(w, at, 1, &bytes)) > 0; at++)
        for (int i = 0; *bytes == SYNC && i < 3; i++)
            if ((!*spacing || *spacing == spacings[i]) && w->bytes - at > SYNC_PACKETS * spacings[i] &&
                is_synced(w, at, spacings[i])) {
                *spacing = spacings[i];
                return at;
            }
    return w->bytes;
}

static int64_t read_time(const uint8_t *p)
{
    return (int64_t)(p[0] >> 1 & 7) << 30 | p[1] << 22 | (p[2] >> 1) << 15 | p[3] << 7 | p[4] >> 1;
}

// The decoding time in the head of what starts here, or the display time if that is the same.
static int64_t time_of(const uint8_t *pes, int bytes)
{
    if (bytes < 14 || !(pes[7] & 0x80))
        return -1;
    return pes[7] & 0x40 && bytes >= 19 ? read_time(pes + 14) : read_time(pes + 9);
}

static packet read_packet(const uint8_t *p)
{
    const bool adapted = p[3] & 0x20;
    const int payload = adapted ? 5 + p[4] : 4;
    packet out = {.pid = AV_RB16(p + 1) & 0x1FFF, .counter = p[3] & 15, .time = -1};
    out.starts = p[1] & 0x40;
    out.is_bad = p[1] & 0x80; // the receiver says so
    out.has_payload = p[3] & 0x10;
    out.may_jump = adapted && p[4] > 0 && p[5] & 0x80;
    if (!out.starts || !out.has_payload || payload > PACKET - 3)
        return out;
    out.is_bad |= AV_RB24(p + payload) != 1; // what starts here has no head
    out.time = time_of(p + payload, PACKET - payload);
    return out;
}

// Where files were joined, the counter jumps although nothing is missing. Then times begin again, or the writer began
// again, with its tables.
static bool is_seam(const track *t, const packet *p)
{
    return p->starts && ((p->time >= 0 && p->time < t->time) || (t->restarts && p->counter == 0));
}

// Whether packets of the track are missing before this one, or it is damaged.
static bool breaks(track *t, const packet *p, int64_t *seams)
{
    const int expected = p->has_payload ? (t->counter + 1) % COUNTERS : t->counter;
    const bool jumps = t->counter >= 0 && !p->may_jump && p->counter != expected;
    const bool seam = jumps && (!p->has_payload || is_seam(t, p));
    *seams += seam;
    if (p->time >= 0)
        t->time = p->time;
    t->counter = p->counter;
    t->restarts = false;
    return p->is_bad || (jumps && !seam);
}

int64_t tub_ts_broken_at(int fd, int64_t file_bytes, int pid, int64_t *seams)
{
    tub_file_window w = {.fd = fd, .bytes = file_bytes};
    track t = {.pid = pid, .counter = -1, .time = -1};
    int spacing = 0;
    *seams = 0;
    for (int64_t at = find_sync(&w, 0, &spacing); at < file_bytes; at += spacing) {
        const uint8_t *bytes;
        int there = tub_window_look(&w, at, PACKET, &bytes);
        if (there < 1 || *bytes != SYNC) {
            at = find_sync(&w, at, &spacing) - spacing;
            continue;
        }
        if (there < PACKET)
            return at;
        const packet p = read_packet(bytes);
        if (p.pid == TABLE_PID)
            t.restarts |= p.counter == 0;
        else if (p.pid == pid && breaks(&t, &p, seams))
            return at;
    }
    return -1;
}
