// The length that a file states for itself: evidence that its end was cut off, if the container's index can't tell.
#include <libavutil/avstring.h>
#include <libavutil/intreadwrite.h>
#include <string.h>

#include "file_window.h"
#include "video_file.h"

enum { HEAD_BYTES = 4096, BOXES_MOST = 100000 };

// A file that was written into a pipe states no size, or all ones.
static int64_t riff_bytes(const uint8_t *head, size_t bytes)
{
    const int64_t size = bytes >= 8 && memcmp(head, "RIFF", 4) == 0 ? (int64_t)AV_RL32(head + 4) : 0;
    return size > 4 && size < UINT32_MAX ? 8 + size : 0;
}

// An EBML number of 1 to 8 bytes without its length marker; -1: unknown size (all ones) or not there.
static int64_t ebml_size(const uint8_t *at, const uint8_t *end, int *length)
{
    for (*length = 1; *length <= 8 && at < end; ++*length) {
        if (!(at[0] >> (8 - *length) & 1))
            continue;
        if (end - at < *length)
            return -1;
        uint64_t value = at[0] & ((1u << (8 - *length)) - 1);
        for (int i = 1; i < *length; i++)
            value = value << 8 | at[i];
        return value == (UINT64_C(1) << (7 * *length)) - 1 || value > INT64_MAX / 2 ? -1 : (int64_t)value;
    }
    return -1;
}

// EBML header, then (after a Void or CRC at most) the Segment with its size.
static int64_t matroska_bytes(const uint8_t *head, size_t bytes)
{
    const uint8_t *at = head, *end = head + bytes;
    for (int element = 0; element < 4 && end - at > 5; element++) {
        uint32_t id = at[0] & 0x80 ? at[0] : AV_RB32(at);
        int id_length = at[0] & 0x80 ? 1 : 4, length;
        int64_t size = ebml_size(at + id_length, end, &length);
        if (size < 0)
            return 0;
        if (id == 0x18538067)
            return at - head + id_length + length + size;
        if (size > end - at - id_length - length)
            return 0;
        at += id_length + length + size;
    }
    return 0;
}

// The end of the last box that holds samples or their description.
static int64_t mp4_bytes(int fd, int64_t file_bytes)
{
    int64_t at = 0, stated = 0;
    for (int box = 0; box < BOXES_MOST && at < file_bytes; box++) {
        uint8_t head[16];
        if (tub_read_at(fd, head, sizeof head, at) < 8)
            break;
        int64_t size = AV_RB32(head);
        if (size == 1)
            size = AV_RB64(head + 8) > INT64_MAX / 2 ? 0 : (int64_t)AV_RB64(head + 8);
        if (size < 8 || size > INT64_MAX - at) // 0: up to the end of the file
            break;
        at += size;
        if (!memcmp(head + 4, "mdat", 4) || !memcmp(head + 4, "moof", 4) || !memcmp(head + 4, "moov", 4))
            stated = at;
    }
    return stated;
}

int64_t tub_file_stated_bytes(const tub_video_file *file)
{
    uint8_t head[HEAD_BYTES];
    const char *format = file->format->iformat->name;
    if (av_match_name("mov", format))
        return mp4_bytes(file->fd, file->size);
    ssize_t got = tub_read_at(file->fd, head, sizeof head, 0);
    if (got < 0)
        return 0;
    if (av_match_name("avi", format))
        return riff_bytes(head, (size_t)got);
    if (av_match_name("matroska", format))
        return matroska_bytes(head, (size_t)got);
    return 0;
}

// None of these containers has so many zeros, except in AVI's raw pictures.
bool tub_file_is_unwritten(const tub_video_file *file)
{
    const int64_t stated = tub_file_stated_bytes(file), end = stated > 0 && stated < file->size ? stated : file->size;
    tub_file_window w = {.fd = file->fd, .bytes = file->size};
    return av_match_name(file->format->iformat->name, "mpegts,mpeg,ivf,avi") &&
           file->stream->codecpar->codec_id != AV_CODEC_ID_RAWVIDEO && end >= TUB_UNWRITTEN_BYTES &&
           tub_window_is_zeros(&w, end - TUB_UNWRITTEN_BYTES, end);
}
