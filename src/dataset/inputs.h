// From the user's inputs to the list of videos, in the order of their paths' bytes.
//
// An input is a file (with any extension), a folder (its files with a known video extension; hidden ones, such as
// macOS's "._x.mp4", are left out) or "@list": a text file with one path per line, relative to the list's own folder;
// empty lines and lines that begin with '#' are skipped. An input that doesn't exist is an error. A listed file that
// doesn't exist stays in the list and fails as a video: lists are often made from annotations.
#ifndef TUB_INPUTS_H
#define TUB_INPUTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <tubelet/dataset.h>

#include "memory.h"

// A size that no video with features has. In a record it means: the features don't count in later runs.
enum { TUB_CHANGED = 0 };

typedef struct tub_entry {
    const char *path, *stem;
    const char *name;           // of its feature file, without extension; from entry_names.h
    const char *key;            // the name as JSON text (name_text.h); the stem's until there is a name
    int64_t bytes;              // of the video, -1: no such file; TUB_CHANGED once tub_entry_look_again() found a
                                // change
    int64_t written;            // time of last modification, nanoseconds since 1970
    uint64_t device, inode;
    bool unasked;               // the four above aren't known yet
    // What is known about its features; see dataset.c
    tub_item_state state;
    const char *reason;
    bool failed_now;            // by this run
    const struct tub_record *record;    // what the manifest says about it, NULL: nothing
    bool untouched;             // its feature file is as it was written
} tub_entry;

typedef struct tub_entries {
    tub_entry *items;           // freed with tub_free(); the arena owns the strings
    size_t count, capacity;
} tub_entries;

// Lists the inputs. Duplicates and collisions are still in the list (stems.h), and the videos in folders are `unasked`.
// Errors: TUB_ERROR_ARGUMENT naming the path. *out is the caller's in every case.
tub_status tub_inputs_list(tub_arena *arena, const char *const *inputs, size_t count, bool recursive, tub_entries *out,
                           tub_error *err);

// Asks the file system about an entry, or on many threads about all of them, if this isn't known yet. No errors: a file
// that doesn't exist has -1 bytes.
void tub_entry_ask(tub_entry *entry);
void tub_inputs_ask(tub_entries *list);

// Whether the video still has the size and time that were listed; true also for one that is gone. Otherwise its bytes
// are TUB_CHANGED from now on: features of the old content mustn't pass for those of the new one.
bool tub_entry_look_again(tub_entry *entry);

#endif
