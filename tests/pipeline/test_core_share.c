// How many decode workers work at once: it follows what the device waits for, and never deadlocks.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

#include "core_share.h"
#include "fake_run.h"

static tub_core_share *open_share(int workers, bool adapt)
{
    tub_core_share *share = NULL;
    assert_int_equal(tub_core_share_open(workers, adapt, &share, NULL), TUB_OK);
    assert_int_equal(tub_core_share_allowed(share), workers);
    return share;
}

// How often these notes changed something.
static int note(tub_core_share *share, double waited, double worked, int times)
{
    int changes = 0;
    double part = -1;
    for (int i = 0; i < times; i++)
        if (tub_core_share_note(share, waited, worked, &part)) {
            assert_true(part >= 0 && part <= 1);
            changes++;
        }
    return changes;
}

static void test_follows_the_bottleneck(void **state)
{
    (void)state;
    tub_core_share *share = open_share(4, true);
    assert_int_equal(note(share, 0.1, 0.01, 2), 0); // too little to be looked at
    assert_int_equal(tub_core_share_allowed(share), 4);
    // The device never waits: fewer and fewer workers, down to one.
    note(share, 0, 0.3, 100);
    assert_int_equal(tub_core_share_allowed(share), 1);
    // It waits a little: one worker more, which stays for a while.
    note(share, 0.03, 0.27, 1);
    assert_int_equal(tub_core_share_allowed(share), 2);
    note(share, 0, 0.3, 15);
    assert_int_equal(tub_core_share_allowed(share), 2);
    note(share, 0, 0.3, 2);
    assert_int_equal(tub_core_share_allowed(share), 1);
    // In between nothing changes. If the device waits much of the time, all workers work.
    note(share, 0.008, 0.292, 10);
    assert_int_equal(tub_core_share_allowed(share), 1);
    assert_int_equal(note(share, 0.2, 0.1, 1), 1);
    assert_int_equal(tub_core_share_allowed(share), 4);
    tub_core_share_close(&share);
    tub_core_share_close(&share);
}

static void test_fixed(void **state)
{
    (void)state;
    tub_core_share *share = open_share(3, false);
    assert_int_equal(note(share, 0, 1, 50), 0);
    assert_int_equal(tub_core_share_allowed(share), 3);
    tub_core_share_close(&share);
}

typedef struct crew {
    tub_core_share *share;
    atomic_int working, most;
} crew;

static void *work(void *context)
{
    crew *c = context;
    for (int i = 0; i < 200; i++) {
        tub_core_share_enter(c->share);
        int now = atomic_fetch_add(&c->working, 1) + 1, most = atomic_load(&c->most);
        while (now > most && !atomic_compare_exchange_weak(&c->most, &most, now))
            ;
        usleep(20);
        atomic_fetch_sub(&c->working, 1);
        tub_core_share_leave(c->share);
    }
    return NULL;
}

static void test_at_most_so_many(void **state)
{
    (void)state;
    enum { WORKERS = 4 };
    pthread_t threads[WORKERS];
    crew c = {.share = open_share(WORKERS, true)};
    note(c.share, 0, 0.3, 100);
    for (int i = 0; i < WORKERS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, work, &c), 0);
    for (int i = 0; i < WORKERS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(c.most, 1);
    tub_core_share_stop(c.share);
    tub_core_share_enter(c.share); // nothing blocks any more
    tub_core_share_enter(c.share);
    tub_core_share_close(&c.share);
}

// A slow device, many videos, an adapting number of workers: all rows come.
static void test_extraction_adapts(void **state)
{
    (void)state;
    enum { VIDEOS = 6 };
    static const char *const paths[VIDEOS] = {"fake:seed=1,frames=90", "fake:seed=2,frames=90",
                                              "fake:seed=3,frames=90", "fake:seed=4,frames=90",
                                              "fake:seed=5,frames=90", "fake:seed=6,frames=90"};
    fake_encoder *e = fake_encoder_create(&(fake_encoder_params){.delay = 20000});
    tub_extractor_params params = {.size = sizeof params};
    fake_outcome outcomes[VIDEOS] = {0};
    tub_progress progress = {0};
    params.sampling.clip_length = 4;
    assert_int_equal(fake_run_all(e, &params, paths, VIDEOS, outcomes, &progress, NULL), TUB_END);
    for (int i = 0; i < VIDEOS; i++)
        assert_int_equal(outcomes[i].result.status, TUB_OK);
    assert_in_range(progress.decode_active, 1, progress.decode_threads);
    fake_outcomes_free(outcomes, VIDEOS);
    tub_encoder *base = &e->base;
    tub_encoder_close(&base);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_follows_the_bottleneck),
        cmocka_unit_test(test_fixed),
        cmocka_unit_test(test_at_most_so_many),
        cmocka_unit_test(test_extraction_adapts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
