#include "save_file.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"

int cli_save_file(const char *path, void (*put)(FILE *to, const void *what), const void *what)
{
    char *temporary = NULL;
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
