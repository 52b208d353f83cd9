#include "out_folder.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fail.h"

tub_status tub_out_folder_hold(const char *path, tub_out_folder *out, tub_error *err)
{
    // O_PATH also works for a folder that may be written but not read. While it is held open, no other folder gets its
    // inode number.
    *out = (tub_out_folder){.path = path, .fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC)};
    return out->fd >= 0 ? TUB_OK
                        : tub_fail(err, TUB_ERROR_OUTPUT, "%s: can't open the folder: %s", path, strerror(errno));
}

// 0, or the system's error; ENOENT for another folder.
static int look(const tub_out_folder *f)
{
    struct stat held, found, settings;
    if (fstat(f->fd, &held) != 0 || stat(f->path, &found) != 0 || fstatat(f->fd, "features.json", &settings, 0) != 0)
        return errno;
    return held.st_dev == found.st_dev && held.st_ino == found.st_ino ? 0 : ENOENT;
}

tub_status tub_out_folder_check(const tub_out_folder *f, tub_error *err)
{
    const int error = look(f);
    if (!error)
        return TUB_OK;
    if (error != ENOENT && error != ENOTDIR && error != ESTALE)
        return tub_fail(err, TUB_ERROR_OUTPUT, "%s: can't be looked into any more: %s", f->path, strerror(error));
    return tub_fail(err, TUB_ERROR_OUTPUT,
                    "%s: this folder was deleted, moved, emptied or replaced during the run, and what was written to "
                    "it with it: put it back, or run again",
                    f->path);
}

void tub_out_folder_release(tub_out_folder *f)
{
    if (f->fd >= 0)
        close(f->fd);
    f->fd = -1;
}
