#include "cache_path.h"

#include <stdlib.h>

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
