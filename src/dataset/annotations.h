// Annotations in OpenTAD's format: a JSON object whose key `database` is an object by video id.
//
// An id is a video's stem, but for the `v_` that some data sets put before file names and others before ids.
#ifndef TUB_ANNOTATIONS_H
#define TUB_ANNOTATIONS_H

#include "inputs.h"
#include "stem_map.h"

typedef struct tub_annotations {
    const char **ids;           // in the file's order; strings are the arena's
    size_t count;
    tub_stem_map map;           // ids to numbers
} tub_annotations;

// Errors: TUB_ERROR_ARGUMENT naming the file and what is wrong with it.
tub_status tub_annotations_read(tub_arena *arena, const char *path, tub_annotations *out, tub_error *err);
void tub_annotations_finish(tub_annotations *a);

// Keeps the videos whose ids the file names. Errors: TUB_ERROR_ARGUMENT where none is left.
tub_status tub_annotations_select(const tub_annotations *a, const char *path, tub_entries *list, tub_error *err);

// OUT/missing_files.txt: the ids without features in `folder`, one a line; OpenTAD's block_list. `done`: stems whose
// files are known to be whole.
tub_status tub_annotations_write_missing(const tub_annotations *a, const char *folder, const tub_stem_map *done,
                                         tub_error *err);

#endif
