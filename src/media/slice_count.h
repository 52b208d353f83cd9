// What a packet's slices tell before it is decoded.
#ifndef TUB_SLICE_COUNT_H
#define TUB_SLICE_COUNT_H

#include <libavcodec/avcodec.h>
#include <stdbool.h>

// H.264 and HEVC: whether the packet has just one slice; no for a packet of the simple kind that isn't parsed at all.
// The decoder silently drops a slice with a damaged header and makes up the picture around it. Other codecs: true.
bool tub_slices_are_whole(const AVCodecContext *decoder, const AVPacket *packet);

// Whether no other picture refers to this one, and only this picture is lost with the packet: H.264 slices that say so,
// HEVC slices that say so in a stream with one temporal layer. Other codecs: false (unknown).
bool tub_slices_are_unreferenced(const AVCodecContext *decoder, const AVPacket *packet);

#endif
