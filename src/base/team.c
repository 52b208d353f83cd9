#include "team.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <time.h>

#include "fail.h"
#include "memory.h"

// How often a worker checks the generation counter before it goes to sleep. In a forward pass, loops follow each other
// closely.
enum { SPINS = 2000 };

typedef struct member {
    tub_team *team;
    int number;
    pthread_t thread;
} member;

struct tub_team {
    int threads;
    member *members; // threads - 1: numbers 1, 2, ..
    int started;
    pthread_mutex_t lock;
    pthread_cond_t wake, done;
    atomic_ulong generation; // of the loop; written under the lock
    bool open;               // workers may still enter the loop
    bool closing;
    int inside; // workers in the loop
    // The loop.
    atomic_long next;
    int units;
    tub_team_unit unit;
    void *context;
};

static void pause_briefly(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#endif
}

static void work(tub_team *t, int number)
{
    for (;;) {
        long unit = atomic_fetch_add_explicit(&t->next, 1, memory_order_relaxed);
        if (unit >= t->units)
            return;
        t->unit(t->context, (int)unit, number);
    }
}

static void *member_main(void *argument)
{
    member *m = argument;
    tub_team *t = m->team;
    unsigned long seen = 0;
    for (;;) {
        for (int i = 0; i < SPINS && atomic_load_explicit(&t->generation, memory_order_relaxed) == seen; i++)
            pause_briefly();
        pthread_mutex_lock(&t->lock);
        while (!t->closing && (!t->open || t->generation == seen))
            pthread_cond_wait(&t->wake, &t->lock);
        if (t->closing)
            break;
        seen = t->generation;
        t->inside++;
        pthread_mutex_unlock(&t->lock);
        work(t, m->number);
        pthread_mutex_lock(&t->lock);
        if (--t->inside == 0)
            pthread_cond_signal(&t->done);
        pthread_mutex_unlock(&t->lock);
    }
    pthread_mutex_unlock(&t->lock);
    return NULL;
}

// Workers block all signals, which are for the program's own threads.
static bool start(member *m)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    bool started = pthread_create(&m->thread, NULL, member_main, m) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return started;
}

tub_status tub_team_open(int threads, tub_team **out, tub_error *err)
{
    *out = NULL;
    if (threads < 1)
        return tub_fail(err, TUB_ERROR_ARGUMENT, "a team of %d threads: at least 1 is needed", threads);
    tub_team *t = tub_calloc(1, sizeof *t);
    member *members = tub_calloc((size_t)threads, sizeof *members);
    if (!t || !members) {
        tub_free(members);
        tub_free(t);
        return tub_fail_memory(err, "a team of threads");
    }
    t->threads = threads;
    t->members = members;
    pthread_mutex_init(&t->lock, NULL);
    pthread_cond_init(&t->wake, NULL);
    pthread_cond_init(&t->done, NULL);
    for (int i = 0; i < threads - 1; i++) {
        members[i] = (member){.team = t, .number = i + 1};
        if (!start(&members[i])) {
            tub_team_close(&t);
            return tub_fail(err, TUB_ERROR_MEMORY, "can't start thread %d of %d: ask for fewer threads", i + 2,
                            threads);
        }
        t->started++;
    }
    *out = t;
    return TUB_OK;
}

void tub_team_close(tub_team **team)
{
    if (!team || !*team)
        return;
    tub_team *t = *team;
    pthread_mutex_lock(&t->lock);
    t->closing = true;
    atomic_fetch_add(&t->generation, 1);
    pthread_cond_broadcast(&t->wake);
    pthread_mutex_unlock(&t->lock);
    for (int i = 0; i < t->started; i++)
        pthread_join(t->members[i].thread, NULL);
    pthread_cond_destroy(&t->done);
    pthread_cond_destroy(&t->wake);
    pthread_mutex_destroy(&t->lock);
    tub_free(t->members);
    tub_free(t);
    *team = NULL;
}

double tub_team_cpu(const tub_team *team)
{
    double seconds = 0;
    for (int i = 0; i < team->started; i++) {
        clockid_t clock;
        struct timespec t;
        if (pthread_getcpuclockid(team->members[i].thread, &clock) == 0 && clock_gettime(clock, &t) == 0)
            seconds += (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
    }
    return seconds;
}

int tub_team_size(const tub_team *team)
{
    return team->threads;
}

void tub_team_run(tub_team *t, int units, tub_team_unit unit, void *context)
{
    if (t->threads == 1 || units <= 1) {
        for (int i = 0; i < units; i++)
            unit(context, i, 0);
        return;
    }
    pthread_mutex_lock(&t->lock);
    t->units = units;
    t->unit = unit;
    t->context = context;
    atomic_store(&t->next, 0);
    t->open = true;
    atomic_fetch_add(&t->generation, 1);
    pthread_cond_broadcast(&t->wake);
    pthread_mutex_unlock(&t->lock);

    work(t, 0);

    // Don't wait for workers that haven't woken up yet: there is nothing left for them.
    pthread_mutex_lock(&t->lock);
    t->open = false;
    while (t->inside)
        pthread_cond_wait(&t->done, &t->lock);
    pthread_mutex_unlock(&t->lock);
}
