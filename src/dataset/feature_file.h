// OUT/<stem>.npy: where it is, and whether it is whole.
#ifndef TUB_FEATURE_FILE_H
#define TUB_FEATURE_FILE_H

#include <stdbool.h>
#include <stdint.h>

typedef struct tub_feature_file {
    int64_t rows, dim, bytes;
} tub_feature_file;

// FOLDER/<stem>.npy, to be freed with tub_free(); NULL on failure.
char *tub_feature_path(const char *folder, const char *stem);

// Reads the header: a float32 [T, C] whose size is as the header says. False for everything else.
bool tub_feature_file_stat(const char *folder, const char *stem, tub_feature_file *out);
bool tub_feature_file_whole(const char *folder, const char *stem);

#endif
