// From inputs as the user gives them to the list of videos, in the order of their paths' bytes.
//
// An input is a file (taken whatever its extension), a folder (its files with a known video extension; hidden ones, as
// macOS's "._x.mp4", are left out) or "@list": a text file of one path a line, relative to the list's own folder; empty
// lines and lines that begin with '#' are skipped. An input that isn't there is an error. A listed file that isn't
// there stays in the list and fails as a video of its own: lists are often made from annotations.
#ifndef TUB_INPUTS_H
#define TUB_INPUTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <tubelet/dataset.h>

#include "memory.h"

// In a record, the size of no video that gives features: what was read of it counts for nothing later.
enum { TUB_CHANGED = 0 };

typedef struct tub_entry {
    const char *path, *stem;
    const char *name;           // of its features' file, without extension; from entry_names.h
    const char *key;            // the name as JSON text (name_text.h); the stem's before there is one
    int64_t bytes;              // of the video, -1: not there; TUB_CHANGED once tub_entry_look_again() found so
    int64_t written;            // when, in nanoseconds since 1970
    uint64_t device, inode;
    bool unasked;               // the four above aren't known yet
    // What is known of its features; see dataset.c
    tub_item_state state;
    const char *reason;
    bool failed_now;            // by this run
    const struct tub_record *record;    // what the manifest says of it, NULL: nothing
    bool untouched;             // its features' file is as it was written
} tub_entry;

typedef struct tub_entries {
    tub_entry *items;           // freed with tub_free(); the strings are the arena's
    size_t count, capacity;
} tub_entries;

// Lists the inputs; doubles and collisions are still in it (stems.h), and what folders named is `unasked`.
// Errors: TUB_ERROR_ARGUMENT naming the path. *out is the caller's in every case.
tub_status tub_inputs_list(tub_arena *arena, const char *const *inputs, size_t count, bool recursive, tub_entries *out,
                           tub_error *err);

// Asks the file system what an entry is like, or all of them on many threads, where that isn't known yet. No errors:
// what isn't there has -1 bytes.
void tub_entry_ask(tub_entry *entry);
void tub_inputs_ask(tub_entries *list);

// Whether the video is still the one that was listed, by size and time; one that is gone, too. Else its bytes are
// TUB_CHANGED from here on: what was read of it isn't what is there, and mustn't pass for it.
bool tub_entry_look_again(tub_entry *entry);

#endif
