#include "save_file.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli.h"

bool cli_is_no_file(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 && !S_ISREG(info.st_mode);
}

int cli_save_file(const char *path, void (*put)(FILE *to, const void *what), const void *what)
{
    char *temporary = NULL;
    if (cli_is_no_file(path))
        return cli_refuse(CLI_OUTPUT, "%s: is a folder or a device: name a file", path);
    if (asprintf(&temporary, "%s.%ld.tmp", path, (long)getpid()) < 0)
        return cli_refuse(CLI_FATAL, "out of memory");
    FILE *f = fopen(temporary, "we");
    bool ok = f != NULL;
    if (f) {
        put(f, what);
        ok = !ferror(f);
        ok &= fclose(f) == 0;
        ok = ok && rename(temporary, path) == 0;
    }
    int error = errno;
    if (!ok && f)
        unlink(temporary);
    free(temporary);
    return ok ? CLI_OK : cli_refuse(CLI_OUTPUT, "%s: can't be written: %s", path, strerror(error));
}
