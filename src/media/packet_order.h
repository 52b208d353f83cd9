// Whether a decoder does what it does with healthy videos: one frame for each packet, in the order of their times. And
// where in that order a packet stands, before it is decoded.
//
// A packet may be left out, that is, not sent to the decoder. It keeps its place in the order.
//
// Thread-safety: one thread at a time per object.
#ifndef TUB_PACKET_ORDER_H
#define TUB_PACKET_ORDER_H

#include <libavcodec/avcodec.h>
#include <stdbool.h>
#include <stdint.h>

enum { TUB_ORDER_MOST = 128 }; // packets that may be on their way through the decoder

typedef struct tub_order_entry {
    int64_t time, duration; // in the stream's time base
    int64_t number;         // of the packet, as they came
    bool left_out;
} tub_order_entry;

typedef struct tub_packet_order {
    tub_order_entry entries[TUB_ORDER_MOST]; // of the packets on their way, the earliest last
    int count;
    int64_t sent, given; // packets so far; the last frame's time
    int64_t first;       // the first frame's time, once it is given
} tub_packet_order;

void tub_order_init(tub_packet_order *o);
// A packet that goes to the decoder next. False: it has no time, a time that another one has or that is already past, a
// time before that of a packet that was left out (which then stood elsewhere than was believed), or too many are on
// their way. NULL for *entry: an edit list leaves the packet out of the order.
bool tub_order_packet(tub_packet_order *o, const AVPacket *packet, tub_order_entry **entry);
// Where the packet that came last stands in the order of display, as long as nothing comes that is shown earlier. False:
// nothing that is shown after it went to the decoder, so that it may be the last of the video.
typedef struct tub_order_place {
    int64_t index, first, time; // of the frame; times of the first frame and of this one
    int64_t next_most;          // the frame after it is shown then or earlier
} tub_order_place;
bool tub_order_place_of(const tub_packet_order *o, const tub_order_entry *entry, tub_order_place *out);
// The earliest packet, where it was left out and is shown before the frame that came out. False: it isn't so.
bool tub_order_left_out(tub_packet_order *o, const AVFrame *frame, tub_order_entry *out);
// A frame that came out, and the number of its packet. False: it isn't that of the earliest packet.
bool tub_order_frame(tub_packet_order *o, const AVFrame *frame, int64_t *number);
// Whether the frames of all packets before this one have come out: only they can have been referred to.
bool tub_order_is_settled(const tub_packet_order *o, int64_t number);

#endif
