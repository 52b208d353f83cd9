// How decoding and the encoder share the cores during a run.
//
// There are enough workers to feed even a device that does nothing but wait. Of these, only as many work at once as the
// device needs: each further one takes a core from the encoder's threads, all of which wait for the slowest at the end
// of every operation. The device reports how long it waited and worked. If it waits, one more worker may work; if it
// hardly waits, one fewer. A worker that waits for a slot or for room in the line isn't counted.
//
// Neither what is decoded nor the rows depend on this, only who decodes when.
//
// Thread-safety: all calls, from any thread. Its lock is a leaf.
#ifndef TUB_CORE_SHARE_H
#define TUB_CORE_SHARE_H

#include <stdbool.h>
#include <tubelet/status.h>

typedef struct tub_core_share tub_core_share;

// At most `workers` work at once, at first all of them. `adapt`: fewer if that is enough.
tub_status tub_core_share_open(int workers, bool adapt, tub_core_share **out, tub_error *err);
void tub_core_share_close(tub_core_share **share);      // accepts NULL

// A worker begins to work (this blocks while enough others do), or stops for a while. After stop() nothing blocks.
void tub_core_share_enter(tub_core_share *share);
void tub_core_share_leave(tub_core_share *share);
void tub_core_share_stop(tub_core_share *share);

// A device waited, then worked, for this many seconds. True: this changed how many may work at once. *part: the share
// of its time that the device waited.
bool tub_core_share_note(tub_core_share *share, double waited, double worked, double *part);

// How many may work at once now.
int tub_core_share_allowed(tub_core_share *share);

#endif
