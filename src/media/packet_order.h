// Whether a decoder does what it does with healthy videos: one frame for each packet, in the order of their times.
//
// Thread-safety: one thread at a time per object.
#ifndef TUB_PACKET_ORDER_H
#define TUB_PACKET_ORDER_H

#include <libavcodec/avcodec.h>
#include <stdbool.h>
#include <stdint.h>

enum { TUB_ORDER_MOST = 128 }; // packets that may be on their way through the decoder

typedef struct tub_packet_order {
    int64_t times[TUB_ORDER_MOST];   // of the packets on their way, the earliest last
    int64_t numbers[TUB_ORDER_MOST]; // of the same packets, as they were sent
    int count;
    int64_t sent, given; // packets so far; the last frame's time
} tub_packet_order;

void tub_order_init(tub_packet_order *o);
// A packet that goes to the decoder. False: it has no time, a time that another one has or that is already past, or too
// many are on their way.
bool tub_order_packet(tub_packet_order *o, const AVPacket *packet);
// A frame that came out, and the number of its packet. False: it isn't that of the earliest packet.
bool tub_order_frame(tub_packet_order *o, const AVFrame *frame, int64_t *number);
// Whether the frames of all packets before this one have come out: only they can have been referred to.
bool tub_order_is_settled(const tub_packet_order *o, int64_t number);

#endif
