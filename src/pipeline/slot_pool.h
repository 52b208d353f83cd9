// Frame slots: fixed memory for decoded pixels, with reference counts. take() blocks while no slot is free: this is the
// pipeline's back-pressure.
//
// Thread-safety: all calls, from any thread. Lock order: slot pool -> batcher.
#ifndef TUB_SLOT_POOL_H
#define TUB_SLOT_POOL_H

#include <stdbool.h>
#include <stddef.h>
#include <tubelet/status.h>

typedef struct tub_slot_pool tub_slot_pool;

tub_status tub_slot_pool_open(int slots, size_t slot_bytes, tub_slot_pool **out, tub_error *err);
void tub_slot_pool_close(tub_slot_pool **pool);     // accepts NULL

// Waits for a free slot, and gives it a count of 1. -1: the pool was stopped.
int tub_slot_pool_take(tub_slot_pool *pool);
void tub_slot_pool_hold(tub_slot_pool *pool, int slot);         // count + 1
void tub_slot_pool_release(tub_slot_pool *pool, int slot);      // count - 1; free at 0
void *tub_slot_pool_memory(const tub_slot_pool *pool, int slot);
void tub_slot_pool_extent(const tub_slot_pool *pool, void **memory, size_t *bytes);     // of all slots
// The same for each of `count` slots, under one lock. A slot may occur several times.
void tub_slot_pool_hold_all(tub_slot_pool *pool, const int *slots, int count);
void tub_slot_pool_release_all(tub_slot_pool *pool, const int *slots, int count);
int tub_slot_pool_free_count(tub_slot_pool *pool);
int tub_slot_pool_waiting(tub_slot_pool *pool);                 // threads blocked in take
void tub_slot_pool_stop(tub_slot_pool *pool);                   // wakes everyone; take gives -1 from now on

// `watch` is told when the pool becomes starved (more threads wait than slots are free) and when that is over. It is
// called with the pool's lock held. Set it before threads use the pool.
typedef void (*tub_slot_watch)(void *context, bool starved);
void tub_slot_pool_watch(tub_slot_pool *pool, tub_slot_watch watch, void *context);

// The number of slots that always suffices for `videos` open videos and batches of `batch` items, which pin `distinct`
// slots each; and the least number without deadlocks (every open video can complete a window while a batch is being
// encoded).
int tub_slots_enough(int videos, int batch, int distinct);
int tub_slots_least(int videos, int distinct);

#endif
