#include <libavutil/intreadwrite.h>
#include <stdbool.h>
#include <string.h>

#include "container_walk.h"
#include "file_window.h"

enum { FILE_HEAD = 9, TAG_HEAD = 11, BACK_LINK = 4 }; // bytes; BACK_LINK: the size of the tag before

enum { AUDIO = 8, VIDEO = 9, SCRIPT = 18 };

static bool is_kind(uint8_t first)
{
    const int kind = first & 0x1F; // higher bits: reserved, and whether it is encrypted
    return kind == AUDIO || kind == VIDEO || kind == SCRIPT;
}

// Some writers don't count the tag's head, or a byte of it.
static bool links_back(uint32_t stated, int64_t size)
{
    return stated == size + TAG_HEAD || stated == size + TAG_HEAD - 1 || (size > 0 && stated == size);
}

// Whether there is a tag at `at`: it looks like one, or the back link in front of it fits the tag before. `size`: of
// the content of the tag before.
static bool is_tag(tub_file_window *w, int64_t at, int64_t size, const uint8_t **head)
{
    if (tub_window_look(w, at - BACK_LINK, BACK_LINK + TAG_HEAD, head) < BACK_LINK + TAG_HEAD)
        return false;
    const uint32_t stated = AV_RB32(*head);
    *head += BACK_LINK;
    return (is_kind(**head) && AV_RB24(*head + 8) == 0) || links_back(stated, size);
}

// Fewer bytes than a head are the rest of a tag, or don't belong to the video.
static bool is_junk(tub_file_window *w, int64_t at)
{
    const uint8_t *first;
    return w->bytes - at < TAG_HEAD && (tub_window_look(w, at, 1, &first) < 1 || !is_kind(*first));
}

int64_t tub_flv_broken_at(int fd, int64_t file_bytes)
{
    tub_file_window w = {.fd = fd, .bytes = file_bytes};
    const uint8_t *head;
    if (tub_window_look(&w, 0, FILE_HEAD, &head) < FILE_HEAD || memcmp(head, "FLV", 3) != 0)
        return 0;
    int64_t size = 0;
    for (int64_t at = (int64_t)AV_RB32(head + 5) + BACK_LINK; at < file_bytes; at += TAG_HEAD + size + BACK_LINK) {
        if (is_junk(&w, at))
            return -1;
        if (!is_tag(&w, at, size, &head) || at + TAG_HEAD + (int64_t)AV_RB24(head + 1) > file_bytes)
            return at;
        size = AV_RB24(head + 1);
    }
    return -1;
}
