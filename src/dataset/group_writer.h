// Publishes finished files: a thread of its own syncs them, renames them and records them in the manifest. It takes all
// files at once that have come meanwhile. A long video goes alone; short ones share the syncs.
//
// A line is never written before its file is in its place, whatever happens in between.
//
// Thread-safety: one thread puts, takes and waits.
#ifndef TUB_GROUP_WRITER_H
#define TUB_GROUP_WRITER_H

#include <stdbool.h>

#include "atomic_file.h"

typedef struct tub_group_writer tub_group_writer;

// `manifest`: the path of the lines' file, borrowed. Errors: TUB_ERROR_MEMORY.
tub_status tub_group_writer_open(const char *manifest, tub_group_writer **out, tub_error *err);
// Waits for what is in progress; what failed is gone. Accepts NULL and a pointer to NULL.
void tub_group_writer_close(tub_group_writer **writer);

// Hands over a file, its line (made by tub_format() or the like) and a pointer of the caller's. The writer owns file
// and line in every case. Only if there is room. Errors: those of an earlier file or of this one; from then on nothing
// is published any more.
tub_status tub_group_writer_put(tub_group_writer *w, tub_atomic_file *file, char *line, void *user, tub_error *err);
bool tub_group_writer_has_room(tub_group_writer *w);
// The `user` of the next published file, in the order of put(); NULL: none yet.
void *tub_group_writer_take(tub_group_writer *w);
// wait() waits until something can be taken, or everything is done or has failed; wait_all() only for the latter two.
void tub_group_writer_wait(tub_group_writer *w);
tub_status tub_group_writer_wait_all(tub_group_writer *w, tub_error *err);

#endif
