// Decodes in a thread of its own, a few frames ahead of the one that takes them, so that decoding and what is done with
// frames overlap.
//
// Thread-safety: one thread at a time per object.
#ifndef TUB_DECODE_AHEAD_H
#define TUB_DECODE_AHEAD_H

#include "decoding.h"

typedef struct tub_ahead tub_ahead;

// `decoding` has several threads, and is this one's until the close. NULL: there is no memory or no thread for it, and
// nothing has changed.
tub_ahead *tub_ahead_open(tub_decoding *decoding);
// As of tub_decoding_next(), with the damage as it was known then and the seconds that it took. What ended the decoding
// (TUB_AGAIN too) is said again by later calls.
tub_status tub_ahead_next(tub_ahead *ahead, AVFrame *out, tub_video_damage *damage, double *seconds, tub_error *err);
void tub_ahead_close(tub_ahead **ahead); // accepts NULL

#endif
