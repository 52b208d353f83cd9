#include "queue.h"

#include <pthread.h>
#include <string.h>
#include <time.h>

#include "memory.h"

struct tub_queue {
    pthread_mutex_t lock;
    pthread_cond_t room, item; // something was taken; something came
    unsigned char *items;
    size_t capacity, item_size;
    size_t first, count;
    bool finished, stopped;
};

tub_queue *tub_queue_create(size_t capacity, size_t item_size)
{
    tub_queue *q = tub_calloc(1, sizeof *q);
    if (!q)
        return NULL;
    q->items = tub_calloc(capacity, item_size);
    if (!q->items) {
        tub_free(q);
        return NULL;
    }
    q->capacity = capacity ? capacity : 1;
    q->item_size = item_size;
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_mutex_init(&q->lock, NULL);
    pthread_cond_init(&q->room, &monotonic);
    pthread_cond_init(&q->item, &monotonic);
    pthread_condattr_destroy(&monotonic);
    return q;
}

void tub_queue_destroy(tub_queue **queue)
{
    if (!queue || !*queue)
        return;
    tub_queue *q = *queue;
    pthread_cond_destroy(&q->item);
    pthread_cond_destroy(&q->room);
    pthread_mutex_destroy(&q->lock);
    tub_free(q->items);
    tub_free(q);
    *queue = NULL;
}

// Puts the item if that is possible now. The lock is held.
static tub_status put(tub_queue *q, const void *item)
{
    if (q->stopped || q->finished)
        return TUB_END;
    if (q->count == q->capacity)
        return TUB_AGAIN;
    memcpy(q->items + (q->first + q->count) % q->capacity * q->item_size, item, q->item_size);
    q->count++;
    pthread_cond_signal(&q->item);
    return TUB_OK;
}

static void take(tub_queue *q, void *item)
{
    memcpy(item, q->items + q->first * q->item_size, q->item_size);
    q->first = (q->first + 1) % q->capacity;
    q->count--;
    pthread_cond_signal(&q->room);
}

static tub_status get(tub_queue *q, void *item)
{
    if (q->stopped || (q->finished && q->count == 0))
        return TUB_END;
    if (q->count == 0)
        return TUB_AGAIN;
    take(q, item);
    return TUB_OK;
}

tub_status tub_queue_send(tub_queue *q, const void *item)
{
    pthread_mutex_lock(&q->lock);
    tub_status s;
    while ((s = put(q, item)) == TUB_AGAIN)
        pthread_cond_wait(&q->room, &q->lock);
    pthread_mutex_unlock(&q->lock);
    return s;
}

tub_status tub_queue_try_send(tub_queue *q, const void *item)
{
    pthread_mutex_lock(&q->lock);
    tub_status s = put(q, item);
    pthread_mutex_unlock(&q->lock);
    return s;
}

tub_status tub_queue_receive(tub_queue *q, void *item)
{
    pthread_mutex_lock(&q->lock);
    tub_status s;
    while ((s = get(q, item)) == TUB_AGAIN)
        pthread_cond_wait(&q->item, &q->lock);
    pthread_mutex_unlock(&q->lock);
    return s;
}

static struct timespec deadline_in(double seconds)
{
    const double most = 1e9;
    seconds = seconds > 0 ? (seconds < most ? seconds : most) : 0;
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    time_t whole = (time_t)seconds;
    at.tv_sec += whole;
    at.tv_nsec += (long)((seconds - (double)whole) * 1e9);
    if (at.tv_nsec >= 1000000000L) {
        at.tv_sec++;
        at.tv_nsec -= 1000000000L;
    }
    return at;
}

tub_status tub_queue_receive_for(tub_queue *q, void *item, double seconds)
{
    struct timespec deadline = deadline_in(seconds);
    pthread_mutex_lock(&q->lock);
    tub_status s = get(q, item);
    bool in_time = true;
    while (s == TUB_AGAIN && in_time) {
        in_time = pthread_cond_timedwait(&q->item, &q->lock, &deadline) == 0;
        s = get(q, item);
    }
    pthread_mutex_unlock(&q->lock);
    return s;
}

tub_status tub_queue_try_receive(tub_queue *q, void *item)
{
    pthread_mutex_lock(&q->lock);
    tub_status s = get(q, item);
    pthread_mutex_unlock(&q->lock);
    return s;
}

static void end(tub_queue *q, bool *flag)
{
    pthread_mutex_lock(&q->lock);
    *flag = true;
    pthread_cond_broadcast(&q->room);
    pthread_cond_broadcast(&q->item);
    pthread_mutex_unlock(&q->lock);
}

void tub_queue_finish(tub_queue *q)
{
    end(q, &q->finished);
}

void tub_queue_stop(tub_queue *q)
{
    end(q, &q->stopped);
}

bool tub_queue_drain(tub_queue *q, void *item)
{
    pthread_mutex_lock(&q->lock);
    bool any = q->count > 0;
    if (any)
        take(q, item);
    pthread_mutex_unlock(&q->lock);
    return any;
}

size_t tub_queue_count(tub_queue *q)
{
    pthread_mutex_lock(&q->lock);
    size_t count = q->count;
    pthread_mutex_unlock(&q->lock);
    return count;
}
