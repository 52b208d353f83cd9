// Why the device waits: what the decode workers did meanwhile.
//
// Before the first batch, the reason is the start. Later, a wait is divided according to the seconds that the workers
// spent opening, decoding and converting during it; the rest, when no worker was busy, is a lack of videos. Waits that
// end before any worker has counted a frame are divided like the others.
#ifndef TUB_IDLE_H
#define TUB_IDLE_H

#include "extractor_impl.h"

typedef struct tub_idle_mark {
    double start;
    int64_t open, decode, convert;
} tub_idle_mark;

// Called before and after a wait of the device. end() counts the wait and returns its seconds.
void tub_idle_begin(tub_counters *c, tub_idle_mark *mark);
double tub_idle_end(tub_counters *c, const tub_idle_mark *mark);

// Fills in the idle_..._seconds, so that they add up to device_wait_seconds.
void tub_idle_explain(tub_counters *c, tub_progress *out);

#endif
