// Annotations in OpenTAD's format: a JSON object whose key `database` is an object by video id.
//
// An id is a video's stem, except for the `v_` that some data sets put before file names and others before ids.
#ifndef TUB_ANNOTATIONS_H
#define TUB_ANNOTATIONS_H

#include "feature_file.h"
#include "inputs.h"
#include "stem_map.h"
#include "video_facts.h"

typedef struct tub_annotations {
    const char **ids;           // in the file's order; the arena owns the strings
    size_t count;
    tub_stem_map map;           // ids to numbers
} tub_annotations;

// Errors: TUB_ERROR_ARGUMENT naming the file and what is wrong with it.
tub_status tub_annotations_read(tub_arena *arena, const char *path, tub_annotations *out, tub_error *err);
void tub_annotations_finish(tub_annotations *a);

// Keeps the videos whose ids the file names. Errors: TUB_ERROR_ARGUMENT if none is left.
tub_status tub_annotations_select(const tub_annotations *a, const char *path, tub_entries *list, tub_error *err);

// Gives `each` the names that an id's feature file may have, until it returns true. `{stem}` is the id with or without
// a leading "v_". `split`: the id's, or NULL.
bool tub_annotations_names(const tub_layout *layout, const char *id, const char *split,
                           bool (*each)(void *user, const char *name), void *user);

// Writes the folder's missing_files.txt: the ids without features there, one per line; OpenTAD's block_list. `done`:
// names whose files are known to be whole. `facts`: those of the ids, if names contain the split.
tub_status tub_annotations_write_missing(const tub_annotations *a, const tub_feature_place *place,
                                         const tub_video_facts *facts, const tub_stem_map *done, tub_error *err);
// Writes that file. Errors: TUB_ERROR_OUTPUT.
tub_status tub_missing_save(const char *folder, const char *text, size_t bytes, tub_error *err);

#endif
