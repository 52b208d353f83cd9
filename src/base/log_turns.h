// A log that several threads write to: one call at a time, as status.h says.
#ifndef TUB_LOG_TURNS_H
#define TUB_LOG_TURNS_H

#include <pthread.h>
#include <tubelet/status.h>

typedef struct tub_log_turns {
    pthread_mutex_t lock;
    tub_log log;
} tub_log_turns;

// What is to be handed to the threads, until the close; silence stays silence. No lock that a caller's thread may want is
// to be held while it is written to: the function is the caller's, and may have locks of its own.
tub_log tub_log_turns_open(tub_log_turns *turns, const tub_log *log);
void tub_log_turns_close(tub_log_turns *turns);

#endif
