#include "feature_listing.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "fail.h"

enum { DEEPEST = 4 };

static bool is_feature_name(const char *name)
{
    size_t length = strlen(name);
    return length > 4 && (!strcmp(name + length - 4, ".npy") || !strcmp(name + length - 4, ".npz"));
}

static bool keep(tub_feature_listing *l, const char *file)
{
    void *files = l->files;
    if (!file || !tub_grow(&files, &l->capacity, l->count + 1, sizeof *l->files))
        return false;
    l->files = files;
    l->files[l->count++] = file;
    return true;
}

// Links have to be asked about, and so do entries if the file system doesn't tell their type. NFS doesn't for large
// folders, where asking about each entry would take minutes. So entries that are named like features are taken for
// features.
static bool is_folder(const char *folder, const char *file, const struct dirent *e)
{
    struct stat info;
    if (e->d_type == DT_UNKNOWN && is_feature_name(e->d_name))
        return false;
    if (e->d_type != DT_UNKNOWN && e->d_type != DT_LNK)
        return e->d_type == DT_DIR;
    char *path = tub_format("%s/%s", folder, file);
    bool is = path && stat(path, &info) == 0 && S_ISDIR(info.st_mode);
    tub_free(path);
    return is;
}

static tub_status list(tub_feature_listing *l, const char *folder, const char *under, int depth, tub_error *err);

static tub_status list_name(tub_feature_listing *l, const char *folder, const char *under, const struct dirent *e,
                            int depth, tub_error *err)
{
    bool feature = is_feature_name(e->d_name);
    if (e->d_name[0] == '.' || (!feature && e->d_type == DT_REG))
        return TUB_OK;
    const char *file = tub_arena_format(&l->arena, "%s%s", under, e->d_name);
    if (!file)
        return tub_fail_memory(err, folder);
    if (!is_folder(folder, file, e))
        return !feature || keep(l, file) ? TUB_OK : tub_fail_memory(err, folder);
    const char *deeper = tub_arena_format(&l->arena, "%s/", file);
    if (!deeper)
        return tub_fail_memory(err, folder);
    return depth < DEEPEST ? list(l, folder, deeper, depth + 1, err) : TUB_OK;
}

static tub_status list_open(tub_feature_listing *l, DIR *d, const char *path, const char *folder, const char *under,
                            int depth, tub_error *err)
{
    errno = 0;
    for (const struct dirent *e; (e = readdir(d)); errno = 0)
        TUB_TRY(list_name(l, folder, under, e, depth, err));
    return errno ? tub_fail(err, TUB_ERROR_OUTPUT, "%s: this folder can't be listed: %s", path, strerror(errno))
                 : TUB_OK;
}

// `under`: the folder's part of the names, "" or "training/". A folder that can't be listed isn't an empty one.
static tub_status list(tub_feature_listing *l, const char *folder, const char *under, int depth, tub_error *err)
{
    char *path = tub_format("%s/%s", folder, under);
    if (!path)
        return tub_fail_memory(err, folder);
    DIR *d = opendir(path);
    tub_status status = TUB_OK;
    if (d)
        status = list_open(l, d, path, folder, under, depth, err);
    else if (errno != ENOENT)
        status = tub_fail(err, TUB_ERROR_OUTPUT, "%s: this folder can't be listed: %s", path, strerror(errno));
    if (d)
        closedir(d);
    tub_free(path);
    return status;
}

static int by_bytes(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

tub_status tub_feature_listing_read(const char *folder, tub_feature_listing *out, tub_error *err)
{
    *out = (tub_feature_listing){0};
    tub_arena_init(&out->arena);
    TUB_TRY(list(out, folder, "", 0, err));
    bool kept = true;
    if (out->count)
        qsort(out->files, out->count, sizeof *out->files, by_bytes);
    for (size_t i = 0; kept && i < out->count; i++)
        kept = tub_stem_map_set(&out->map, out->files[i], i);
    return kept ? TUB_OK : tub_fail_memory(err, folder);
}

void tub_feature_listing_finish(tub_feature_listing *listing)
{
    tub_stem_map_finish(&listing->map);
    tub_free(listing->files);
    tub_arena_finish(&listing->arena);
    *listing = (tub_feature_listing){0};
}
