// Records what was read of a stream, and checks whether reading it again gives the same: if memory was short for a
// moment, a demuxer may have skipped what it couldn't keep.
#ifndef TUB_PACKET_TALLY_H
#define TUB_PACKET_TALLY_H

#include "video_file.h"

typedef struct tub_packet_tally {
    int64_t packets, bytes;
    uint64_t print; // of the packets' sizes and times, in their order, and of the stream's rates
} tub_packet_tally;

void tub_tally_init(tub_packet_tally *t, const tub_video_file *file);
void tub_tally_packet(tub_packet_tally *t, const AVPacket *packet);
// Reads the file again. Errors: TUB_ERROR_MEMORY if it isn't the same, and those of tub_video_file_open().
tub_status tub_tally_check(const tub_packet_tally *t, const char *path, int number, tub_error *err);

#endif
