#include "log_turns.h"

#include <stddef.h>

static void write_in_turn(void *user, int level, const char *text)
{
    tub_log_turns *t = user;
    pthread_mutex_lock(&t->lock);
    t->log.write(t->log.user, level, text);
    pthread_mutex_unlock(&t->lock);
}

tub_log tub_log_turns_open(tub_log_turns *t, const tub_log *log)
{
    pthread_mutex_init(&t->lock, NULL);
    t->log = *log;
    return log->write ? (tub_log){.write = write_in_turn, .user = t} : (tub_log){0};
}

void tub_log_turns_close(tub_log_turns *t)
{
    pthread_mutex_destroy(&t->lock);
}
