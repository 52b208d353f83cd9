// The batcher: order, the rules for handing loads over, the bound.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <unistd.h>

#include "batcher.h"

// The batcher never looks into a reel.
static char reel_a, reel_b;
#define REEL(x) ((tub_reel *)(void *)&(x))

static tub_batcher *open_batcher(int batch, int ready, bool eager)
{
    tub_batcher *b = NULL;
    assert_int_equal(tub_batcher_open(batch, ready, 2, eager, &b, NULL), TUB_OK);
    return b;
}

static bool put(tub_batcher *b, char *reel, int64_t row, int slot)
{
    tub_entry entry = {.kind = TUB_ENTRY_CLIP, .reel = (tub_reel *)(void *)reel, .first = row, .count = 1};
    int slots[] = {slot, slot + 1};
    return tub_batcher_put(b, &entry, slots);
}

static bool put_at_home(tub_batcher *b, char *reel, int64_t row, int home)
{
    tub_entry entry = {
        .kind = TUB_ENTRY_CLIP, .reel = (tub_reel *)(void *)reel, .first = row, .count = 1, .home = home};
    int slots[] = {100 * home + (int)row, 100 * home + (int)row + 50};
    return tub_batcher_put(b, &entry, slots);
}

typedef struct taking {
    tub_batcher *batcher;
    tub_load load;
    bool taken, returned;
    pthread_mutex_t lock;
    pthread_t thread;
} taking;

static void *take(void *context)
{
    taking *t = context;
    tub_load load = {0};
    bool taken = tub_batcher_take(t->batcher, &load);
    pthread_mutex_lock(&t->lock);
    t->load = load;
    t->taken = taken;
    t->returned = true;
    pthread_mutex_unlock(&t->lock);
    return NULL;
}

static void start_taking(taking *t, tub_batcher *b)
{
    *t = (taking){.batcher = b};
    pthread_mutex_init(&t->lock, NULL);
    pthread_create(&t->thread, NULL, take, t);
}

static bool has_returned(taking *t)
{
    pthread_mutex_lock(&t->lock);
    bool returned = t->returned;
    pthread_mutex_unlock(&t->lock);
    return returned;
}

static void expect_waiting(taking *t)
{
    usleep(5000);
    assert_false(has_returned(t));
}

static void test_full_batches_in_order(void **state)
{
    (void)state;
    tub_batcher *b = open_batcher(2, 8, false);
    tub_load load;
    tub_batcher_expect(b);
    tub_batcher_expect(b);
    put(b, &reel_a, 0, 10);
    put(b, &reel_b, 0, 20);
    put(b, &reel_a, 1, 30);
    assert_true(tub_batcher_take(b, &load));
    assert_int_equal(load.items, 2);
    assert_int_equal(load.count, 2);
    assert_ptr_equal(load.entries[0].reel, REEL(reel_a));
    assert_ptr_equal(load.entries[1].reel, REEL(reel_b));
    const int expected[] = {10, 11, 20, 21};
    assert_memory_equal(load.slots, expected, sizeof expected);
    taking t;
    start_taking(&t, b);
    expect_waiting(&t); // one item doesn't make a batch
    put(b, &reel_a, 2, 40);
    pthread_join(t.thread, NULL);
    assert_int_equal(t.load.items, 2);
    assert_int_equal(t.load.entries[1].first, 2);
    tub_batcher_close(&b);
}

static void test_ends_go_along(void **state)
{
    (void)state;
    tub_batcher *b = open_batcher(2, 8, false);
    tub_load load;
    for (int i = 0; i < 4; i++)
        tub_batcher_expect(b);
    tub_batcher_end(b, REEL(reel_a)); // at the head: taken at once
    put(b, &reel_a, 0, 10);
    assert_true(tub_batcher_take(b, &load));
    assert_int_equal(load.count, 1);
    assert_int_equal(load.items, 0);
    assert_int_equal(load.entries[0].kind, TUB_ENTRY_END);
    tub_batcher_end(b, REEL(reel_a)); // behind an item: taken with its batch
    put(b, &reel_b, 0, 20);
    tub_batcher_end(b, REEL(reel_b)); // behind the batch's last item, too
    put(b, &reel_b, 1, 30);
    assert_true(tub_batcher_take(b, &load));
    assert_int_equal(load.items, 2);
    assert_int_equal(load.count, 4);
    assert_int_equal(load.entries[3].kind, TUB_ENTRY_END);
    tub_batcher_close(&b);
}

static void test_sealed_when_nothing_is_decoded(void **state)
{
    (void)state;
    tub_batcher *b = open_batcher(4, 8, false);
    tub_batcher_expect(b);
    put(b, &reel_a, 0, 10);
    taking t;
    start_taking(&t, b);
    expect_waiting(&t);
    tub_batcher_end(b, REEL(reel_a));
    pthread_join(t.thread, NULL);
    assert_int_equal(t.load.items, 1);
    assert_int_equal(t.load.count, 2);
    start_taking(&t, b);
    expect_waiting(&t); // nothing is left, but more may come
    tub_batcher_finish(b);
    pthread_join(t.thread, NULL);
    assert_false(t.taken);
    tub_batcher_close(&b);
}

static void test_sealed_when_starved(void **state)
{
    (void)state;
    tub_batcher *b = open_batcher(4, 8, false);
    tub_batcher_expect(b);
    put(b, &reel_a, 0, 10);
    taking t;
    start_taking(&t, b);
    expect_waiting(&t);
    tub_batcher_starving(b, true);
    pthread_join(t.thread, NULL);
    assert_int_equal(t.load.items, 1);
    tub_batcher_starving(b, false);
    put(b, &reel_a, 1, 10);
    start_taking(&t, b);
    expect_waiting(&t);
    tub_batcher_stop(b);
    pthread_join(t.thread, NULL);
    assert_false(t.taken);
    assert_false(put(b, &reel_a, 2, 10));
    tub_batcher_close(&b);
}

static void test_eager(void **state)
{
    (void)state;
    tub_batcher *b = open_batcher(4, 8, true);
    tub_load load;
    tub_batcher_expect(b);
    put(b, &reel_a, 0, 10);
    assert_true(tub_batcher_take(b, &load));
    assert_int_equal(load.items, 1);
    tub_batcher_close(&b);
}

static void *put_one(void *context)
{
    return (void *)(intptr_t)put(context, &reel_a, 9, 90);
}

static void test_full_line_blocks_and_seals(void **state)
{
    (void)state;
    tub_batcher *b = open_batcher(3, 4, false);
    tub_load load;
    for (int i = 0; i < 4; i++)
        tub_batcher_expect(b);
    put(b, &reel_a, 0, 10);
    for (int i = 0; i < 3; i++) // ends fill the line, so no batch can be completed
        tub_batcher_end(b, REEL(reel_a));
    pthread_t putter;
    pthread_create(&putter, NULL, put_one, b);
    usleep(2000);
    assert_true(tub_batcher_take(b, &load));
    assert_int_equal(load.items, 1);
    assert_int_equal(load.count, 4);
    void *ok = NULL;
    pthread_join(putter, &ok);
    assert_true((intptr_t)ok);
    for (int i = 0; i < 3; i++)
        put(b, &reel_a, i, 10);
    pthread_create(&putter, NULL, put_one, b);
    usleep(2000);
    tub_batcher_stop(b);
    pthread_join(putter, &ok);
    assert_false((intptr_t)ok);
    tub_batcher_close(&b);
    tub_batcher_close(&b);
}

// Takes a load for a home; its items must be these rows, with these homes.
static void expect_load(tub_batcher *b, int home, int items, const int (*rows)[2])
{
    tub_load load;
    assert_true(tub_batcher_take_own(b, home, &load));
    assert_int_equal(load.items, items);
    for (int i = 0, item = 0; i < load.count; i++) {
        if (load.entries[i].kind == TUB_ENTRY_END)
            continue;
        assert_int_equal(load.entries[i].home, rows[item][0]);
        assert_int_equal(load.entries[i].first, rows[item][1]);
        assert_int_equal(load.slots[2 * item], 100 * rows[item][0] + rows[item][1]);
        assert_int_equal(load.slots[2 * item + 1], 100 * rows[item][0] + rows[item][1] + 50);
        item++;
    }
    tub_batcher_done(b, &load);
}

// A taker with more than a batch to choose from takes its own entries, in order; one that has none takes the first.
static void test_own_entries_first(void **state)
{
    (void)state;
    for (int shift = 0; shift < 11; shift++) { // wherever the ring begins
        tub_batcher *b = open_batcher(2, 10, false);
        assert_int_equal(tub_batcher_share(b, 3, NULL), TUB_OK);
        for (int i = 0; i < 3; i++)
            tub_batcher_expect(b);
        for (int i = 0; i < shift; i += 2) {
            put_at_home(b, &reel_a, 0, 0);
            put_at_home(b, &reel_a, 1, 0);
            expect_load(b, 1, 2, (const int[][2]){{0, 0}, {0, 1}});
        }
        for (int i = 0; i < 4; i++) {
            put_at_home(b, &reel_a, i, 1);
            put_at_home(b, &reel_b, i, 2);
        }
        expect_load(b, 2, 2, (const int[][2]){{2, 0}, {2, 1}});
        expect_load(b, 2, 2, (const int[][2]){{2, 2}, {2, 3}});
        expect_load(b, 0, 2, (const int[][2]){{1, 0}, {1, 1}});
        put_at_home(b, &reel_b, 4, 2);
        expect_load(b, 3, 2, (const int[][2]){{1, 2}, {1, 3}});
        // One entry of its own, and the first of the others.
        put_at_home(b, &reel_a, 4, 1);
        put_at_home(b, &reel_a, 5, 1);
        expect_load(b, 1, 2, (const int[][2]){{1, 4}, {1, 5}});
        put_at_home(b, &reel_a, 6, 1);
        expect_load(b, 1, 2, (const int[][2]){{2, 4}, {1, 6}}); // no more than a batch: in the order of the line
        tub_batcher_close(&b);
    }
}

// An end is handed over with the items before it, however many of another home come after it.
static void test_ends_stay_behind_their_items(void **state)
{
    (void)state;
    tub_batcher *b = open_batcher(2, 16, false);
    tub_load load;
    assert_int_equal(tub_batcher_share(b, 2, NULL), TUB_OK);
    for (int i = 0; i < 3; i++)
        tub_batcher_expect(b);
    put_at_home(b, &reel_a, 0, 1);
    tub_batcher_end(b, REEL(reel_a));
    for (int i = 0; i < 3; i++)
        put_at_home(b, &reel_b, i, 2);
    assert_true(tub_batcher_take_own(b, 2, &load)); // its own two; the end isn't at the front yet
    assert_int_equal(load.items, 2);
    assert_int_equal(load.count, 2);
    assert_int_equal(load.entries[1].first, 1);
    tub_batcher_done(b, &load);
    assert_true(tub_batcher_take_own(b, 2, &load));
    assert_int_equal(load.items, 2);
    assert_int_equal(load.count, 3);
    assert_int_equal(load.entries[1].kind, TUB_ENTRY_END);
    tub_batcher_done(b, &load);
    tub_batcher_close(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_full_batches_in_order),
        cmocka_unit_test(test_own_entries_first),
        cmocka_unit_test(test_ends_stay_behind_their_items),
        cmocka_unit_test(test_ends_go_along),
        cmocka_unit_test(test_sealed_when_nothing_is_decoded),
        cmocka_unit_test(test_sealed_when_starved),
        cmocka_unit_test(test_eager),
        cmocka_unit_test(test_full_line_blocks_and_seals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
