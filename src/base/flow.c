#include "flow.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>

// How often a thread without a unit checks for a change before it goes to sleep.
enum { SPINS = 2000 };

// A ticket has the stage in its upper half, and the number of the stage's untaken units in the lower half. A stage
// never comes back, so a thread that manages to change a ticket has seen the current one.
typedef struct chain {
    _Alignas(64) _Atomic uint64_t ticket;
    atomic_int left; // units of the stage that aren't done
} chain;

typedef struct state {
    const tub_flow *flow;
    chain chains[TUB_FLOW_CHAINS];
    atomic_int open; // chains that haven't ended
    atomic_bool over;
    atomic_uint changes;
    atomic_int sleepers;
    pthread_mutex_t lock;
    pthread_cond_t changed;
} state;

typedef struct claim {
    int chain, stage, unit;
} claim;

static uint64_t ticket_of(int stage, int units)
{
    return (uint64_t)(uint32_t)stage << 32 | (uint32_t)units;
}

static int stage_of(uint64_t ticket)
{
    return (int)(ticket >> 32);
}

static int free_of(uint64_t ticket)
{
    return (int)(uint32_t)ticket;
}

static void tell(state *s)
{
    atomic_fetch_add(&s->changes, 1);
    if (atomic_load(&s->sleepers) == 0)
        return;
    pthread_mutex_lock(&s->lock);
    pthread_cond_broadcast(&s->changed);
    pthread_mutex_unlock(&s->lock);
}

static void end(state *s)
{
    atomic_store(&s->over, true);
    tell(s);
}

// Begins the chain's next stage that has units, from `stage` on.
static void begin_stage(state *s, int number, int stage)
{
    chain *c = &s->chains[number];
    int units;
    while ((units = s->flow->units(s->flow->context, number, stage)) == 0)
        stage++;
    if (units < 0) {
        if (atomic_fetch_sub(&s->open, 1) == 1)
            end(s);
        return;
    }
    atomic_store_explicit(&c->left, units, memory_order_relaxed);
    atomic_store_explicit(&c->ticket, ticket_of(stage, units), memory_order_release);
}

// Takes a unit of the chain that is furthest behind. False: there is none at the moment.
static bool take(state *s, claim *out)
{
    for (;;) {
        int best = -1;
        uint64_t ticket = 0;
        for (int i = 0; i < s->flow->chains; i++) {
            const uint64_t t = atomic_load_explicit(&s->chains[i].ticket, memory_order_acquire);
            if (free_of(t) && (best < 0 || stage_of(t) < stage_of(ticket))) {
                best = i;
                ticket = t;
            }
        }
        if (best < 0)
            return false;
        if (!atomic_compare_exchange_weak_explicit(&s->chains[best].ticket, &ticket, ticket - 1, memory_order_acquire,
                                                   memory_order_relaxed))
            continue;
        const int units = s->flow->units(s->flow->context, best, stage_of(ticket));
        *out = (claim){.chain = best, .stage = stage_of(ticket), .unit = units - free_of(ticket)};
        return true;
    }
}

static void do_unit(state *s, const claim *u, int member)
{
    if (!s->flow->unit(s->flow->context, u->chain, u->stage, u->unit, member)) {
        end(s);
        return;
    }
    if (atomic_fetch_sub_explicit(&s->chains[u->chain].left, 1, memory_order_acq_rel) > 1)
        return;
    begin_stage(s, u->chain, u->stage + 1);
    tell(s);
}

static void pause_briefly(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#endif
}

// Waits until something has changed since `seen`. It spins a little first, as stages are short. Then it sleeps, so that
// the thread with the awaited unit gets the processor.
static void wait_for_change(state *s, unsigned seen)
{
    for (int i = 0; i < SPINS; i++) {
        if (atomic_load_explicit(&s->changes, memory_order_relaxed) != seen)
            return;
        pause_briefly();
    }
    pthread_mutex_lock(&s->lock);
    atomic_fetch_add(&s->sleepers, 1);
    while (atomic_load(&s->changes) == seen)
        pthread_cond_wait(&s->changed, &s->lock);
    atomic_fetch_sub(&s->sleepers, 1);
    pthread_mutex_unlock(&s->lock);
}

static void take_part(void *context, int unit, int member)
{
    (void)unit;
    state *s = context;
    claim u;
    for (;;) {
        const unsigned seen = atomic_load(&s->changes);
        if (atomic_load_explicit(&s->over, memory_order_acquire))
            return;
        if (take(s, &u))
            do_unit(s, &u, member);
        else
            wait_for_change(s, seen);
    }
}

void tub_flow_run(tub_team *team, const tub_flow *flow)
{
    state s = {
        .flow = flow, .open = flow->chains, .lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};
    for (int i = 0; i < flow->chains; i++)
        begin_stage(&s, i, 0);
    tub_team_run(team, tub_team_size(team), take_part, &s);
    pthread_cond_destroy(&s.changed);
    pthread_mutex_destroy(&s.lock);
}
