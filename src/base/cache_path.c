#include "cache_path.h"

#include <stdlib.h>
#include <string.h>

#include "atomic_file.h"
#include "memory.h"

char *tub_cache_path(const char *name)
{
    static const struct {
        const char *variable, *below;
    } places[] = {{"XDG_CACHE_HOME", ""}, {"HOME", "/.cache"}};
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        const char *value = getenv(places[i].variable);
        if (value && value[0] == '/')
            return tub_format("%s%s/tubelet/%s", value, places[i].below, name);
    }
    return NULL;
}

bool tub_cache_save(const char *path, const void *data, size_t bytes)
{
    const char *slash = strrchr(path, '/');
    char *folder = slash ? tub_format("%.*s", (int)(slash - path), path) : NULL;
    const bool saved =
        folder && tub_make_folder(folder, NULL) == TUB_OK && tub_atomic_save(path, data, bytes, NULL) == TUB_OK;
    tub_free(folder);
    return saved;
}
