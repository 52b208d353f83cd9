#include "openvino_find.h"

#include <dlfcn.h>
#include <glob.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "memory.h"

static const char library[] = "libopenvino_c.so";

// Where a folder with OpenVINO has its libraries: the folder itself, the wheel's package, `pip --target`'s folder, a
// virtual environment or a prefix, the archive.
static const char *const below[] = {
    "",
    "/libs",
    "/openvino/libs",
    "/lib/python3*/site-packages/openvino/libs",
    "/lib/python3*/dist-packages/openvino/libs",
    "/runtime/lib/*",
};

// A folder's name as a pattern that matches only this folder.
static char *escape(const char *text)
{
    char *out = tub_calloc(2 * strlen(text) + 1, 1), *to = out;
    for (; out && *text; text++) {
        if (strchr("*?[\\", *text))
            *to++ = '\\';
        *to++ = *text;
    }
    return out;
}

static bool try_pattern(const char *folder, const char *under, tub_openvino_try attempt, void *user)
{
    char *escaped = escape(folder), *pattern = NULL;
    if (escaped)
        pattern = tub_format("%s%s/%s*", escaped, under, library);
    glob_t found;
    bool done = false;
    if (pattern && glob(pattern, 0, NULL, &found) == 0) {
        for (size_t i = 0; i < found.gl_pathc && !done; i++)
            done = attempt(user, found.gl_pathv[i]);
        globfree(&found);
    }
    tub_free(pattern);
    tub_free(escaped);
    return done;
}

bool tub_openvino_try_place(const char *place, tub_openvino_try attempt, void *user)
{
    struct stat info;
    if (stat(place, &info) != 0)
        return false;
    if (!S_ISDIR(info.st_mode))
        return attempt(user, place);
    for (size_t i = 0; i < sizeof below / sizeof *below; i++)
        if (try_pattern(place, below[i], attempt, user))
            return true;
    return false;
}

// Tries `openvino` in the folder of `file`.
static bool try_beside(const char *file, tub_openvino_try attempt, void *user)
{
    char path[PATH_MAX];
    if (!realpath(file, path))
        return false;
    *strrchr(path, '/') = 0;
    char *place = tub_format("%s/openvino", path);
    bool done = place && tub_openvino_try_place(place, attempt, user);
    tub_free(place);
    return done;
}

static bool try_below_variable(const char *name, const char *under, tub_openvino_try attempt, void *user)
{
    const char *value = getenv(name);
    if (!value || value[0] != '/')
        return false;
    char *place = tub_format("%s%s", value, under);
    bool done = place && tub_openvino_try_place(place, attempt, user);
    tub_free(place);
    return done;
}

bool tub_openvino_try_usual(tub_openvino_try attempt, void *user)
{
    Dl_info self;
    return attempt(user, library) || try_beside("/proc/self/exe", attempt, user) ||
           (dladdr(library, &self) && self.dli_fname && try_beside(self.dli_fname, attempt, user)) ||
           try_below_variable("VIRTUAL_ENV", "", attempt, user) ||
           try_below_variable("CONDA_PREFIX", "", attempt, user) ||
           try_below_variable("HOME", "/.local", attempt, user) || tub_openvino_try_place("/usr/local", attempt, user);
}
