// From encoded loads to results: rows go to their videos in the order of the line, whichever device encoded them.
//
// Device threads put down what they encoded, in any order. The thread that finds that a load's turn has come delivers
// it and all loads behind it that are there, while the others go on encoding. A load that waits here has no slots. At
// most as many wait as the batcher may have out. When nobody takes results any more, put() says so.
//
// Thread-safety: put() from any thread. Lock order: the delivery's lock before the batcher's; neither is held while
// results are sent.
#ifndef TUB_DELIVERY_H
#define TUB_DELIVERY_H

#include "extractor_impl.h"

typedef struct tub_encoded {
    tub_load load;
    float *rows;            // [items, dim], the delivery's from put() on; NULL if the load has no items or failed
    double seconds;
    tub_status status;      // TUB_OK, or why its videos fail
    tub_error error;
} tub_encoded;

typedef struct tub_delivery tub_delivery;

// `loads`: how many may be out at once. *out may be half-built after an error, and must be closed.
tub_status tub_delivery_open(tub_extractor *x, int loads, tub_delivery **out, tub_error *err);
void tub_delivery_close(tub_delivery **delivery);       // accepts NULL

// `lane`: the calling thread's lane of the trace. False: nobody takes results any more.
bool tub_delivery_put(tub_delivery *d, const tub_encoded *encoded, tub_lane *lane);

#endif
