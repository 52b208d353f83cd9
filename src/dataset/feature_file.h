// A folder's feature files: their paths, and whether they are whole.
#ifndef TUB_FEATURE_FILE_H
#define TUB_FEATURE_FILE_H

#include <stdbool.h>
#include <stdint.h>

#include "feature_layout.h"
#include "records.h"

typedef struct tub_feature_place {
    const char *folder;
    tub_layout layout;          // complete
} tub_feature_place;

// FOLDER/<name>.npy or .npz, freed with tub_free(); NULL on failure. A name is relative and may contain folders.
char *tub_feature_path(const tub_feature_place *place, const char *name);

// Reads the header. True: it has the layout's type and shape [T, C], and the file has the size that it says.
bool tub_feature_file_whole(const tub_feature_place *place, const char *name);

// Whether the file has the record's size and time: nobody has written to it since, and it needn't be read. `fd`: the
// open folder; -1 if it can't be opened. Thread-safety: safe.
bool tub_feature_file_untouched(int fd, const tub_feature_place *place, const char *name, const tub_record *record);

// The same for a file name with extension, and the size and time in a line.
bool tub_feature_file_is(int fd, const char *file, int64_t bytes, int64_t mtime);

// Whether the file's header agrees with the record.
bool tub_feature_file_matches(const tub_feature_place *place, const char *name, const tub_record *record);

// Time of last modification, nanoseconds since 1970; -1: no such file.
int64_t tub_feature_file_mtime(const tub_feature_place *place, const char *name);

#endif
