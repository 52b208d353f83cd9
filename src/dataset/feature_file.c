#include "feature_file.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <tubelet/npy.h>

#include "memory.h"

char *tub_feature_path(const char *folder, const char *stem)
{
    return tub_format("%s/%s.npy", folder, stem);
}

static bool stat_path(const char *path, tub_feature_file *out)
{
    struct stat info;
    tub_array array;
    int64_t bytes;
    if (stat(path, &info) != 0 || !S_ISREG(info.st_mode) || tub_npy_stat(path, &array, &bytes, NULL) != TUB_OK)
        return false;
    if (array.dtype != TUB_F32 || array.rank != 2 || bytes != info.st_size)
        return false;
    *out = (tub_feature_file){.rows = array.dims[0], .dim = array.dims[1], .bytes = bytes};
    return true;
}

bool tub_feature_file_stat(const char *folder, const char *stem, tub_feature_file *out)
{
    char *path = tub_feature_path(folder, stem);
    bool whole = path && stat_path(path, out);
    tub_free(path);
    return whole;
}

bool tub_feature_file_whole(const char *folder, const char *stem)
{
    tub_feature_file file;
    return tub_feature_file_stat(folder, stem, &file);
}

static int64_t nanoseconds(struct timespec t)
{
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

bool tub_feature_file_untouched(int fd, const char *stem, const tub_record *record)
{
    char name[NAME_MAX + 1];
    struct stat info;
    int length = snprintf(name, sizeof name, "%s.npy", stem);
    return record->mtime >= 0 && fd >= 0 && (size_t)length < sizeof name && fstatat(fd, name, &info, 0) == 0 &&
           S_ISREG(info.st_mode) && info.st_size == record->bytes && nanoseconds(info.st_mtim) == record->mtime;
}

bool tub_feature_file_matches(const char *folder, const char *stem, const tub_record *record)
{
    tub_feature_file file;
    return tub_feature_file_stat(folder, stem, &file) && file.rows == record->rows && file.dim == record->dim &&
           file.bytes == record->bytes;
}

int64_t tub_feature_file_mtime(const char *folder, const char *stem)
{
    char *path = tub_feature_path(folder, stem);
    struct stat info;
    int64_t mtime = path && stat(path, &info) == 0 ? nanoseconds(info.st_mtim) : -1;
    tub_free(path);
    return mtime;
}
