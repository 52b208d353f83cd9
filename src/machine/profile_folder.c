#include "profile_folder.h"

#include <stdio.h>
#include <stdlib.h>

bool tub_profile_folder(char *out, size_t size)
{
    const char *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    if (cache && *cache == '/')
        return snprintf(out, size, "%s/tubelet/profiles", cache) < (int)size;
    return home && *home == '/' && snprintf(out, size, "%s/.cache/tubelet/profiles", home) < (int)size;
}
