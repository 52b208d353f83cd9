#include "packet_order.h"

#include <string.h>

void tub_order_init(tub_packet_order *o)
{
    *o = (tub_packet_order){.given = INT64_MIN};
}

bool tub_order_packet(tub_packet_order *o, const AVPacket *packet)
{
    int at = o->count;
    if (packet->flags & AV_PKT_FLAG_DISCARD) // an edit list leaves it out: it comes to no frame
        return true;
    if (packet->pts == AV_NOPTS_VALUE || packet->pts <= o->given || o->count == TUB_ORDER_MOST)
        return false;
    while (at > 0 && o->times[at - 1] < packet->pts)
        at--;
    if (at > 0 && o->times[at - 1] == packet->pts)
        return false;
    memmove(o->times + at + 1, o->times + at, (size_t)(o->count - at) * sizeof *o->times);
    memmove(o->numbers + at + 1, o->numbers + at, (size_t)(o->count - at) * sizeof *o->numbers);
    o->times[at] = packet->pts;
    o->numbers[at] = o->sent++;
    o->count++;
    return true;
}

bool tub_order_frame(tub_packet_order *o, const AVFrame *frame, int64_t *number)
{
    if (!o->count || frame->pts != o->times[o->count - 1])
        return false;
    o->given = o->times[--o->count];
    *number = o->numbers[o->count];
    return true;
}

bool tub_order_is_settled(const tub_packet_order *o, int64_t number)
{
    for (int i = 0; i < o->count; i++)
        if (o->numbers[i] < number)
            return false;
    return true;
}
