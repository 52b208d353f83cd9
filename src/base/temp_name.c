#include "temp_name.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "atomic_file.h"
#include "memory.h"

enum { HOST_BYTES = 65, PLACE_BYTES = HOST_BYTES + 16, DAY = 86400, WEEK = 7 * DAY };

static void host_name(char out[HOST_BYTES])
{
    if (gethostname(out, HOST_BYTES) < 0)
        out[0] = 0;
    out[HOST_BYTES - 1] = 0;
    for (char *c = out; *c; c++)
        if (*c == '/')
            *c = '_';
    if (!out[0])
        snprintf(out, HOST_BYTES, "localhost");
}

// The place where a process number is unique: a host, or a container on it that may have the host's name.
static void place_name(char out[PLACE_BYTES])
{
    static const char first[] = "pid:[4026531836]"; // the host's own
    char link[32] = "";
    host_name(out);
    ssize_t length = readlink("/proc/self/ns/pid", link, sizeof link - 1);
    if (length > 0 && strcmp(link, first) != 0)
        snprintf(out + strlen(out), PLACE_BYTES - HOST_BYTES, "+%.*s", (int)strspn(link + 5, "0123456789"), link + 5);
}

static const char *name_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

char *tub_temp_name(const char *path, int n)
{
    char place[PLACE_BYTES], tail[PLACE_BYTES + 40];
    place_name(place);
    int tail_bytes = snprintf(tail, sizeof tail, ".%s.%ld.%d.tmp", place, (long)getpid(), n);
    const char *name = name_of(path);
    int folder_bytes = (int)(name - path);
    return tub_format("%.*s.%.*s%s", folder_bytes, path, NAME_MAX - 1 - tail_bytes, name, tail);
}

char *tub_folder_of(const char *path)
{
    const char *name = name_of(path);
    if (name == path)
        return tub_strdup(".");
    return name == path + 1 ? tub_strdup("/") : tub_format("%.*s", (int)(name - path - 1), path);
}

// Cuts ".<digits>" off the end of `text` and returns the number; -1 if it has no such end.
static long cut_number(char *text)
{
    char *dot = strrchr(text, '.');
    if (!dot || !dot[1] || strspn(dot + 1, "0123456789") != strlen(dot + 1))
        return -1;
    errno = 0;
    long number = strtol(dot + 1, NULL, 10);
    *dot = 0;
    return errno ? -1 : number;
}

// Cuts `tail` off the end of `text`. False: it has no such end.
static bool cut_tail(char *text, const char *tail)
{
    size_t length = strlen(text), tail_length = strlen(tail);
    if (length < tail_length || strcmp(text + length - tail_length, tail) != 0)
        return false;
    text[length - tail_length] = 0;
    return true;
}

// Cuts off the name of our host, or of one of its containers. False: `text` ends with neither.
static bool cut_container(char *text, const char *host)
{
    char *plus = strrchr(text, '+');
    if (plus && plus[1] && strspn(plus + 1, "0123456789") == strlen(plus + 1))
        *plus = 0;
    return cut_tail(text, host);
}

// Processes of another container or host can't be looked up. A live one has written within a day. On another host (pods
// have a new one each time), it may also have been suspended for some days.
bool tub_temp_is_stale(const char *name, time_t written, time_t folder)
{
    char text[NAME_MAX + 1], place[PLACE_BYTES];
    if (name[0] != '.' || strlen(name) >= sizeof text)
        return false;
    memcpy(text, name, strlen(name) + 1);
    if (!cut_tail(text, ".tmp") || cut_number(text) < 0)
        return false;
    long pid = cut_number(text);
    if (pid <= 0 || pid > INT_MAX)
        return false;
    place_name(place);
    if (cut_tail(text, place) && cut_tail(text, "."))
        return kill((pid_t)pid, 0) < 0 && errno == ESRCH;
    host_name(place);
    const time_t now = time(NULL);
    if (cut_container(text, place) && cut_tail(text, "."))
        return now - written > DAY;
    // Check against the clock of the folder's server too, since ours may be wrong.
    return now - written > WEEK && folder - written > WEEK && strchr(text + 1, '.');
}

void tub_atomic_sweep(const char *folder)
{
    struct stat info, above;
    DIR *d = opendir(folder);
    bool known = d && fstat(dirfd(d), &above) == 0;
    for (const struct dirent *e = known ? readdir(d) : NULL; e; e = readdir(d))
        if (e->d_name[0] == '.' && fstatat(dirfd(d), e->d_name, &info, AT_SYMLINK_NOFOLLOW) == 0 &&
            S_ISREG(info.st_mode) && tub_temp_is_stale(e->d_name, info.st_mtime, above.st_mtime))
            unlinkat(dirfd(d), e->d_name, 0);
    if (d)
        closedir(d);
}

void tub_atomic_sweep_beside(const char *path)
{
    char *folder = tub_folder_of(path);
    if (folder)
        tub_atomic_sweep(folder);
    tub_free(folder);
}
