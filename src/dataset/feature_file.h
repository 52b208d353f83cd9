// A folder's files of features: where each is, and whether it is whole.
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

// FOLDER/<name>.npy or .npz, to be freed with tub_free(); NULL on failure. A name is relative and may have folders in it.
char *tub_feature_path(const tub_feature_place *place, const char *name);

// Reads the header: of the layout's type, [T, C], and the file as large as that says. False for everything else.
bool tub_feature_file_whole(const tub_feature_place *place, const char *name);

// Whether the file has the size and the time that the record tells: nobody has written to it since, and it needn't be
// read. `fd`: the folder, open; -1 where it can't be. Thread-safety: safe.
bool tub_feature_file_untouched(int fd, const tub_feature_place *place, const char *name, const tub_record *record);

// The same of a file by its name in the folder with extension, and of what a line tells.
bool tub_feature_file_is(int fd, const char *file, int64_t bytes, int64_t mtime);

// Whether the file is as the record says, by its header.
bool tub_feature_file_matches(const tub_feature_place *place, const char *name, const tub_record *record);

// When it was last written to, in nanoseconds since 1970; -1 where it isn't there.
int64_t tub_feature_file_mtime(const tub_feature_place *place, const char *name);

#endif
