// What a packet's slices say before it is decoded.
#ifndef TUB_SLICE_COUNT_H
#define TUB_SLICE_COUNT_H

#include <libavcodec/avcodec.h>
#include <stdbool.h>

// H.264 and HEVC: whether the packet has just one slice, or is of the simple kind that isn't parsed at all (then no).
// A slice whose header is damaged is left out without a word, and the picture made up around it. Other codecs: true.
bool tub_slices_are_whole(const AVCodecContext *decoder, const AVPacket *packet);

// Whether no other picture refers to this one and nothing but it is lost with the packet: H.264 slices that say so,
// HEVC slices that say so in a stream of one temporal layer. Other codecs: false, it isn't known.
bool tub_slices_are_unreferenced(const AVCodecContext *decoder, const AVPacket *packet);

#endif
