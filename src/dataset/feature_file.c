#include "feature_file.h"

#include <limits.h>
#include <string.h>
#include <sys/stat.h>

#include "feature_array.h"
#include "memory.h"

char *tub_feature_path(const tub_feature_place *place, const char *name)
{
    return tub_format("%s/%s%s", place->folder, name, tub_layout_extension(&place->layout));
}

static bool stat_array(const tub_feature_place *place, const char *name, tub_feature_array *out)
{
    char *path = tub_feature_path(place, name);
    bool whole = path && tub_feature_array_stat(path, place->layout.key, out, NULL) == TUB_OK &&
                 out->dtype == place->layout.dtype;
    tub_free(path);
    return whole;
}

bool tub_feature_file_whole(const tub_feature_place *place, const char *name)
{
    tub_feature_array array;
    return stat_array(place, name, &array);
}

static int64_t nanoseconds(struct timespec t)
{
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

bool tub_feature_file_is(int fd, const char *file, int64_t bytes, int64_t mtime)
{
    struct stat info;
    return mtime >= 0 && fd >= 0 && fstatat(fd, file, &info, 0) == 0 && S_ISREG(info.st_mode) &&
           info.st_size == bytes && nanoseconds(info.st_mtim) == mtime;
}

bool tub_feature_file_untouched(int fd, const tub_feature_place *place, const char *name, const tub_record *record)
{
    char file[PATH_MAX];
    const char *extension = tub_layout_extension(&place->layout);
    const size_t bytes = strlen(name), more = strlen(extension) + 1;
    if (bytes + more > sizeof file)
        return false;
    memcpy(file, name, bytes);
    memcpy(file + bytes, extension, more);
    return tub_feature_file_is(fd, file, record->bytes, record->mtime);
}

bool tub_feature_file_matches(const tub_feature_place *place, const char *name, const tub_record *record)
{
    tub_feature_array array;
    return stat_array(place, name, &array) && array.rows == record->rows && array.dim == record->dim &&
           array.bytes == record->bytes;
}

int64_t tub_feature_file_mtime(const tub_feature_place *place, const char *name)
{
    char *path = tub_feature_path(place, name);
    struct stat info;
    int64_t mtime = path && stat(path, &info) == 0 ? nanoseconds(info.st_mtim) : -1;
    tub_free(path);
    return mtime;
}
