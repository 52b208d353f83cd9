#include "slice_count.h"

#include <stdint.h>

// Bytes of the length before each unit; 0: start codes.
static int length_bytes(const AVCodecContext *decoder)
{
    const uint8_t *extra = decoder->extradata;
    bool hevc = decoder->codec_id == AV_CODEC_ID_HEVC;
    int at = hevc ? 21 : 4;
    return extra && decoder->extradata_size > at + 2 && extra[0] == 1 ? (extra[at] & 3) + 1 : 0;
}

static bool is_slice(const AVCodecContext *decoder, uint8_t first)
{
    if (decoder->codec_id == AV_CODEC_ID_HEVC)
        return (first >> 1 & 63) < 32;
    int kind = first & 31;
    return kind >= 1 && kind <= 5;
}

static int count_by_length(const AVCodecContext *decoder, const AVPacket *packet, int length)
{
    int64_t at = 0;
    int slices = 0;
    while (at + length < packet->size) {
        int64_t bytes = 0;
        for (int i = 0; i < length; i++)
            bytes = bytes << 8 | packet->data[at + i];
        at += length;
        if (bytes < 1 || bytes > packet->size - at)
            return 0;
        slices += is_slice(decoder, packet->data[at]);
        at += bytes;
    }
    return slices;
}

static int count_by_start_code(const AVCodecContext *decoder, const AVPacket *packet)
{
    int slices = 0;
    const uint8_t *end = packet->data + packet->size;
    for (const uint8_t *p = packet->data; end - p > 3; p++)
        if (!p[0] && !p[1] && p[2] == 1)
            slices += is_slice(decoder, p[3]);
    return slices;
}

bool tub_slices_are_whole(const AVCodecContext *decoder, const AVPacket *packet)
{
    if (decoder->codec_id != AV_CODEC_ID_H264 && decoder->codec_id != AV_CODEC_ID_HEVC)
        return true;
    int length = length_bytes(decoder);
    return (length ? count_by_length(decoder, packet, length) : count_by_start_code(decoder, packet)) == 1;
}
