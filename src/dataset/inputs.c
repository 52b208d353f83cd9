#include "inputs.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <tubelet/video.h>

#include "atomic_file.h"
#include "fail.h"
#include "in_parallel.h"
#include "name_text.h"

enum { LIST_BYTES = 256 << 20, TOGETHER = 1 << 13 };

typedef struct tub_scan {
    tub_arena *arena;
    tub_entries *out;
    bool recursive;
    bool saw_folders; // that were not descended into
} tub_scan;

// Paths that the file system is asked about together, at most TOGETHER. The arena owns the strings.
typedef struct tub_looks {
    struct tub_look {
        const char *path;
        bool there;
        struct stat info;
    } * items;
    size_t count, capacity;
} tub_looks;

// The folders above the one being read, so that links can't lead in circles.
typedef struct tub_above {
    const struct tub_above *next;
    dev_t device;
    ino_t inode;
} tub_above;

static int64_t written_at(const struct stat *info)
{
    return (int64_t)info->st_mtim.tv_sec * 1000000000 + info->st_mtim.tv_nsec;
}

static void know(tub_entry *entry, const struct stat *info)
{
    entry->bytes = info->st_size;
    entry->written = written_at(info);
    entry->device = info->st_dev;
    entry->inode = info->st_ino;
}

// `path` is owned by the arena.
static tub_status add_file(tub_scan *scan, const char *path, const struct stat *info, tub_error *err)
{
    tub_entries *list = scan->out;
    void *items = list->items;
    if (!tub_grow(&items, &list->capacity, list->count + 1, sizeof *list->items))
        return tub_fail_memory(err, "the list of videos");
    list->items = items;
    const char *base;
    size_t length = tub_stem_of(path, &base);
    char *stem = tub_arena_text(scan->arena, base, length);
    const char *key = stem ? tub_name_text(scan->arena, stem) : NULL;
    if (!key)
        return tub_fail_memory(err, "the list of videos");
    tub_entry entry = {.path = path, .stem = stem, .key = key, .bytes = -1};
    if (info)
        know(&entry, info);
    list->items[list->count++] = entry;
    return TUB_OK;
}

static tub_status scan_folder(tub_scan *scan, const char *path, const struct stat *info, const tub_above *above,
                              tub_error *err);

// Adds a file that its folder lists. Its details are asked for later (tub_inputs_ask).
static tub_status add_unasked(tub_scan *scan, const char *path, tub_error *err)
{
    TUB_TRY(add_file(scan, path, NULL, err));
    scan->out->items[scan->out->count - 1].unasked = true;
    return TUB_OK;
}

void tub_entry_ask(tub_entry *entry)
{
    struct stat info;
    if (entry->unasked && stat(entry->path, &info) == 0)
        know(entry, &info);
    entry->unasked = false;
}

bool tub_entry_look_again(tub_entry *entry)
{
    struct stat info;
    if (entry->bytes < 0 || stat(entry->path, &info) != 0 ||
        (info.st_size == entry->bytes && written_at(&info) == entry->written))
        return true;
    entry->bytes = TUB_CHANGED;
    return false;
}

static void ask(void *context, size_t i)
{
    tub_entry_ask(&((tub_entries *)context)->items[i]);
}

void tub_inputs_ask(tub_entries *list)
{
    tub_in_parallel(list->count, ask, list);
}

static char *join(tub_scan *scan, const char *folder, const char *name)
{
    char path[PATH_MAX + NAME_MAX + 2];
    const size_t above = strlen(folder), bytes = strlen(name), slash = folder[above - 1] != '/';
    if (above + slash + bytes >= sizeof path)
        return NULL;
    memcpy(path, folder, above);
    path[above] = '/';
    memcpy(path + above + slash, name, bytes);
    return tub_arena_text(scan->arena, path, above + slash + bytes);
}

// Skips what needs no asking: folders that aren't descended into, and files that aren't videos by their name.
static bool passes_over(tub_scan *scan, const struct dirent *found)
{
    if (found->d_name[0] == '.')
        return true;
    if (found->d_type == DT_DIR && !scan->recursive)
        return scan->saw_folders = true;
    return found->d_type == DT_REG && !tub_video_name_is_known(found->d_name);
}

static void look(void *context, size_t i)
{
    struct tub_look *one = &((tub_looks *)context)->items[i];
    one->there = stat(one->path, &one->info) == 0;
}

static tub_status look_later(tub_looks *looks, const char *path, tub_error *err)
{
    void *items = looks->items;
    if (!path || !tub_grow(&items, &looks->capacity, looks->count + 1, sizeof *looks->items))
        return tub_fail_memory(err, "the list of videos");
    looks->items = items;
    looks->items[looks->count++].path = path;
    return TUB_OK;
}

// Adds one name of a folder. A file that vanished meanwhile, or a dangling link, is added too: it then fails as a
// video, visibly.
static tub_status add_name(tub_scan *scan, const struct tub_look *found, const tub_above *above, tub_error *err)
{
    if (found->there && S_ISDIR(found->info.st_mode)) {
        scan->saw_folders |= !scan->recursive;
        return scan->recursive ? scan_folder(scan, found->path, &found->info, above, err) : TUB_OK;
    }
    if ((found->there && !S_ISREG(found->info.st_mode)) || !tub_video_name_is_known(found->path))
        return TUB_OK;
    return add_file(scan, found->path, found->there ? &found->info : NULL, err);
}

static tub_status add_names(tub_scan *scan, tub_looks *looks, const tub_above *above, tub_error *err)
{
    tub_status status = TUB_OK;
    tub_in_parallel(looks->count, look, looks);
    for (size_t i = 0; status == TUB_OK && i < looks->count; i++)
        status = add_name(scan, &looks->items[i], above, err);
    looks->count = 0;
    return status;
}

// Looks at links and folders, and at all names if the file system doesn't tell their type (NFS, for large folders).
static tub_status scan_name(tub_scan *scan, const char *folder, const struct dirent *found, tub_looks *looks,
                            const tub_above *above, tub_error *err)
{
    if (passes_over(scan, found))
        return TUB_OK;
    const char *path = join(scan, folder, found->d_name);
    if (path && found->d_type == DT_REG)
        return add_unasked(scan, path, err);
    TUB_TRY(look_later(looks, path, err));
    return looks->count == TOGETHER ? add_names(scan, looks, above, err) : TUB_OK;
}

static tub_status scan_names(tub_scan *scan, DIR *folder, const char *path, const tub_above *here, tub_error *err)
{
    tub_looks looks = {0};
    tub_status status = TUB_OK;
    const struct dirent *found;
    errno = 0;
    while (status == TUB_OK && (found = readdir(folder))) {
        status = scan_name(scan, path, found, &looks, here, err);
        errno = 0;
    }
    if (status == TUB_OK && errno)
        status = tub_fail(err, TUB_ERROR_ARGUMENT, "%s: this folder can't be read: %s", path, strerror(errno));
    if (status == TUB_OK)
        status = add_names(scan, &looks, here, err);
    tub_free(looks.items);
    return status;
}

static tub_status scan_folder(tub_scan *scan, const char *path, const struct stat *info, const tub_above *above,
                              tub_error *err)
{
    tub_above here = {.next = above, .device = info->st_dev, .inode = info->st_ino};
    for (const tub_above *a = above; a; a = a->next)
        if (a->device == here.device && a->inode == here.inode)
            return TUB_OK;
    DIR *folder = opendir(path);
    if (!folder)
        return tub_fail(err, TUB_ERROR_ARGUMENT, "%s: this folder can't be read: %s", path, strerror(errno));
    tub_status status = scan_names(scan, folder, path, &here, err);
    closedir(folder);
    return status;
}

static tub_status add_folder(tub_scan *scan, const char *path, const struct stat *info, tub_error *err)
{
    size_t before = scan->out->count;
    scan->saw_folders = false;
    TUB_TRY(scan_folder(scan, path, info, NULL, err));
    if (scan->out->count > before)
        return TUB_OK;
    return tub_fail(err, TUB_ERROR_ARGUMENT, "%s: no video in this folder%s", path,
                    scan->saw_folders ? "; it has sub-folders, which --recursive goes into"
                                      : " (known by their extensions)");
}

// Adds a path that exists.
static tub_status add_known(tub_scan *scan, const char *path, const struct stat *info, tub_error *err)
{
    if (S_ISDIR(info->st_mode))
        return add_folder(scan, path, info, err);
    if (!S_ISREG(info->st_mode))
        return tub_fail(err, TUB_ERROR_ARGUMENT, "%s: neither a file nor a folder", path);
    return add_file(scan, path, info, err);
}

static tub_status add_path(tub_scan *scan, const char *path, tub_error *err)
{
    struct stat info;
    if (stat(path, &info) != 0)
        return tub_fail(err, TUB_ERROR_ARGUMENT, "%s: %s", path,
                        errno == ENOENT ? "no such file or folder" : strerror(errno));
    return add_known(scan, path, &info, err);
}

// Names of files that are already open (@/dev/stdin and @<(find ...)), whose folder isn't the list's. But /dev/shm
// holds files.
static bool is_descriptor(const char *name)
{
    return !strcmp(name, "/dev/stdin") || !strncmp(name, "/dev/fd/", 8) || !strncmp(name, "/proc/self/fd/", 14);
}

// A list that is being read.
typedef struct tub_lines {
    tub_scan *scan;
    const char *name;
    tub_looks looks;
} tub_lines;

static tub_status flush_lines(tub_lines *lines, tub_error *err)
{
    tub_looks *looks = &lines->looks;
    tub_status status = TUB_OK;
    tub_in_parallel(looks->count, look, looks);
    for (size_t i = 0; status == TUB_OK && i < looks->count; i++) {
        const struct tub_look *line = &looks->items[i];
        status = line->there ? add_known(lines->scan, line->path, &line->info, err)
                             : add_file(lines->scan, line->path, NULL, err);
    }
    looks->count = 0;
    return status == TUB_OK ? status : tub_fail_within(err, status, "%s", lines->name);
}

// `line` is relative to the list's folder.
static tub_status add_line(tub_lines *lines, const char *line, tub_error *err)
{
    const char *name = lines->name, *slash = strrchr(name, '/');
    int folder = slash && line[0] != '/' && !is_descriptor(name) ? (int)(slash - name) + 1 : 0;
    TUB_TRY(look_later(&lines->looks, tub_arena_format(lines->scan->arena, "%.*s%s", folder, name, line), err));
    return lines->looks.count == TOGETHER ? flush_lines(lines, err) : TUB_OK;
}

static tub_status add_lines(tub_lines *lines, char *text, size_t bytes, tub_error *err)
{
    if (memchr(text, '\0', bytes))
        return tub_fail(err, TUB_ERROR_ARGUMENT, "%s: not a text file of one path a line", lines->name);
    if (bytes >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0)
        text += 3;
    char *rest = NULL;
    for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
        size_t length = strlen(line);
        if (length && line[length - 1] == '\r')
            line[length - 1] = '\0';
        if (line[0] != '#' && line[strspn(line, " \t")])
            TUB_TRY(add_line(lines, line, err));
    }
    return flush_lines(lines, err);
}

static tub_status add_list(tub_scan *scan, const char *name, tub_error *err)
{
    char *text = NULL;
    size_t bytes;
    tub_error why;
    if (tub_read_file(name, LIST_BYTES, &text, &bytes, &why) != TUB_OK)
        return tub_fail(err, TUB_ERROR_ARGUMENT, "list of videos: %s", why.text);
    const size_t before = scan->out->count;
    tub_lines lines = {.scan = scan, .name = name};
    tub_status status = add_lines(&lines, text, bytes, err);
    tub_free(lines.looks.items);
    tub_free(text);
    if (status == TUB_OK && scan->out->count == before)
        status = tub_fail(err, TUB_ERROR_ARGUMENT, "%s: this list names no video", name);
    return status;
}

static int by_path(const void *a, const void *b)
{
    return strcmp(((const tub_entry *)a)->path, ((const tub_entry *)b)->path);
}

tub_status tub_inputs_list(tub_arena *arena, const char *const *inputs, size_t count, bool recursive, tub_entries *out,
                           tub_error *err)
{
    tub_scan scan = {.arena = arena, .out = out, .recursive = recursive};
    *out = (tub_entries){0};
    if (!count)
        return tub_fail(err, TUB_ERROR_ARGUMENT, "no inputs: name video files, folders or @list.txt");
    for (size_t i = 0; i < count; i++) {
        const char *path = inputs[i] ? tub_arena_strdup(arena, inputs[i]) : NULL;
        if (!path)
            return tub_fail(err, inputs[i] ? TUB_ERROR_MEMORY : TUB_ERROR_ARGUMENT, "input %zu can't be read", i + 1);
        TUB_TRY(path[0] == '@' ? add_list(&scan, path + 1, err) : add_path(&scan, path, err));
    }
    qsort(out->items, out->count, sizeof *out->items, by_path);
    return TUB_OK;
}
