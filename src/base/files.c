// Lines appended to a file, folders, whole files in memory.
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "atomic_file.h"
#include "fail.h"
#include "memory.h"
#include "shortage.h"
#include "temp_name.h"

static tub_status cannot(tub_error *err, const char *what, const char *path, int error)
{
    return tub_fail(err, TUB_ERROR_OUTPUT, "%s: can't %s: %s", path, what, strerror(error));
}

int tub_open_to_write(const char *path, int flags)
{
    int fd = open(path, flags | O_CLOEXEC, 0666);
    if (fd < 0 || fd > STDERR_FILENO)
        return fd;
    int above = fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1), error = errno;
    close(fd);
    if (above < 0 && flags & O_EXCL)
        unlink(path);
    errno = error;
    return above;
}

// Finds out whether the file ends in the middle of a line. Returns 0 or the system's error.
static int look_at_end(int fd, bool *torn, bool *is_new)
{
    struct stat st;
    if (fstat(fd, &st) < 0)
        return errno;
    *torn = false;
    *is_new = st.st_size == 0;
    if (*is_new)
        return 0;
    char last;
    ssize_t n;
    do
        n = pread(fd, &last, 1, st.st_size - 1);
    while (n < 0 && errno == EINTR);
    if (n != 1)
        return n < 0 ? errno : EIO;
    *torn = last != '\n';
    return 0;
}

static int append_all(int fd, const char *text)
{
    for (size_t left = strlen(text); left;) {
        ssize_t n = write(fd, text, left);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 ? errno : EIO;
        text += n;
        left -= (size_t)n;
    }
    return 0;
}

static int sync_file(int fd)
{
    int synced;
    do
        synced = fsync(fd);
    while (synced < 0 && errno == EINTR);
    return synced < 0 ? errno : 0;
}

// A new file's name must survive too. File systems that can't sync folders are tolerated.
static void sync_name(const char *path)
{
    char *folder = tub_folder_of(path);
    int fd = folder ? open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    if (fd >= 0) {
        fsync(fd);
        close(fd);
    }
    tub_free(folder);
}

// The lines, each with a newline. If the file ends in a torn line, a newline to end it comes first.
static char *join_lines(const char *const *lines, size_t count, bool torn)
{
    size_t bytes = 2;
    for (size_t i = 0; i < count; i++)
        bytes += strlen(lines[i]) + 1;
    char *text = tub_calloc(bytes, 1), *to = text;
    if (text && torn)
        *to++ = '\n';
    for (size_t i = 0; text && i < count; i++) {
        to = stpcpy(to, lines[i]);
        *to++ = '\n';
    }
    return text;
}

static tub_status append(const char *path, const char *const *lines, size_t count, bool sync, tub_error *err)
{
    for (size_t i = 0; i < count; i++)
        if (strchr(lines[i], '\n'))
            return tub_fail(err, TUB_ERROR_INTERNAL, "%s: a line to append holds a newline", path);
    int fd = tub_open_to_write(path, O_RDWR | O_CREAT | O_APPEND);
    if (fd < 0)
        return cannot(err, "open it", path, errno);
    bool torn = false, is_new = false;
    int error = look_at_end(fd, &torn, &is_new);
    // One write, so that lines of several processes don't mix.
    char *text = error ? NULL : join_lines(lines, count, torn);
    if (!error)
        error = text ? append_all(fd, text) : ENOMEM;
    if (!error && sync)
        error = sync_file(fd);
    tub_free(text);
    if (close(fd) < 0 && !error && errno != EINTR)
        error = errno;
    if (error)
        return cannot(err, "append to it", path, error);
    if (is_new && sync)
        sync_name(path);
    return TUB_OK;
}

tub_status tub_append_lines(const char *path, const char *const *lines, size_t count, tub_error *err)
{
    return append(path, lines, count, true, err);
}

tub_status tub_append_line_unsynced(const char *path, const char *line, tub_error *err)
{
    return append(path, &line, 1, false, err);
}

tub_status tub_sync_lines(const char *path, tub_error *err)
{
    int fd = tub_open_to_write(path, O_RDWR | O_APPEND);
    if (fd < 0)
        return errno == ENOENT ? TUB_OK : cannot(err, "open it", path, errno);
    int error = sync_file(fd);
    close(fd);
    if (error)
        return cannot(err, "sync it", path, error);
    sync_name(path);
    return TUB_OK;
}

// Makes one folder, whose parent exists. Returns 0 or the system's error.
static int make_one(const char *path)
{
    struct stat st;
    if (mkdir(path, 0777) == 0)
        return 0;
    int error = errno;
    if (stat(path, &st) == 0)
        return S_ISDIR(st.st_mode) ? 0 : ENOTDIR;
    return error == EEXIST && errno != ENOENT ? errno : error; // if the server is gone, don't say "exists"
}

tub_status tub_make_folder(const char *path, tub_error *err)
{
    struct stat st;
    if (stat(path, &st) == 0 && S_ISDIR(st.st_mode)) // one call at any depth, as this is asked for each file
        return TUB_OK;
    char *part = tub_strdup(path);
    if (!part)
        return tub_fail_memory(err, "a path");
    tub_status s = *path ? TUB_OK : tub_fail(err, TUB_ERROR_OUTPUT, "the folder's name is empty");
    size_t length = strlen(part);
    for (size_t i = 1; i <= length && s == TUB_OK; i++) {
        if (part[i] != '/' && part[i] != 0)
            continue;
        char c = part[i];
        part[i] = 0;
        int error = make_one(part);
        if (error == ENOTDIR)
            s = tub_fail(err, TUB_ERROR_OUTPUT, "%s: is a file, a folder is needed", part);
        else if (error)
            s = cannot(err, "make the folder", part, error);
        part[i] = c;
    }
    tub_free(part);
    return s;
}

static tub_status read_all(int fd, const char *path, size_t most, char **out, size_t *bytes, tub_error *err)
{
    char *text = NULL;
    size_t capacity = 0, used = 0;
    struct stat st;
    // One byte more than the file has, so that the read also finds the end.
    size_t guess = fstat(fd, &st) == 0 && st.st_size > 0 && (size_t)st.st_size <= most ? (size_t)st.st_size + 2 : 4096;
    for (;;) {
        void *array = text;
        if (!tub_grow(&array, &capacity, used + 2 > guess ? used + 2 : guess, 1)) {
            tub_free(text);
            return tub_fail_memory(err, path);
        }
        text = array;
        ssize_t n = read(fd, text + used, capacity - used - 1);
        if (n < 0 && errno == EINTR)
            continue;
        int error = n < 0 ? errno : 0;
        used += n > 0 ? (size_t)n : 0;
        if (error || used > most) {
            tub_free(text);
            return error ? tub_fail(err, TUB_ERROR_INPUT, "%s: can't read it: %s", path, strerror(error))
                         : tub_fail(err, TUB_ERROR_INPUT, "%s: larger than the %zu bytes expected at most", path, most);
        }
        if (n == 0)
            break;
    }
    text[used] = 0;
    *out = text;
    *bytes = used;
    return TUB_OK;
}

tub_status tub_read_file(const char *path, size_t most, char **out, size_t *bytes, tub_error *err)
{
    *out = NULL;
    *bytes = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return tub_fail(err, tub_shortage_status(errno, TUB_ERROR_INPUT), "%s: can't open it: %s", path,
                        strerror(errno));
    tub_status s = read_all(fd, path, most, out, bytes, err);
    close(fd);
    return s;
}
