// Decodes in a thread of its own, a few frames ahead of the thread that takes them, so that decoding overlaps with what
// is done with the frames.
//
// Thread-safety: one thread at a time per object.
#ifndef TUB_DECODE_AHEAD_H
#define TUB_DECODE_AHEAD_H

#include "decoding.h"

typedef struct tub_ahead tub_ahead;

// `decoding` has several threads, and belongs to the new object until the close. NULL: there is no memory or no thread
// for it, and nothing has changed.
tub_ahead *tub_ahead_open(tub_decoding *decoding);
// As tub_decoding_next(), with the damage known at that frame and the seconds that decoding it took. The status that
// ended the decoding (TUB_AGAIN too) is returned again by later calls.
tub_status tub_ahead_next(tub_ahead *ahead, AVFrame *out, tub_video_damage *damage, double *seconds, tub_error *err);
void tub_ahead_close(tub_ahead **ahead); // accepts NULL

#endif
