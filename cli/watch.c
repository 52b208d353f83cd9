#include "watch.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli.h"
#include "console.h"

// Hours later would be late to say so.
static int check_writable(const cli_arguments *args, option_id id, const char *name)
{
    const char *path = cli_text(args, id, NULL);
    if (!path)
        return CLI_OK;
    char *folder = strdup(path), *slash = folder ? strrchr(folder, '/') : NULL;
    struct stat info;
    if (slash)
        slash[slash == folder] = '\0';
    const char *below = slash ? folder : ".";
    const char *why = NULL;
    if (!stat(path, &info) && S_ISDIR(info.st_mode))
        why = "it is a folder: name a file";
    else if (access(below, W_OK))
        why = strerror(errno);
    free(folder);
    return why ? cli_refuse(CLI_OUTPUT, "--%s %s: can't be written: %s", name, path, why) : CLI_OK;
}

// A profiler that is in the process gets its ranges without --trace as well.
static int open_trace(cli_watch *w)
{
    tub_error err;
    const char *profiler = getenv("NVTX_INJECTION64_PATH");
    bool asked = cli_given(w->args, OPTION_TRACE);
    if (!asked && !(profiler && *profiler))
        return CLI_OK;
    tub_trace_params params = {.size = sizeof params, .ranges_only = !asked};
    return tub_trace_open(&params, &w->trace, &err) == TUB_OK ? CLI_OK : cli_fail(&err);
}

int cli_watch_open(cli_watch *w, const cli_arguments *args)
{
    *w = (cli_watch){.args = args};
    int code = check_writable(args, OPTION_TRACE, "trace");
    return code == CLI_OK ? open_trace(w) : code;
}

static int save_trace(cli_watch *w)
{
    tub_error err;
    const char *path = cli_text(w->args, OPTION_TRACE, NULL);
    if (!path || !w->trace)
        return CLI_OK;
    if (tub_trace_save(w->trace, path, &err) != TUB_OK)
        return cli_fail(&err);
    long long dropped = (long long)tub_trace_dropped(w->trace);
    if (dropped > 0)
        cli_say(stderr, "tubelet: warning: %s lacks %lld events for want of room", path, dropped);
    return CLI_OK;
}

int cli_watch_end(cli_watch *w)
{
    return save_trace(w);
}

void cli_watch_finish(cli_watch *w)
{
    tub_trace_close(&w->trace);
}
