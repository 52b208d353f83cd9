// Chains of stages: every unit runs once, stages follow each other, chains don't wait for each other, and the end.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "flow.h"

enum { STAGES = 12, UNITS = 9 };

typedef struct job {
    int chains;
    atomic_int done[TUB_FLOW_CHAINS][STAGES];
    atomic_int runs[TUB_FLOW_CHAINS][STAGES][UNITS];
    atomic_int mistakes, units;
    int stop_after; // units; 0: never
} job;

// Some stages are empty, and chains have different lengths.
static int units_of(void *context, int chain, int stage)
{
    (void)context;
    return stage >= STAGES - chain % 3 ? -1 : (chain + stage * 5) % 4 == 1 ? 0 : 1 + (chain * 7 + stage) % UNITS;
}

static bool count_unit(void *context, int chain, int stage, int unit, int member)
{
    (void)member;
    job *j = context;
    if (unit < 0 || unit >= units_of(j, chain, stage))
        atomic_fetch_add(&j->mistakes, 1);
    for (int before = 0; before < stage; before++)
        if (atomic_load(&j->done[chain][before]) != units_of(j, chain, before))
            atomic_fetch_add(&j->mistakes, 1);
    atomic_fetch_add(&j->runs[chain][stage][unit], 1);
    atomic_fetch_add(&j->done[chain][stage], 1);
    return atomic_fetch_add(&j->units, 1) + 1 != j->stop_after;
}

static void run(job *j, int threads, int chains, int stop_after)
{
    tub_team *team = NULL;
    const tub_flow flow = {.chains = chains, .units = units_of, .unit = count_unit, .context = j};
    memset(j, 0, sizeof *j);
    j->chains = chains;
    j->stop_after = stop_after;
    assert_int_equal(tub_team_open(threads, &team, NULL), TUB_OK);
    tub_flow_run(team, &flow);
    tub_team_close(&team);
    assert_int_equal(atomic_load(&j->mistakes), 0);
}

static void test_each_unit_once_in_order(void **state)
{
    (void)state;
    static job j;
    static const int counts[] = {1, 2, 5, TUB_FLOW_CHAINS};
    for (int threads = 1; threads <= 8; threads *= 2)
        for (size_t i = 0; i < sizeof counts / sizeof *counts; i++)
            for (int round = 0; round < 20; round++) {
                run(&j, threads, counts[i], 0);
                for (int c = 0; c < counts[i]; c++)
                    for (int s = 0; s < STAGES; s++)
                        for (int u = 0; u < UNITS; u++)
                            assert_int_equal(atomic_load(&j.runs[c][s][u]), u < units_of(&j, c, s));
            }
}

static void test_ends_when_a_unit_says_so(void **state)
{
    (void)state;
    static job j;
    for (int threads = 1; threads <= 4; threads++)
        for (int after = 1; after < 40; after++) {
            run(&j, threads, 5, after);
            assert_in_range(atomic_load(&j.units), after, after + threads - 1);
        }
}

// A unit of the first chain isn't done until the second chain has ended.
typedef struct held {
    pthread_mutex_t lock;
    pthread_cond_t change;
    int ended;
} held;

static int held_units(void *context, int chain, int stage)
{
    (void)context;
    return stage >= (chain ? 50 : 1) ? -1 : 2;
}

static bool held_unit(void *context, int chain, int stage, int unit, int member)
{
    (void)member;
    held *h = context;
    pthread_mutex_lock(&h->lock);
    if (chain && stage == 49)
        h->ended++;
    pthread_cond_broadcast(&h->change);
    while (!chain && unit == 0 && h->ended < 2)
        pthread_cond_wait(&h->change, &h->lock);
    pthread_mutex_unlock(&h->lock);
    return true;
}

static void test_a_chain_that_is_held_up_holds_up_no_other(void **state)
{
    (void)state;
    tub_team *team = NULL;
    held h = {.lock = PTHREAD_MUTEX_INITIALIZER, .change = PTHREAD_COND_INITIALIZER};
    const tub_flow flow = {.chains = 2, .units = held_units, .unit = held_unit, .context = &h};
    assert_int_equal(tub_team_open(2, &team, NULL), TUB_OK);
    tub_flow_run(team, &flow);
    assert_int_equal(h.ended, 2);
    tub_team_close(&team);
    pthread_cond_destroy(&h.change);
    pthread_mutex_destroy(&h.lock);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_unit_once_in_order),
        cmocka_unit_test(test_ends_when_a_unit_says_so),
        cmocka_unit_test(test_a_chain_that_is_held_up_holds_up_no_other),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
