// The batcher: one line of entries from all decode workers to the device threads, which take them in batches.
//
// An entry is an item for the encoder (a clip, or a frame of a frame model) or the end of a video. The line keeps its
// order, so one video's rows come in order, followed by its end. It is bounded: put() and end() block while it is full.
// A batch is handed over when a device thread asks for one and
//
//   - it is full, or
//   - the line is full, or
//   - the encoder is eager: partial batches cost nothing extra, or
//   - the slot pool is starved: workers wait for slots that only the batch can give back, or
//   - no submitted job is still being decoded, so nothing more can fill it, or
//   - videos are kept apart, and the end of one is in the line.
//
// Ends of videos with no item before them in the line are handed over at once.
//
// Where devices have frames of their own, a device thread prefers entries whose frames are on its device, if there is
// more than a batch to choose from. One video's entries have one home, so they stay in order.
//
// Several device threads take turns. Loads are numbered in the order of the line, and belong to the taker until they
// are done. If a device fails, its load is given back and goes to the next thread that asks. While loads are out, one
// may come back, so no thread is told that everything is over.
//
// Thread-safety: all calls from any thread, except open, share, keep_apart and close. The batcher's lock is taken
// inside the slot pool's (starving).
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
    TUB_ENTRY_LAST = 2,         // likewise for the video's last output frame, `first`, needed only by the video's end
    TUB_ENTRY_END = 3,          // the video has ended: its reel is the delivery's from now on
    TUB_ENTRY_AGAIN = 4,        // a frame once more; its row is dropped (TUB_WITHOUT_ENCODE_ONCE)
} tub_entry_kind;

typedef struct tub_entry {
    tub_entry_kind kind;
    tub_reel *reel;
    int64_t first, count;
    int home;                   // 1 + number of the device that makes the video's frames; 0: none
} tub_entry;

// What take() hands over.
typedef struct tub_load {
    tub_entry *entries;         // in order
    int count;                  // of entries
    int *slots;                 // items * frames: the items' slots in order; the taker gets a count on each
    int items;
    int64_t number;             // of the load, from 0
    int place;                  // used by the batcher
    int failures;               // devices that failed on it
} tub_load;

// `batch`: most items of a load; `ready`: most entries in the line; `frames`: slots per item.
tub_status tub_batcher_open(int batch, int ready, int frames, bool eager, tub_batcher **out, tub_error *err);
void tub_batcher_close(tub_batcher **batcher);      // accepts NULL

void tub_batcher_expect(tub_batcher *b);            // a job comes: end() will follow
// Appends an item and takes over its slots' counts. Blocks while the line is full. False: stopped.
bool tub_batcher_put(tub_batcher *b, const tub_entry *entry, const int *slots);
bool tub_batcher_end(tub_batcher *b, tub_reel *reel);
void tub_batcher_starving(tub_batcher *b, bool starved);
void tub_batcher_keep_apart(tub_batcher *b);        // a batch ends with its video; call before threads use the batcher
void tub_batcher_finish(tub_batcher *b);            // no further jobs will be expected
void tub_batcher_stop(tub_batcher *b);

int tub_batcher_count(tub_batcher *b);              // items in the line

// Sets how many loads may be out at once (default 1), before threads use the batcher. With more than one, done() or
// give_back() must follow each. Errors: TUB_ERROR_MEMORY.
tub_status tub_batcher_share(tub_batcher *b, int loads, tub_error *err);

// Waits for a load. It stays valid until it is done or given back; if only one may be out, until the next call. False:
// stopped, or finished and nothing is left.
bool tub_batcher_take(tub_batcher *b, tub_load *load);
// The same for the device of that home.
bool tub_batcher_take_own(tub_batcher *b, int home, tub_load *load);
// For a device that already has a load: a full batch, if there is one now that no other thread waits for.
bool tub_batcher_take_ahead(tub_batcher *b, int home, tub_load *load);
void tub_batcher_done(tub_batcher *b, const tub_load *load);
void tub_batcher_give_back(tub_batcher *b, const tub_load *load);   // for another taker; its slots stay counted

#endif
