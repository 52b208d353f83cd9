// A bounded queue between threads that either side can end: the sender can say "no more", the receiver "stop sending".
// Items are copied in and out.
//
// Thread-safety: any number of senders and receivers.
#ifndef TUB_QUEUE_H
#define TUB_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <tubelet/status.h>

typedef struct tub_queue tub_queue;

// NULL on failure. `capacity` >= 1 items of `item_size` bytes.
tub_queue *tub_queue_create(size_t capacity, size_t item_size);
void tub_queue_destroy(tub_queue **queue);                  // accepts NULL

tub_status tub_queue_send(tub_queue *queue, const void *item);      // blocks; TUB_END: the receiver stopped, or finished
tub_status tub_queue_try_send(tub_queue *queue, const void *item);  // TUB_AGAIN: full
tub_status tub_queue_receive(tub_queue *queue, void *item);         // blocks; TUB_END: finished and empty, or stopped
tub_status tub_queue_receive_for(tub_queue *queue, void *item, double seconds); // TUB_AGAIN: nothing came in time
tub_status tub_queue_try_receive(tub_queue *queue, void *item);     // TUB_AGAIN: empty
void tub_queue_finish(tub_queue *queue);                    // sender: no more. What is queued is still delivered
void tub_queue_stop(tub_queue *queue);                      // receiver: stop sending. Queued items stay (see drain)
bool tub_queue_drain(tub_queue *queue, void *item);         // after stop: take what is left; false when empty
size_t tub_queue_count(tub_queue *queue);

#endif
