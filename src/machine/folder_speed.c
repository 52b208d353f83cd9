// Free space and speed of a folder that will be written to.
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "clock.h"
#include "fail.h"
#include "machine_impl.h"
#include "memory.h"
#include "temp_name.h"

enum { PIECE = 1 << 20, PIECES = 32 };
static const double patience = 0.5;

// The folder, or the nearest one above it that exists.
static char *nearest_folder(const char *path)
{
    struct stat about;
    char *folder = tub_strdup(path);
    while (folder && (stat(folder, &about) != 0 || !S_ISDIR(about.st_mode)) && strcmp(folder, ".") &&
           strcmp(folder, "/")) {
        char *above = tub_folder_of(folder);
        tub_free(folder);
        folder = above;
    }
    return folder;
}

// A file without a name: nothing is left behind, however this ends.
static int open_nameless(const char *folder)
{
    int fd = open(folder, O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600);
    if (fd >= 0 || (errno != EOPNOTSUPP && errno != EISDIR && errno != EINVAL))
        return fd;
    char *path = tub_format("%s/.tubelet-speed.%d.tmp", folder, (int)getpid());
    fd = path ? open(path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600) : -1;
    int error = errno;
    if (fd >= 0)
        unlink(path);
    tub_free(path);
    errno = error;
    return fd;
}

// Bytes per second; 0 with errno if it fails.
static double write_pieces(int fd, const void *piece)
{
    double began = tub_now(), bytes = 0;
    for (int i = 0; i < PIECES && tub_now() - began < patience; i++) {
        ssize_t n = write(fd, piece, PIECE);
        if (n <= 0)
            return 0;
        bytes += (double)n;
    }
    return fsync(fd) == 0 ? bytes / (tub_now() - began + 1e-9) : 0;
}

tub_status tub_find_folder(tub_machine *m, const char *path, tub_error *err)
{
    struct statvfs room;
    void *piece = tub_calloc(PIECE, 1);
    m->folder_path = piece ? nearest_folder(path) : NULL;
    if (!m->folder_path) {
        tub_free(piece);
        return tub_fail_memory(err, "the speed of a folder");
    }
    memset(piece, 0xa5, PIECE);
    m->folder.path = m->folder_path;
    if (statvfs(m->folder_path, &room) == 0)
        m->folder.free_bytes = (uint64_t)room.f_bavail * room.f_frsize;
    int fd = open_nameless(m->folder_path);
    m->folder.bytes_per_second = fd >= 0 ? write_pieces(fd, piece) : 0;
    if (m->folder.bytes_per_second == 0)
        snprintf(m->folder.reason, sizeof m->folder.reason, "can't be written: %s", strerror(errno));
    if (fd >= 0)
        close(fd);
    tub_free(piece);
    return TUB_OK;
}
