#include "temp_name.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "atomic_file.h"
#include "memory.h"

enum { HOST_BYTES = 65 };

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

static const char *name_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

char *tub_temp_name(const char *path, int n)
{
    char host[HOST_BYTES], tail[HOST_BYTES + 40];
    host_name(host);
    int tail_bytes = snprintf(tail, sizeof tail, ".%s.%ld.%d.tmp", host, (long)getpid(), n);
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

// Cuts ".<digits>" off the end of `text`; -1 where it doesn't end so.
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

// `text` ends with `tail`, which is cut off.
static bool cut_tail(char *text, const char *tail)
{
    size_t length = strlen(text), tail_length = strlen(tail);
    if (length < tail_length || strcmp(text + length - tail_length, tail) != 0)
        return false;
    text[length - tail_length] = 0;
    return true;
}

bool tub_temp_is_stale(const char *name)
{
    char text[NAME_MAX + 1], host[HOST_BYTES];
    if (name[0] != '.' || strlen(name) >= sizeof text)
        return false;
    memcpy(text, name, strlen(name) + 1);
    if (!cut_tail(text, ".tmp") || cut_number(text) < 0)
        return false;
    long pid = cut_number(text);
    host_name(host);
    if (pid <= 0 || pid > INT_MAX || !cut_tail(text, host) || !cut_tail(text, "."))
        return false;
    return kill((pid_t)pid, 0) < 0 && errno == ESRCH;
}

void tub_atomic_sweep(const char *folder)
{
    DIR *d = opendir(folder);
    if (!d)
        return;
    for (const struct dirent *e = readdir(d); e; e = readdir(d))
        if (tub_temp_is_stale(e->d_name))
            unlinkat(dirfd(d), e->d_name, 0);
    closedir(d);
}
