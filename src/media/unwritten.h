// Finds the parts of a frame that a decoder left out without a word, as those of H.264 and HEVC do where damage ends a
// slice early: buffers are marked before they are written to, and a mark that is still there tells.
#ifndef TUB_UNWRITTEN_H
#define TUB_UNWRITTEN_H

#include <libavcodec/avcodec.h>
#include <stdbool.h>

// To be called before the decoder is opened. Concealment is switched off, as it would cover the marks.
void tub_unwritten_watch(AVCodecContext *decoder);
// False: some block of 16 x 16 pixels was not decoded, or it can't be told.
bool tub_unwritten_is_none(const AVCodecContext *decoder, const AVFrame *frame);

#endif
