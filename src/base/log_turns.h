// A log that several threads write to: one call at a time, as status.h says.
#ifndef TUB_LOG_TURNS_H
#define TUB_LOG_TURNS_H

#include <pthread.h>
#include <tubelet/status.h>

typedef struct tub_log_turns {
    pthread_mutex_t lock;
    tub_log log;
} tub_log_turns;

// The log to give to the threads, until the close; without a function it stays silent. While writing to it, don't hold
// a lock that a thread of the caller's may want: the function is the caller's, and may take locks of its own.
tub_log tub_log_turns_open(tub_log_turns *turns, const tub_log *log);
void tub_log_turns_close(tub_log_turns *turns);

#endif
