#include "folder_lock.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

int tub_folder_lock(const char *folder)
{
    int file = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (file < 0)
        return -1;
    int got;
    do
        got = flock(file, LOCK_EX);
    while (got != 0 && errno == EINTR);
    if (got == 0)
        return file;
    close(file);
    return -1;
}

void tub_folder_unlock(int lock)
{
    if (lock >= 0)
        close(lock);
}
