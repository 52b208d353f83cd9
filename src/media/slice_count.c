#include "slice_count.h"

#include <stdint.h>

// In HEVC's configuration record: the byte with the number of temporal layers and the size of a unit's length.
enum { HEVC_LAYERS_AT = 21 };

typedef struct unit_counts {
    int slices, unreferenced; // of these slices
    int needed;               // units that other pictures may need
} unit_counts;

static bool has_record(const AVCodecContext *decoder, int at)
{
    const uint8_t *extra = decoder->extradata;
    return extra && decoder->extradata_size > at + 2 && extra[0] == 1;
}

// Bytes of the length before each unit; 0: start codes.
static int length_bytes(const AVCodecContext *decoder)
{
    int at = decoder->codec_id == AV_CODEC_ID_HEVC ? HEVC_LAYERS_AT : 4;
    return has_record(decoder, at) ? (decoder->extradata[at] & 3) + 1 : 0;
}

// Unreferenced: trailing pictures that no picture of the same layer refers to. Not needed: the delimiter, filler and
// mere information.
static void count_hevc(uint8_t first, unit_counts *counts)
{
    enum { TRAIL_N = 0, SLICES_END = 32, DELIMITER = 35, FILLER = 38, INFORMATION = 39, INFORMATION_AFTER = 40 };
    int kind = first >> 1 & 63;
    if (kind < SLICES_END) {
        counts->slices++;
        counts->unreferenced += kind == TRAIL_N;
    } else if (kind != DELIMITER && kind != FILLER && kind != INFORMATION && kind != INFORMATION_AFTER) {
        counts->needed++;
    }
}

static void count_h264(uint8_t first, unit_counts *counts)
{
    enum { SLICE = 1, KEY_SLICE = 5, INFORMATION = 6, DELIMITER = 9, FILLER = 12 };
    int kind = first & 31, importance = first >> 5 & 3;
    if (kind >= SLICE && kind <= KEY_SLICE) {
        counts->slices++;
        counts->unreferenced += kind == SLICE && importance == 0;
    } else if (kind != INFORMATION && kind != DELIMITER && kind != FILLER) {
        counts->needed++;
    }
}

static void count(const AVCodecContext *decoder, uint8_t first, unit_counts *counts)
{
    if (decoder->codec_id == AV_CODEC_ID_HEVC)
        count_hevc(first, counts);
    else
        count_h264(first, counts);
}

static unit_counts count_by_length(const AVCodecContext *decoder, const AVPacket *packet, int length)
{
    unit_counts counts = {0};
    int64_t at = 0;
    while (at + length < packet->size) {
        int64_t bytes = 0;
        for (int i = 0; i < length; i++)
            bytes = bytes << 8 | packet->data[at + i];
        at += length;
        if (bytes < 1 || bytes > packet->size - at)
            return (unit_counts){0};
        count(decoder, packet->data[at], &counts);
        at += bytes;
    }
    return counts;
}

static unit_counts count_by_start_code(const AVCodecContext *decoder, const AVPacket *packet)
{
    unit_counts counts = {0};
    const uint8_t *end = packet->data + packet->size;
    for (const uint8_t *p = packet->data; end - p > 3; p++)
        if (!p[0] && !p[1] && p[2] == 1)
            count(decoder, p[3], &counts);
    return counts;
}

static unit_counts count_units(const AVCodecContext *decoder, const AVPacket *packet)
{
    int length = length_bytes(decoder);
    return length ? count_by_length(decoder, packet, length) : count_by_start_code(decoder, packet);
}

bool tub_slices_are_whole(const AVCodecContext *decoder, const AVPacket *packet)
{
    if (decoder->codec_id != AV_CODEC_ID_H264 && decoder->codec_id != AV_CODEC_ID_HEVC)
        return true;
    return count_units(decoder, packet).slices == 1;
}

// With several temporal layers, a higher one may refer to pictures that the lower ones don't refer to.
static bool has_one_layer(const AVCodecContext *decoder)
{
    return has_record(decoder, HEVC_LAYERS_AT) && (decoder->extradata[HEVC_LAYERS_AT] >> 3 & 7) == 1;
}

bool tub_slices_are_unreferenced(const AVCodecContext *decoder, const AVPacket *packet)
{
    if (decoder->codec_id != AV_CODEC_ID_H264 && (decoder->codec_id != AV_CODEC_ID_HEVC || !has_one_layer(decoder)))
        return false;
    unit_counts counts = count_units(decoder, packet);
    return counts.slices > 0 && counts.unreferenced == counts.slices && !counts.needed;
}
