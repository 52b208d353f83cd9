// The bounded queue: order, bounds, the end from both sides, many threads.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <stdbool.h>

#include "clock.h"
#include "queue.h"

static void test_order_and_bound(void **state)
{
    (void)state;
    tub_queue *q = tub_queue_create(3, sizeof(int));
    int got;
    assert_non_null(q);
    assert_int_equal(tub_queue_try_receive(q, &got), TUB_AGAIN);
    for (int round = 0; round < 10; round++) {
        for (int i = 0; i < 3; i++)
            assert_int_equal(tub_queue_try_send(q, &(int){10 * round + i}), TUB_OK);
        assert_int_equal(tub_queue_try_send(q, &(int){99}), TUB_AGAIN);
        assert_int_equal(tub_queue_count(q), 3);
        for (int i = 0; i < 3; i++) {
            assert_int_equal(tub_queue_receive(q, &got), TUB_OK);
            assert_int_equal(got, 10 * round + i);
        }
        // Shifts the ring's start.
        assert_int_equal(tub_queue_send(q, &(int){7}), TUB_OK);
        assert_int_equal(tub_queue_try_receive(q, &got), TUB_OK);
    }
    tub_queue_destroy(&q);
    assert_null(q);
    tub_queue_destroy(&q);
}

static void test_finish_delivers_what_is_queued(void **state)
{
    (void)state;
    tub_queue *q = tub_queue_create(4, sizeof(int));
    int got;
    tub_queue_send(q, &(int){1});
    tub_queue_send(q, &(int){2});
    tub_queue_finish(q);
    assert_int_equal(tub_queue_send(q, &(int){3}), TUB_END);
    assert_int_equal(tub_queue_receive(q, &got), TUB_OK);
    assert_int_equal(got, 1);
    assert_int_equal(tub_queue_receive_for(q, &got, 5), TUB_OK);
    assert_int_equal(got, 2);
    assert_int_equal(tub_queue_receive(q, &got), TUB_END);
    assert_int_equal(tub_queue_receive_for(q, &got, 5), TUB_END);
    assert_int_equal(tub_queue_try_receive(q, &got), TUB_END);
    tub_queue_destroy(&q);
}

static void test_stop_keeps_items_for_draining(void **state)
{
    (void)state;
    tub_queue *q = tub_queue_create(4, sizeof(int));
    int got = 0;
    tub_queue_send(q, &(int){1});
    tub_queue_send(q, &(int){2});
    tub_queue_stop(q);
    assert_int_equal(tub_queue_try_send(q, &(int){3}), TUB_END);
    assert_int_equal(tub_queue_receive(q, &got), TUB_END);
    assert_true(tub_queue_drain(q, &got));
    assert_int_equal(got, 1);
    assert_true(tub_queue_drain(q, &got));
    assert_int_equal(got, 2);
    assert_false(tub_queue_drain(q, &got));
    tub_queue_destroy(&q);
}

static void test_waiting_ends_in_time(void **state)
{
    (void)state;
    tub_queue *q = tub_queue_create(1, sizeof(int));
    int got;
    double before = tub_now();
    assert_int_equal(tub_queue_receive_for(q, &got, 0.05), TUB_AGAIN);
    assert_true(tub_now() - before >= 0.049);
    assert_int_equal(tub_queue_receive_for(q, &got, -1), TUB_AGAIN);
    assert_int_equal(tub_queue_receive_for(q, &got, 0), TUB_AGAIN);
    tub_queue_destroy(&q);
}

static void *send_until_end(void *argument)
{
    tub_queue *q = argument;
    intptr_t sent = 0;
    while (tub_queue_send(q, &(int){(int)sent}) == TUB_OK)
        sent++;
    return (void *)sent;
}

static void *receive_until_end(void *argument)
{
    tub_queue *q = argument;
    intptr_t sum = 0;
    int got;
    while (tub_queue_receive(q, &got) == TUB_OK)
        sum += got;
    return (void *)sum;
}

static void test_stop_wakes_a_blocked_sender(void **state)
{
    (void)state;
    tub_queue *q = tub_queue_create(2, sizeof(int));
    pthread_t sender;
    void *sent;
    int got;
    assert_int_equal(pthread_create(&sender, NULL, send_until_end, q), 0);
    assert_int_equal(tub_queue_receive(q, &got), TUB_OK);
    tub_queue_stop(q);
    pthread_join(sender, &sent);
    assert_true((intptr_t)sent >= 1 && (intptr_t)sent <= 3);
    tub_queue_destroy(&q);
}

static void test_finish_wakes_blocked_receivers(void **state)
{
    (void)state;
    tub_queue *q = tub_queue_create(2, sizeof(int));
    pthread_t receivers[3];
    for (int i = 0; i < 3; i++)
        assert_int_equal(pthread_create(&receivers[i], NULL, receive_until_end, q), 0);
    tub_queue_finish(q);
    for (int i = 0; i < 3; i++) {
        void *sum;
        pthread_join(receivers[i], &sum);
        assert_int_equal((intptr_t)sum, 0);
    }
    tub_queue_destroy(&q);
}

typedef struct range {
    tub_queue *queue;
    int first, count;
} range;

static void *send_range(void *argument)
{
    const range *r = argument;
    for (int i = 0; i < r->count; i++)
        if (tub_queue_send(r->queue, &(int){r->first + i}) != TUB_OK)
            return NULL;
    return NULL;
}

static void test_every_item_arrives_once(void **state)
{
    (void)state;
    enum { SENDERS = 3, RECEIVERS = 3, EACH = 2000 };
    tub_queue *q = tub_queue_create(5, sizeof(int));
    pthread_t senders[SENDERS], receivers[RECEIVERS];
    range ranges[SENDERS];
    intptr_t sum = 0;
    for (int i = 0; i < RECEIVERS; i++)
        assert_int_equal(pthread_create(&receivers[i], NULL, receive_until_end, q), 0);
    for (int i = 0; i < SENDERS; i++) {
        ranges[i] = (range){q, i * EACH, EACH};
        assert_int_equal(pthread_create(&senders[i], NULL, send_range, &ranges[i]), 0);
    }
    for (int i = 0; i < SENDERS; i++)
        pthread_join(senders[i], NULL);
    tub_queue_finish(q);
    for (int i = 0; i < RECEIVERS; i++) {
        void *part;
        pthread_join(receivers[i], &part);
        sum += (intptr_t)part;
    }
    const intptr_t n = SENDERS * EACH;
    assert_int_equal(sum, n * (n - 1) / 2);
    tub_queue_destroy(&q);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order_and_bound),
        cmocka_unit_test(test_finish_delivers_what_is_queued),
        cmocka_unit_test(test_stop_keeps_items_for_draining),
        cmocka_unit_test(test_waiting_ends_in_time),
        cmocka_unit_test(test_stop_wakes_a_blocked_sender),
        cmocka_unit_test(test_finish_wakes_blocked_receivers),
        cmocka_unit_test(test_every_item_arrives_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
