#include "out_listing.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "fail.h"

static bool ends_with(const char *name, size_t length, const char *tail, size_t bytes)
{
    return length >= bytes && memcmp(name + length - bytes, tail, bytes) == 0;
}

static bool is_records(const char *name, size_t length, const char *prefix)
{
    size_t head = strlen(prefix);
    return strncmp(name, prefix, head) == 0 && name[head] == '.' && length >= head + 6 &&
           ends_with(name, length, ".jsonl", 6);
}

static int by_bytes(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static bool add(tub_paths *paths, const char *folder, const char *name)
{
    void *items = paths->items;
    if (!tub_grow(&items, &paths->capacity, paths->count + 1, sizeof *paths->items))
        return false;
    paths->items = items;
    char *path = tub_format("%s/%s", folder, name);
    if (path)
        paths->items[paths->count++] = path;
    return path != NULL;
}

static bool take(tub_out_listing *out, const char *folder, const char *name)
{
    size_t length = strlen(name);
    out->temporaries |= name[0] == '.' && ends_with(name, length, ".tmp", 4);
    if (is_records(name, length, "manifest"))
        return add(&out->manifests, folder, name);
    return !is_records(name, length, "failures") || add(&out->failures, folder, name);
}

static void sort(tub_paths *paths)
{
    if (paths->count)
        qsort(paths->items, paths->count, sizeof *paths->items, by_bytes);
}

tub_status tub_out_listing_read(const char *folder, tub_out_listing *out, tub_error *err)
{
    *out = (tub_out_listing){0};
    DIR *d = opendir(folder);
    if (!d && (errno == ENOENT || errno == ENOTDIR))
        return TUB_OK;
    if (!d)
        return tub_fail(err, TUB_ERROR_OUTPUT, "%s: this folder can't be listed: %s", folder, strerror(errno));
    bool kept = true;
    const struct dirent *found;
    errno = 0;
    while (kept && (found = readdir(d))) {
        kept = take(out, folder, found->d_name);
        errno = 0;
    }
    const int error = errno; // half a listing would look like a folder without records
    closedir(d);
    if (!kept)
        return tub_fail_memory(err, folder);
    if (error)
        return tub_fail(err, TUB_ERROR_OUTPUT, "%s: this folder can't be listed: %s", folder, strerror(error));
    sort(&out->manifests);
    sort(&out->failures);
    return TUB_OK;
}

static void finish(tub_paths *paths)
{
    for (size_t i = 0; i < paths->count; i++)
        tub_free(paths->items[i]);
    tub_free(paths->items);
    *paths = (tub_paths){0};
}

void tub_out_listing_finish(tub_out_listing *listing)
{
    finish(&listing->manifests);
    finish(&listing->failures);
}
