// Finds the parts of a frame that a decoder silently left out, as those of H.264 and HEVC do if damage ends a slice
// early. Buffers are marked before they are written to: where a mark is still there, nothing was decoded.
#ifndef TUB_UNWRITTEN_H
#define TUB_UNWRITTEN_H

#include <libavcodec/avcodec.h>
#include <stdbool.h>

// Call this before the decoder is opened. It switches concealment off, which would cover the marks.
void tub_unwritten_watch(AVCodecContext *decoder);
// False: some block of 16 x 16 pixels was not decoded, or this can't be determined.
bool tub_unwritten_is_none(const AVCodecContext *decoder, const AVFrame *frame);

#endif
