// Feeds an extractor and hands over its results one by one, so that the caller can wait for the next with a time limit
// (for ticks and for being stopped) while tub_extractor_receive() blocks.
//
// One thread submits, receives and releases; the caller looks at one result at a time. Nothing is queued here: the
// extractor's own bounds hold.
#ifndef TUB_RELAY_H
#define TUB_RELAY_H

#include <tubelet/extractor.h>

typedef struct tub_relay tub_relay;

// The next job, in the relay's thread; false: no more.
typedef bool (*tub_relay_next)(void *user, tub_job *out);

// The extractor is borrowed; nobody else submits or receives.
tub_status tub_relay_open(tub_extractor *x, tub_relay_next next, void *user, tub_relay **out, tub_error *err);

// The next result, to be given back; TUB_AGAIN: none within `seconds`; TUB_END; or the extractor's error.
tub_status tub_relay_take(tub_relay *relay, double seconds, const tub_result **out, tub_error *err);
void tub_relay_give_back(tub_relay *relay);

// Cancels the extractor if it isn't through, and waits for the thread. Accepts NULL and a pointer to NULL.
void tub_relay_close(tub_relay **relay);

#endif
