// Why the device waits: what the decode workers did meanwhile.
//
// Before the first batch it is the start. Later the wait is shared out by the seconds that the workers spent opening,
// decoding and converting during it; what no worker fills is a want of videos. Waits that are over before any worker
// has counted a frame are shared out like the others.
#ifndef TUB_IDLE_H
#define TUB_IDLE_H

#include "extractor_impl.h"

typedef struct tub_idle_mark {
    double start;
    int64_t open, decode, convert;
} tub_idle_mark;

// Around a wait of the device. end() counts it and returns its seconds.
void tub_idle_begin(tub_counters *c, tub_idle_mark *mark);
double tub_idle_end(tub_counters *c, const tub_idle_mark *mark);

// Fills in the idle_..._seconds, so that they add up to device_wait_seconds.
void tub_idle_explain(tub_counters *c, tub_progress *out);

#endif
