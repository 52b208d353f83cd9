// OUT/<stem>.npy: where it is, and whether it is whole.
#ifndef TUB_FEATURE_FILE_H
#define TUB_FEATURE_FILE_H

#include <stdbool.h>
#include <stdint.h>

#include "records.h"

typedef struct tub_feature_file {
    int64_t rows, dim, bytes;
} tub_feature_file;

// FOLDER/<stem>.npy, to be freed with tub_free(); NULL on failure.
char *tub_feature_path(const char *folder, const char *stem);

// Reads the header: a float32 [T, C] whose size is as the header says. False for everything else.
bool tub_feature_file_stat(const char *folder, const char *stem, tub_feature_file *out);
bool tub_feature_file_whole(const char *folder, const char *stem);

// Whether the file has the size and the time that the record tells: nobody has written to it since, and it needn't be
// read. `fd`: the folder, open; -1 where it can't be. Thread-safety: safe.
bool tub_feature_file_untouched(int fd, const char *stem, const tub_record *record);

// Whether the file is as the record says, by its header.
bool tub_feature_file_matches(const char *folder, const char *stem, const tub_record *record);

// When it was last written to, in nanoseconds since 1970; -1 where it isn't there.
int64_t tub_feature_file_mtime(const char *folder, const char *stem);

#endif
