// Feeds an extractor and hands over its results one by one. The caller can wait for the next result with a time limit
// (for ticks, and to notice that it shall stop), which tub_extractor_receive() doesn't offer.
//
// One thread submits, receives and releases; the caller looks at one result at a time. Nothing is queued here: the
// extractor's own limits hold.
#ifndef TUB_RELAY_H
#define TUB_RELAY_H

#include <tubelet/extractor.h>

typedef struct tub_relay tub_relay;

// Asked for the next job, in the relay's thread. False: no more.
typedef bool (*tub_relay_next)(void *user, tub_job *out);

// The extractor is borrowed; nobody else submits or receives.
tub_status tub_relay_open(tub_extractor *x, tub_relay_next next, void *user, tub_relay **out, tub_error *err);

// The next result, which the caller gives back. TUB_AGAIN: none within `seconds`. TUB_END; or the extractor's error.
tub_status tub_relay_take(tub_relay *relay, double seconds, const tub_result **out, tub_error *err);
void tub_relay_give_back(tub_relay *relay);

// Cancels the extractor if it isn't done, and waits for the thread. Accepts NULL and a pointer to NULL.
void tub_relay_close(tub_relay **relay);

#endif
