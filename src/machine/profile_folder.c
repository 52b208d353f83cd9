#include "profile_folder.h"

#include <stdio.h>

#include "cache_path.h"
#include "memory.h"

bool tub_profile_folder(char *out, size_t size)
{
    char *path = tub_cache_path("profiles");
    const bool fits = path && snprintf(out, size, "%s", path) < (int)size;
    tub_free(path);
    return fits;
}
