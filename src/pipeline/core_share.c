#include "core_share.h"

#include <pthread.h>

#include "fail.h"
#include "memory.h"

// Seconds between looks at the device; the share of waiting above which one more worker may work, and that below which
// one fewer; and for how many looks a worker that was missed is kept.
static const double look_seconds = 0.25, hungry = 0.05, fed = 0.01;
enum { KEPT_LOOKS = 16 };

struct tub_core_share {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int workers, allowed, working;
    bool adapt, stopped;
    double waited, worked; // since the last look
    int kept;              // looks before a worker may be taken away
};

tub_status tub_core_share_open(int workers, bool adapt, tub_core_share **out, tub_error *err)
{
    tub_core_share *s = tub_calloc(1, sizeof *s);
    *out = s;
    if (!s)
        return tub_fail_memory(err, "the share of cores");
    pthread_mutex_init(&s->lock, NULL);
    pthread_cond_init(&s->changed, NULL);
    s->workers = s->allowed = workers;
    s->adapt = adapt;
    return TUB_OK;
}

void tub_core_share_close(tub_core_share **share)
{
    if (!share || !*share)
        return;
    pthread_cond_destroy(&(*share)->changed);
    pthread_mutex_destroy(&(*share)->lock);
    tub_free(*share);
    *share = NULL;
}

void tub_core_share_enter(tub_core_share *s)
{
    pthread_mutex_lock(&s->lock);
    while (!s->stopped && s->working >= s->allowed)
        pthread_cond_wait(&s->changed, &s->lock);
    s->working++;
    pthread_mutex_unlock(&s->lock);
}

void tub_core_share_leave(tub_core_share *s)
{
    pthread_mutex_lock(&s->lock);
    s->working--;
    pthread_cond_signal(&s->changed);
    pthread_mutex_unlock(&s->lock);
}

void tub_core_share_stop(tub_core_share *s)
{
    pthread_mutex_lock(&s->lock);
    s->stopped = true;
    pthread_cond_broadcast(&s->changed);
    pthread_mutex_unlock(&s->lock);
}

// `share`: the part of its time that the device waited. If decoding is far too slow, all workers may work at once.
static int choose(tub_core_share *s, double share)
{
    if (share > hungry) {
        s->kept = KEPT_LOOKS;
        return share > 4 * hungry || s->allowed == s->workers ? s->workers : s->allowed + 1;
    }
    if (s->kept > 0)
        s->kept--;
    return share < fed && s->kept == 0 && s->allowed > 1 ? s->allowed - 1 : s->allowed;
}

bool tub_core_share_note(tub_core_share *s, double waited, double worked, double *part)
{
    pthread_mutex_lock(&s->lock);
    const int before = s->allowed;
    s->waited += waited;
    s->worked += worked;
    double total = s->waited + s->worked;
    if (s->adapt && total >= look_seconds) {
        *part = s->waited / total;
        s->allowed = choose(s, *part);
        s->waited = s->worked = 0;
        pthread_cond_broadcast(&s->changed);
    }
    const bool changed = s->allowed != before;
    pthread_mutex_unlock(&s->lock);
    return changed;
}

int tub_core_share_allowed(tub_core_share *s)
{
    pthread_mutex_lock(&s->lock);
    int allowed = s->allowed;
    pthread_mutex_unlock(&s->lock);
    return allowed;
}
