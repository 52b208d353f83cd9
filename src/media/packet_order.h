// Checks that a decoder does what it does with healthy videos: one frame for each packet, in the order of their times.
// Also tells a packet's place in that order before it is decoded.
//
// A packet may be left out, that is, not sent to the decoder. It keeps its place in the order.
//
// Thread-safety: one thread at a time per object.
#ifndef TUB_PACKET_ORDER_H
#define TUB_PACKET_ORDER_H

#include <libavcodec/avcodec.h>
#include <stdbool.h>
#include <stdint.h>

enum { TUB_ORDER_MOST = 128 }; // most packets inside the decoder at a time

typedef struct tub_order_entry {
    int64_t time, duration; // in the stream's time base
    int64_t number;         // of the packet, in the order of sending
    bool left_out;
} tub_order_entry;

typedef struct tub_packet_order {
    tub_order_entry entries[TUB_ORDER_MOST]; // of the packets in the decoder, the earliest last
    int count;
    int64_t sent, given; // packets sent so far; time of the last frame that came out
    int64_t first;       // time of the first frame, once it has come out
} tub_packet_order;

void tub_order_init(tub_packet_order *o);
// Adds the packet that goes to the decoder next. False: it has no time, the time of another packet or one that is
// already past, a time before that of a left-out packet (whose place was then assumed wrongly), or too many packets are
// in the decoder. *entry NULL: an edit list leaves the packet out of the order.
bool tub_order_packet(tub_packet_order *o, const AVPacket *packet, tub_order_entry **entry);
// The place of a packet in display order, provided that none comes later that is shown earlier. False: no packet that
// is shown after it has gone to the decoder, so it may be the video's last.
typedef struct tub_order_place {
    int64_t index, first, time; // of the frame; times of the first frame and of this one
    int64_t next_most;          // upper bound of the next frame's time
} tub_order_place;
bool tub_order_place_of(const tub_packet_order *o, const tub_order_entry *entry, tub_order_place *out);
// The earliest packet, if it was left out and is shown before `frame`, which came out of the decoder. Else false.
bool tub_order_left_out(tub_packet_order *o, const AVFrame *frame, tub_order_entry *out);
// A frame came out: the number of its packet. False: it isn't the frame of the earliest packet.
bool tub_order_frame(tub_packet_order *o, const AVFrame *frame, int64_t *number);
// Whether the frames of all packets before this one have come out: it can refer only to these.
bool tub_order_is_settled(const tub_packet_order *o, int64_t number);

#endif
