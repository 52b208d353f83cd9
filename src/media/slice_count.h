// Whether what a packet holds can only be lost as a whole.
#ifndef TUB_SLICE_COUNT_H
#define TUB_SLICE_COUNT_H

#include <libavcodec/avcodec.h>
#include <stdbool.h>

// H.264 and HEVC: whether the packet has just one slice, or is of the simple kind that isn't parsed at all (then no).
// A slice whose header is damaged is left out without a word, and the picture made up around it. Other codecs: true.
bool tub_slices_are_whole(const AVCodecContext *decoder, const AVPacket *packet);

#endif
