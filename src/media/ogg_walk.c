#include <libavutil/crc.h>
#include <libavutil/intreadwrite.h>
#include <stdbool.h>
#include <string.h>

#include "container_walk.h"
#include "file_window.h"

enum { PAGE_HEAD = 27, SEGMENTS_MOST = 255, LAST_OF_STREAM = 4, CHECKSUM_AT = 22 };

typedef struct page {
    int64_t at, bytes;
    uint32_t checksum;
    bool is_last;
} page;

static bool read_head(tub_file_window *w, int64_t at, page *out)
{
    const uint8_t *head;
    const int there = tub_window_look(w, at, PAGE_HEAD + SEGMENTS_MOST, &head);
    if (there < PAGE_HEAD || memcmp(head, "OggS", 4) != 0 || there < PAGE_HEAD + head[26])
        return false;
    *out = (page){.at = at, .bytes = PAGE_HEAD + head[26], .checksum = AV_RL32(head + CHECKSUM_AT)};
    out->is_last = head[5] & LAST_OF_STREAM;
    for (int i = 0; i < head[26]; i++)
        out->bytes += head[PAGE_HEAD + i];
    return out->bytes <= w->bytes - at;
}

// The checksum's own bytes in the page count as zeros.
static uint32_t checksum(tub_file_window *w, const page *p)
{
    static const uint8_t zeros[4];
    const AVCRC *table = av_crc_get_table(AV_CRC_32_IEEE);
    const uint8_t *bytes;
    int there = tub_window_look(w, p->at, PAGE_HEAD, &bytes);
    uint32_t sum = av_crc(table, 0, bytes, CHECKSUM_AT);
    sum = av_crc(table, sum, zeros, sizeof zeros);
    sum = av_crc(table, sum, bytes + PAGE_HEAD - 1, 1);
    for (int64_t done = there; there > 0 && done < p->bytes; done += there) {
        const int64_t left = p->bytes - done;
        there = tub_window_look(w, p->at + done, left < TUB_WINDOW_BYTES ? (int)left : TUB_WINDOW_BYTES, &bytes);
        sum = av_crc(table, sum, bytes, (size_t)there);
    }
    return av_bswap32(sum);
}

int64_t tub_ogg_broken_at(int fd, int64_t file_bytes)
{
    tub_file_window w = {.fd = fd, .bytes = file_bytes};
    page p = {0};
    for (int64_t at = 0; at < file_bytes; at += p.bytes) {
        const bool ended = p.is_last;
        if (!read_head(&w, at, &p))
            return ended ? -1 : at; // data that isn't the video's may follow
        if (checksum(&w, &p) != p.checksum)
            return at;
    }
    return -1;
}
