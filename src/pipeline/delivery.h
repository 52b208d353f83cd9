// From encoded loads to results: rows to their videos in the order of the line, whoever encoded them.
//
// Device threads put down what they encoded, in any order; who finds that it is a load's turn delivers it and all
// behind it that are there, while the others encode on. A load waits here without slots; how many can is what the
// batcher may have out. When nobody takes results any more, put() says so.
//
// Thread-safety: put() from any thread. Lock order: its lock before the batcher's; neither is held while results are
// sent.
#ifndef TUB_DELIVERY_H
#define TUB_DELIVERY_H

#include "extractor_impl.h"

typedef struct tub_encoded {
    tub_load load;
    float *rows;            // [items, dim], the delivery's from put() on; NULL of a load without items, or that failed
    double seconds;
    tub_status status;      // TUB_OK, or why its videos can't be had
    tub_error error;
} tub_encoded;

typedef struct tub_delivery tub_delivery;

// `loads`: that may be out at once. *out may be half-built after an error, and is to be closed.
tub_status tub_delivery_open(tub_extractor *x, int loads, tub_delivery **out, tub_error *err);
void tub_delivery_close(tub_delivery **delivery);       // accepts NULL

// `lane`: the calling thread's, of the trace. False: nobody takes results any more.
bool tub_delivery_put(tub_delivery *d, const tub_encoded *encoded, tub_lane *lane);

#endif
