#include "slot_pool.h"

#include <limits.h>
#include <pthread.h>
#include <stdint.h>

#include "fail.h"
#include "memory.h"

struct tub_slot_pool {
    pthread_mutex_t lock;
    pthread_cond_t freed;
    unsigned char *memory;
    size_t stride; // bytes from slot to slot
    int slots, free_count, waiting;
    int *free_slots; // a stack, as what was freed last is still in the cache
    int *counts;
    bool stopped, starved;
    tub_slot_watch watch;
    void *watch_context;
};

static void tell_watch(tub_slot_pool *p)
{
    bool starved = p->waiting > p->free_count;
    if (starved == p->starved)
        return;
    p->starved = starved;
    if (p->watch)
        p->watch(p->watch_context, starved);
}

static bool allocate(tub_slot_pool *p)
{
    p->free_slots = tub_calloc((size_t)p->slots, sizeof *p->free_slots);
    p->counts = tub_calloc((size_t)p->slots, sizeof *p->counts);
    p->memory = tub_alloc_aligned((size_t)p->slots, p->stride);
    return p->free_slots && p->counts && p->memory;
}

tub_status tub_slot_pool_open(int slots, size_t slot_bytes, tub_slot_pool **out, tub_error *err)
{
    *out = NULL;
    if (slots < 1 || slot_bytes < 1 || slot_bytes > SIZE_MAX - 63)
        return tub_fail(err, TUB_ERROR_INTERNAL, "slot pool: %d slots of %zu bytes", slots, slot_bytes);
    tub_slot_pool *p = tub_calloc(1, sizeof *p);
    if (!p)
        return tub_fail_memory(err, "the frame slots");
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->freed, NULL);
    p->slots = slots;
    p->stride = (slot_bytes + 63) / 64 * 64;
    if (!allocate(p)) {
        tub_slot_pool_close(&p);
        return tub_fail(err, TUB_ERROR_MEMORY,
                        "out of memory for %d frame slots of %.2f MiB: lower the slot memory, "
                        "the batch or the decoding threads",
                        slots, (double)slot_bytes / (1 << 20));
    }
    for (int i = 0; i < slots; i++)
        p->free_slots[i] = slots - 1 - i;
    p->free_count = slots;
    *out = p;
    return TUB_OK;
}

void tub_slot_pool_close(tub_slot_pool **pool)
{
    if (!pool || !*pool)
        return;
    tub_slot_pool *p = *pool;
    tub_free(p->memory);
    tub_free(p->counts);
    tub_free(p->free_slots);
    pthread_cond_destroy(&p->freed);
    pthread_mutex_destroy(&p->lock);
    tub_free(p);
    *pool = NULL;
}

void tub_slot_pool_watch(tub_slot_pool *pool, tub_slot_watch watch, void *context)
{
    pool->watch = watch;
    pool->watch_context = context;
}

int tub_slot_pool_take(tub_slot_pool *pool)
{
    int slot = -1;
    pthread_mutex_lock(&pool->lock);
    pool->waiting++;
    tell_watch(pool);
    while (!pool->stopped && pool->free_count == 0)
        pthread_cond_wait(&pool->freed, &pool->lock);
    pool->waiting--;
    if (!pool->stopped) {
        slot = pool->free_slots[--pool->free_count];
        pool->counts[slot] = 1;
    }
    tell_watch(pool);
    pthread_mutex_unlock(&pool->lock);
    return slot;
}

void tub_slot_pool_hold_all(tub_slot_pool *pool, const int *slots, int count)
{
    pthread_mutex_lock(&pool->lock);
    for (int i = 0; i < count; i++)
        pool->counts[slots[i]]++;
    pthread_mutex_unlock(&pool->lock);
}

void tub_slot_pool_release_all(tub_slot_pool *pool, const int *slots, int count)
{
    pthread_mutex_lock(&pool->lock);
    int before = pool->free_count;
    for (int i = 0; i < count; i++)
        if (--pool->counts[slots[i]] == 0)
            pool->free_slots[pool->free_count++] = slots[i];
    if (pool->free_count > before) {
        tell_watch(pool);
        if (pool->free_count == before + 1)
            pthread_cond_signal(&pool->freed);
        else
            pthread_cond_broadcast(&pool->freed);
    }
    pthread_mutex_unlock(&pool->lock);
}

void tub_slot_pool_hold(tub_slot_pool *pool, int slot)
{
    tub_slot_pool_hold_all(pool, &slot, 1);
}

void tub_slot_pool_release(tub_slot_pool *pool, int slot)
{
    tub_slot_pool_release_all(pool, &slot, 1);
}

void *tub_slot_pool_memory(const tub_slot_pool *pool, int slot)
{
    return pool->memory + (size_t)slot * pool->stride;
}

void tub_slot_pool_extent(const tub_slot_pool *pool, void **memory, size_t *bytes)
{
    *memory = pool->memory;
    *bytes = (size_t)pool->slots * pool->stride;
}

int tub_slot_pool_free_count(tub_slot_pool *pool)
{
    pthread_mutex_lock(&pool->lock);
    int count = pool->free_count;
    pthread_mutex_unlock(&pool->lock);
    return count;
}

int tub_slot_pool_waiting(tub_slot_pool *pool)
{
    pthread_mutex_lock(&pool->lock);
    int waiting = pool->waiting;
    pthread_mutex_unlock(&pool->lock);
    return waiting;
}

void tub_slot_pool_stop(tub_slot_pool *pool)
{
    pthread_mutex_lock(&pool->lock);
    pool->stopped = true;
    pthread_cond_broadcast(&pool->freed);
    pthread_mutex_unlock(&pool->lock);
}

static int product(int64_t holders, int64_t distinct)
{
    return holders * distinct > INT_MAX ? INT_MAX : (int)(holders * distinct);
}

int tub_slots_enough(int videos, int batch, int distinct)
{
    return product((int64_t)videos + batch, distinct);
}

int tub_slots_least(int videos, int distinct)
{
    return product((int64_t)videos + 1, distinct);
}
