#include "relay.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <time.h>

#include "fail.h"
#include "memory.h"

struct tub_relay {
    tub_extractor *x;
    tub_relay_next next;
    void *user;
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    // Under the mutex
    bool offered; // `result` is the caller's until given back
    bool ended;   // `status` and `error` say how
    bool closing;
    tub_status status;
    tub_error error;
    tub_result result; // written by the thread while not offered
};

// Submits as many jobs as are accepted. TUB_AGAIN: no more are accepted now; TUB_END: there are no more jobs.
static tub_status feed(tub_relay *r, tub_job *job, bool *have, tub_error *err)
{
    for (;;) {
        if (!*have && !r->next(r->user, job))
            return TUB_END;
        *have = true;
        tub_status status = tub_extractor_submit(r->x, job, err);
        if (status != TUB_OK)
            return status;
        *have = false;
    }
}

// Waits until the caller is done with the result. False: the caller closes.
static bool offer(tub_relay *r)
{
    pthread_mutex_lock(&r->mutex);
    r->offered = !r->closing;
    pthread_cond_broadcast(&r->changed);
    while (r->offered && !r->closing)
        pthread_cond_wait(&r->changed, &r->mutex);
    bool going = !r->closing;
    r->offered = false;
    pthread_mutex_unlock(&r->mutex);
    return going;
}

static tub_status work(tub_relay *r, tub_error *err)
{
    tub_job job;
    bool have = false, fed = false;
    for (;;) {
        if (!fed) {
            tub_status status = feed(r, &job, &have, err);
            fed = status == TUB_END;
            if (fed)
                tub_extractor_finish(r->x);
            else if (status != TUB_AGAIN)
                return status;
        }
        tub_status status = tub_extractor_receive(r->x, &r->result, err);
        if (status == TUB_AGAIN)
            continue;
        if (status != TUB_OK)
            return status;
        bool going = offer(r);
        tub_result_release(r->x, &r->result);
        if (!going)
            return tub_fail(err, TUB_ERROR_CANCELLED, "cancelled");
    }
}

static void *run(void *context)
{
    tub_relay *r = context;
    tub_error error = {0};
    tub_status status = work(r, &error);
    pthread_mutex_lock(&r->mutex);
    r->status = status;
    r->error = error;
    r->ended = true;
    pthread_cond_broadcast(&r->changed);
    pthread_mutex_unlock(&r->mutex);
    return NULL;
}

// Our thread blocks all signals, which are for the program's own threads.
static bool start(tub_relay *r)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    bool started = pthread_create(&r->thread, NULL, run, r) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return started;
}

tub_status tub_relay_open(tub_extractor *x, tub_relay_next next, void *user, tub_relay **out, tub_error *err)
{
    *out = NULL;
    tub_relay *r = tub_calloc(1, sizeof *r);
    if (!r)
        return tub_fail_memory(err, "a run");
    r->x = x;
    r->next = next;
    r->user = user;
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_mutex_init(&r->mutex, NULL);
    pthread_cond_init(&r->changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
    if (start(r)) {
        *out = r;
        return TUB_OK;
    }
    pthread_cond_destroy(&r->changed);
    pthread_mutex_destroy(&r->mutex);
    tub_free(r);
    return tub_fail(err, TUB_ERROR_MEMORY, "a thread can't be started");
}

static struct timespec after(double seconds)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    long long nanoseconds = t.tv_nsec + (long long)(seconds * 1e9);
    t.tv_sec += nanoseconds / 1000000000;
    t.tv_nsec = nanoseconds % 1000000000;
    return t;
}

tub_status tub_relay_take(tub_relay *r, double seconds, const tub_result **out, tub_error *err)
{
    struct timespec limit = after(seconds);
    *out = NULL;
    pthread_mutex_lock(&r->mutex);
    int waited = 0;
    while (!r->offered && !r->ended && waited != ETIMEDOUT)
        waited = pthread_cond_timedwait(&r->changed, &r->mutex, &limit);
    tub_status status = TUB_AGAIN;
    if (r->offered) {
        *out = &r->result;
        status = TUB_OK;
    } else if (r->ended) {
        status = r->status;
        if (err && status < 0)
            *err = r->error;
    }
    pthread_mutex_unlock(&r->mutex);
    return status;
}

void tub_relay_give_back(tub_relay *r)
{
    pthread_mutex_lock(&r->mutex);
    r->offered = false;
    pthread_cond_broadcast(&r->changed);
    pthread_mutex_unlock(&r->mutex);
}

void tub_relay_close(tub_relay **relay)
{
    if (!relay || !*relay)
        return;
    tub_relay *r = *relay;
    pthread_mutex_lock(&r->mutex);
    bool ended = r->ended;
    r->closing = true;
    pthread_cond_broadcast(&r->changed);
    pthread_mutex_unlock(&r->mutex);
    if (!ended)
        tub_extractor_cancel(r->x);
    pthread_join(r->thread, NULL);
    pthread_cond_destroy(&r->changed);
    pthread_mutex_destroy(&r->mutex);
    tub_free(r);
    *relay = NULL;
}
