#include "json_lines.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fail.h"

static tub_status read_lines(FILE *file, const char *path, tub_json_line each, void *user, tub_error *err)
{
    char *line = NULL;
    size_t room = 0;
    ssize_t length;
    tub_status status = TUB_OK;
    while (status == TUB_OK && (length = getline(&line, &room, file)) >= 0) {
        length -= length && line[length - 1] == '\n';
        line[length] = '\0';
        json_t *object = json_loadb(line, (size_t)length, 0, NULL);
        if (json_is_object(object) && !each(user, object, line))
            status = tub_fail_memory(err, path);
        json_decref(object);
    }
    if (status == TUB_OK && ferror(file))
        status = tub_fail(err, TUB_ERROR_OUTPUT, "%s: can't be read: %s", path, strerror(errno));
    tub_free(line);
    return status;
}

tub_status tub_json_lines_read(const char *path, tub_json_line each, void *user, tub_error *err)
{
    FILE *file = fopen(path, "re");
    if (!file)
        return tub_fail(err, TUB_ERROR_OUTPUT, "%s: can't be read: %s", path, strerror(errno));
    tub_status status = read_lines(file, path, each, user, err);
    fclose(file);
    return status;
}

static bool matches(const char *name, const char *prefix)
{
    size_t length = strlen(name), head = strlen(prefix);
    return strncmp(name, prefix, head) == 0 && name[head] == '.' && length >= head + 6 &&
           strcmp(name + length - 6, ".jsonl") == 0;
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

tub_status tub_json_lines_find(const char *folder, const char *prefix, tub_paths *out, tub_error *err)
{
    *out = (tub_paths){0};
    DIR *d = opendir(folder);
    if (!d)
        return TUB_OK;
    bool kept = true;
    const struct dirent *found;
    while (kept && (found = readdir(d)))
        kept = !matches(found->d_name, prefix) || add(out, folder, found->d_name);
    closedir(d);
    if (!kept) {
        tub_paths_finish(out);
        return tub_fail_memory(err, folder);
    }
    if (out->count)
        qsort(out->items, out->count, sizeof *out->items, by_bytes);
    return TUB_OK;
}

void tub_paths_finish(tub_paths *paths)
{
    for (size_t i = 0; i < paths->count; i++)
        tub_free(paths->items[i]);
    tub_free(paths->items);
    *paths = (tub_paths){0};
}
