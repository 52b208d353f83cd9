#include "profile_folder.h"

#include <stdio.h>
#include <string.h>
#include <tubelet/status.h>

#include "backend.h"
#include "cache_path.h"
#include "memory.h"

bool tub_profile_folder(char *out, size_t size)
{
    char *path = tub_cache_path("profiles");
    const bool fits = path && snprintf(out, size, "%s", path) < (int)size;
    tub_free(path);
    return fits;
}

void tub_profile_build(char out[TUB_PROFILE_BUILD])
{
    const tub_backend_ops *ops;
    snprintf(out, TUB_PROFILE_BUILD, "%s %s", tub_version(), tub_backends_identity());
    for (size_t i = 0; (ops = tub_backend_at(i)); i++) {
        char library[64] = "";
        const size_t used = strlen(out);
        if (ops->library && !ops->count)
            ops->library(library, sizeof library);
        if (library[0])
            snprintf(out + used, TUB_PROFILE_BUILD - used, ", %s", library);
    }
}
