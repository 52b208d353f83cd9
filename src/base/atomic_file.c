#include "atomic_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fail.h"
#include "hash.h"
#include "memory.h"
#include "temp_name.h"

struct tub_atomic_file {
    char *path, *temp, *folder;
    int fd;
    int64_t end;
    bool failed; // a write failed: must not be committed
};

static tub_status cannot(tub_error *err, const char *what, const char *path, int error)
{
    return tub_fail(err, TUB_ERROR_OUTPUT, "%s: can't %s: %s", path, what, strerror(error));
}

static void release(tub_atomic_file **file)
{
    tub_atomic_file *f = *file;
    if (f->fd >= 0)
        close(f->fd);
    tub_free(f->folder);
    tub_free(f->temp);
    tub_free(f->path);
    tub_free(f);
    *file = NULL;
}

// Creates a temporary file under an unused name. If our own process already uses one, the next number is tried.
static int open_temp(tub_atomic_file *f)
{
    for (int n = 0; n < INT_MAX; n++) {
        f->temp = tub_temp_name(f->path, n);
        if (!f->temp) {
            errno = ENOMEM;
            return -1;
        }
        int fd = tub_open_to_write(f->temp, O_RDWR | O_CREAT | O_EXCL);
        if (fd >= 0)
            return fd;
        int error = errno;
        tub_free(f->temp);
        f->temp = NULL;
        if (error != EEXIST && error != EINTR) {
            errno = error;
            return -1;
        }
    }
    return -1;
}

tub_status tub_atomic_open(const char *path, tub_atomic_file **out, tub_error *err)
{
    struct stat info;
    *out = NULL;
    if (stat(path, &info) == 0 && !S_ISREG(info.st_mode)) // as root, the rename would replace /dev/null
        return tub_fail(err, TUB_ERROR_OUTPUT, "%s: is a folder or a device: name a file", path);
    tub_atomic_file *f = tub_calloc(1, sizeof *f);
    if (!f)
        return tub_fail_memory(err, path);
    f->fd = -1;
    f->path = tub_strdup(path);
    f->folder = tub_folder_of(path);
    if (!f->path || !f->folder) {
        release(&f);
        return tub_fail_memory(err, path);
    }
    f->fd = open_temp(f);
    if (f->fd < 0) {
        int error = errno;
        release(&f);
        return cannot(err, "create it", path, error);
    }
    *out = f;
    return TUB_OK;
}

// Writes all of it. Returns 0 or the system's error.
static int write_all(int fd, int64_t offset, const char *data, size_t bytes)
{
    while (bytes) {
        ssize_t n = pwrite(fd, data, bytes, offset);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 ? errno : EIO;
        data += n;
        offset += n;
        bytes -= (size_t)n;
    }
    return 0;
}

tub_status tub_atomic_write_at(tub_atomic_file *f, int64_t offset, const void *data, size_t bytes, tub_error *err)
{
    int error = write_all(f->fd, offset, data, bytes);
    if (error) {
        f->failed = true;
        return cannot(err, "write it", f->path, error);
    }
    if (offset + (int64_t)bytes > f->end)
        f->end = offset + (int64_t)bytes;
    return TUB_OK;
}

tub_status tub_atomic_write(tub_atomic_file *f, const void *data, size_t bytes, tub_error *err)
{
    return tub_atomic_write_at(f, f->end, data, bytes, err);
}

tub_status tub_atomic_checksum(tub_atomic_file *f, char out[TUB_HASH_TEXT], tub_error *err)
{
    enum { PIECE = 1 << 16 };
    tub_hash *hash = tub_hash_create();
    char *piece = tub_alloc_aligned(PIECE, 1);
    int error = hash && piece ? 0 : ENOMEM;
    for (int64_t at = 0; !error && at < f->end;) {
        ssize_t n = pread(f->fd, piece, f->end - at < PIECE ? (size_t)(f->end - at) : PIECE, at);
        if (n > 0) {
            tub_hash_update(hash, piece, (size_t)n);
            at += n;
        } else if (n == 0 || errno != EINTR) {
            error = n < 0 ? errno : EIO;
        }
    }
    if (!error)
        tub_hash_text(hash, out);
    tub_free(piece);
    tub_hash_destroy(&hash);
    return error ? cannot(err, "read it back", f->path, error) : TUB_OK;
}

static int sync_file(int fd)
{
    int r;
    do
        r = fsync(fd);
    while (r < 0 && errno == EINTR);
    return r < 0 ? errno : 0;
}

// Some file systems can't sync a folder, and a folder may be writable but not readable.
static int sync_folder(const char *folder)
{
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return errno == EACCES ? 0 : errno;
    int error = sync_file(fd);
    close(fd);
    return error == EINVAL || error == ENOTSUP ? 0 : error;
}

static int sync_data(tub_atomic_file *f, const char **what)
{
    *what = f->failed ? "keep it, a write failed" : "sync it";
    return f->failed ? EIO : sync_file(f->fd);
}

// Closes and renames. Returns 0 or the system's error; then *what says what couldn't be done.
static int give_name(tub_atomic_file *f, const char **what)
{
    *what = "close it";
    int closed = close(f->fd);
    f->fd = -1;
    // On Linux, an interrupted close has still closed the file, and the data is already safe.
    if (closed < 0 && errno != EINTR)
        return errno;
    *what = "rename its temporary file";
    return rename(f->temp, f->path) < 0 ? errno : 0;
}

// Syncs the folders of the first `count` files, once for consecutive files of the same folder.
static int sync_folders(tub_atomic_file *const *files, size_t count)
{
    int error = 0;
    for (size_t i = 0; i < count && !error; i++)
        if (i == 0 || strcmp(files[i]->folder, files[i - 1]->folder))
            error = sync_folder(files[i]->folder);
    return error;
}

tub_status tub_atomic_commit_all(tub_atomic_file **files, size_t count, size_t *done, tub_error *err)
{
    const char *what = "";
    size_t synced = 0, named = 0;
    int error = 0;
    // If the file system hears of all files first, it makes one commit instead of one per file. This is only a hint:
    // errors show later.
    for (size_t i = 0; i < count && count > 1; i++)
        sync_file_range(files[i]->fd, 0, 0, SYNC_FILE_RANGE_WRITE);
    while (synced < count && !(error = sync_data(files[synced], &what)))
        synced++;
    size_t failed = synced;
    for (int trouble = 0; named < synced && !trouble; named += !trouble)
        if ((trouble = give_name(files[named], &what))) {
            error = trouble;
            failed = named;
        }
    int folders = sync_folders(files, named);
    if (folders) {
        error = folders;
        what = "sync its folder";
        failed = 0;
    }
    tub_status status = error ? cannot(err, what, files[failed]->path, error) : TUB_OK;
    for (size_t i = 0; i < count; i++) {
        if (i >= named)
            unlink(files[i]->temp);
        release(&files[i]);
    }
    *done = folders ? 0 : named;
    return status;
}

tub_status tub_atomic_commit(tub_atomic_file **file, tub_error *err)
{
    size_t done;
    return tub_atomic_commit_all(file, 1, &done, err);
}

int64_t tub_atomic_mtime(const tub_atomic_file *f)
{
    struct stat info;
    return fstat(f->fd, &info) == 0 ? (int64_t)info.st_mtim.tv_sec * 1000000000 + info.st_mtim.tv_nsec : -1;
}

void tub_atomic_abandon(tub_atomic_file **file)
{
    if (!file || !*file)
        return;
    unlink((*file)->temp);
    release(file);
}

tub_status tub_atomic_save(const char *path, const void *data, size_t bytes, tub_error *err)
{
    tub_atomic_file *f;
    TUB_TRY(tub_atomic_open(path, &f, err));
    tub_status s = tub_atomic_write(f, data, bytes, err);
    if (s != TUB_OK) {
        tub_atomic_abandon(&f);
        return s;
    }
    return tub_atomic_commit(&f, err);
}
