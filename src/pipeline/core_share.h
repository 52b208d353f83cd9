// How cores are shared between decoding and the encoder, as the run goes.
//
// There are as many workers as could keep a device fed that does nothing but wait. Of them only so many work at once as
// keep it fed: each that is too many takes a core from the encoder's threads, all of which wait for the slowest at the
// end of every operation. The device tells how long it waited and worked; where it waits, one more worker may work,
// and where it hardly does, one fewer. A worker that waits for a slot or for room in the line isn't counted.
//
// What is decoded doesn't depend on it, nor do rows: only who decodes when.
//
// Thread-safety: all calls, from any thread. Its lock is a leaf.
#ifndef TUB_CORE_SHARE_H
#define TUB_CORE_SHARE_H

#include <stdbool.h>
#include <tubelet/status.h>

typedef struct tub_core_share tub_core_share;

// `workers` at most work at once, all of them at first; `adapt`: fewer where that is enough.
tub_status tub_core_share_open(int workers, bool adapt, tub_core_share **out, tub_error *err);
void tub_core_share_close(tub_core_share **share);      // accepts NULL

// A worker begins to work, blocking while enough others do; and stops for a while. After stop() nothing blocks.
void tub_core_share_enter(tub_core_share *share);
void tub_core_share_leave(tub_core_share *share);
void tub_core_share_stop(tub_core_share *share);

// A device waited, then worked, for so many seconds. True: that changed how many may work at once, and *part of the
// device's time was spent waiting.
bool tub_core_share_note(tub_core_share *share, double waited, double worked, double *part);

// How many may work at once now.
int tub_core_share_allowed(tub_core_share *share);

#endif
