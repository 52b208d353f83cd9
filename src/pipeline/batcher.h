// The batcher: one line of entries from all decode workers to the device threads, handed over in batches.
//
// An entry is an item for the encoder (a clip, or a frame of a frame model) or the end of a video. The line is kept in
// order, so one video's rows come in order and its end after them. It is bounded: put() and end() block while it is
// full. A batch is handed over when a device thread asks and
//
//   - it is full, or
//   - the line is full, or
//   - the encoder is eager: partial batches cost nothing, or
//   - the slot pool is starved: workers wait for slots that only the batch can give back, or
//   - no submitted job is still being decoded, so that nothing would fill it, or
//   - videos are kept apart, and the end of one is in the line.
//
// The ends of videos that have no item before them in the line are handed over at once.
//
// Where devices have frames of their own, a device thread prefers entries whose frames are on its device, if there are
// more than a batch to choose from. One video's entries have one home, so they stay in order.
//
// Several device threads take turns: loads are numbered in the order of the line, and each is its taker's until it is
// done. A load whose device failed is given back and handed to the next that asks; while loads are out, one may come
// back, so nobody is told that all is over.
//
// Thread-safety: all calls but open, share, keep_apart and close, from any thread. Its lock is taken inside the slot
// pool's (starving).
#ifndef TUB_BATCHER_H
#define TUB_BATCHER_H

#include <stdbool.h>
#include <stdint.h>
#include <tubelet/status.h>

typedef struct tub_batcher tub_batcher;
typedef struct tub_reel tub_reel;

typedef enum tub_entry_kind {
    TUB_ENTRY_CLIP = 0,         // row `first` of a clip model
    TUB_ENTRY_FRAME = 1,        // a source frame that stands for output frames first .. first + count - 1
    TUB_ENTRY_LAST = 2,         // likewise: output frame `first`, the video's last, which only its end asked for
    TUB_ENTRY_END = 3,          // the video has ended: its reel is the delivery's from now on
    TUB_ENTRY_AGAIN = 4,        // a frame once more, whose row nobody wants (TUB_WITHOUT_ENCODE_ONCE)
} tub_entry_kind;

typedef struct tub_entry {
    tub_entry_kind kind;
    tub_reel *reel;
    int64_t first, count;
    int home;                   // 1 + number of the device that its video's frames are made on; 0: none
} tub_entry;

// What take() hands over.
typedef struct tub_load {
    tub_entry *entries;         // in order
    int count;                  // of entries
    int *slots;                 // items * frames: the slots of the items, in order; a count on each comes along
    int items;
    int64_t number;             // of the load, from 0
    int place;                  // the batcher's
    int failures;               // devices that failed on it
} tub_load;

// `batch`: most items of a load; `ready`: most entries that wait; `frames`: slots an item.
tub_status tub_batcher_open(int batch, int ready, int frames, bool eager, tub_batcher **out, tub_error *err);
void tub_batcher_close(tub_batcher **batcher);      // accepts NULL

void tub_batcher_expect(tub_batcher *b);            // a job comes: end() will follow
// An item; its slots' counts go along. Blocks while the line is full. False: stopped.
bool tub_batcher_put(tub_batcher *b, const tub_entry *entry, const int *slots);
bool tub_batcher_end(tub_batcher *b, tub_reel *reel);
void tub_batcher_starving(tub_batcher *b, bool starved);
void tub_batcher_keep_apart(tub_batcher *b);        // a batch ends with its video: before threads use it
void tub_batcher_finish(tub_batcher *b);            // no further jobs will be expected
void tub_batcher_stop(tub_batcher *b);

int tub_batcher_count(tub_batcher *b);              // items that wait

// How many loads may be out at once (1), before threads use it. With more than one each must be done.
// Errors: TUB_ERROR_MEMORY.
tub_status tub_batcher_share(tub_batcher *b, int loads, tub_error *err);

// Blocks. `load` stays valid until it is done or given back; where only one may be out, until the next call. False:
// stopped, or finished and nothing is left.
bool tub_batcher_take(tub_batcher *b, tub_load *load);
// Likewise for the device of that home.
bool tub_batcher_take_own(tub_batcher *b, int home, tub_load *load);
// Likewise a full batch, if there is one now that nobody else waits for: of a device that has one to do.
bool tub_batcher_take_ahead(tub_batcher *b, int home, tub_load *load);
void tub_batcher_done(tub_batcher *b, const tub_load *load);
void tub_batcher_give_back(tub_batcher *b, const tub_load *load);   // for another taker; its slots stay counted

#endif
