// Finished files on their way to their names, and the lines that say so: synced, renamed and recorded by a thread of its
// own, as many at once as have come meanwhile. A long video goes alone; short ones share the syncs.
//
// No line is written before its file is in its place, whatever happens in between.
//
// Thread-safety: one thread puts, takes and waits.
#ifndef TUB_GROUP_WRITER_H
#define TUB_GROUP_WRITER_H

#include <stdbool.h>

#include "atomic_file.h"

typedef struct tub_group_writer tub_group_writer;

// `manifest`: the file of lines; stays as it is. Errors: TUB_ERROR_MEMORY.
tub_status tub_group_writer_open(const char *manifest, tub_group_writer **out, tub_error *err);
// Waits for what is under way; what failed is gone. Accepts NULL and a pointer to NULL.
void tub_group_writer_close(tub_group_writer **writer);

// A file, its line (of tub_format() and the like) and whose they are. All of them are the writer's in every case. Only
// where there is room. Errors: of an earlier file or this one, from when on nothing is published any more.
tub_status tub_group_writer_put(tub_group_writer *w, tub_atomic_file *file, char *line, void *user, tub_error *err);
bool tub_group_writer_has_room(tub_group_writer *w);
// The next whose file and line are there, in the order of put(); NULL: none yet.
void *tub_group_writer_take(tub_group_writer *w);
// Waits until something can be taken or everything is done or has failed; wait_all() until one of the latter.
void tub_group_writer_wait(tub_group_writer *w);
tub_status tub_group_writer_wait_all(tub_group_writer *w, tub_error *err);

#endif
