#include "packet_order.h"

#include <string.h>

void tub_order_init(tub_packet_order *o)
{
    *o = (tub_packet_order){.given = INT64_MIN};
}

bool tub_order_packet(tub_packet_order *o, const AVPacket *packet, tub_order_entry **entry)
{
    int at = o->count;
    *entry = NULL;
    if (packet->flags & AV_PKT_FLAG_DISCARD) // an edit list leaves it out: it gives no frame
        return true;
    if (packet->pts == AV_NOPTS_VALUE || packet->pts <= o->given || o->count == TUB_ORDER_MOST)
        return false;
    while (at > 0 && o->entries[at - 1].time < packet->pts)
        at--;
    if (at > 0 && o->entries[at - 1].time == packet->pts)
        return false;
    for (int i = 0; i < at; i++)
        if (o->entries[i].left_out)
            return false;
    memmove(o->entries + at + 1, o->entries + at, (size_t)(o->count - at) * sizeof *o->entries);
    o->entries[at] = (tub_order_entry){.time = packet->pts, .duration = packet->duration, .number = o->sent++};
    o->count++;
    *entry = &o->entries[at];
    return true;
}

bool tub_order_place_of(const tub_packet_order *o, const tub_order_entry *entry, tub_order_place *out)
{
    if (entry == o->entries)
        return false;
    *out = (tub_order_place){.index = o->sent - 1 - (entry - o->entries),
                             .first = o->given == INT64_MIN ? o->entries[o->count - 1].time : o->first,
                             .time = entry->time,
                             .next_most = entry[-1].time};
    return true;
}

static void pop(tub_packet_order *o)
{
    if (o->given == INT64_MIN)
        o->first = o->entries[o->count - 1].time;
    o->given = o->entries[--o->count].time;
}

bool tub_order_left_out(tub_packet_order *o, const AVFrame *frame, tub_order_entry *out)
{
    if (!o->count || !o->entries[o->count - 1].left_out || o->entries[o->count - 1].time >= frame->pts)
        return false;
    *out = o->entries[o->count - 1];
    pop(o);
    return true;
}

bool tub_order_frame(tub_packet_order *o, const AVFrame *frame, int64_t *number)
{
    if (!o->count || o->entries[o->count - 1].left_out || frame->pts != o->entries[o->count - 1].time)
        return false;
    *number = o->entries[o->count - 1].number;
    pop(o);
    return true;
}

bool tub_order_is_settled(const tub_packet_order *o, int64_t number)
{
    for (int i = 0; i < o->count; i++)
        if (o->entries[i].number < number && !o->entries[i].left_out)
            return false;
    return true;
}
