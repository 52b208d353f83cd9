#include "name_text.h"

#include <stdbool.h>
#include <string.h>

#include "utf8.h"

static const char mark[] = "\xef\xbf\xbd";

// Whether the name can stay as it is.
static bool is_plain(const char *name)
{
    for (size_t length; *name; name += length) {
        length = tub_utf8_sequence(name);
        if (!length || (length == 3 && memcmp(name, mark, 3) == 0))
            return false;
    }
    return true;
}

const char *tub_name_text(tub_arena *arena, const char *name)
{
    static const char digits[] = "0123456789abcdef";
    if (is_plain(name))
        return name;
    char *text = tub_arena_alloc(arena, strlen(name) + 1, sizeof mark + 1);
    if (!text)
        return NULL;
    char *to = text;
    for (const char *from = name; *from;) {
        size_t length = tub_utf8_sequence(from);
        if (length && (length != 3 || memcmp(from, mark, 3))) {
            memcpy(to, from, length);
            to += length;
            from += length;
            continue;
        }
        memcpy(to, mark, 3);
        to[3] = digits[(unsigned char)*from >> 4];
        to[4] = digits[*from++ & 15];
        to += 5;
    }
    *to = '\0';
    return text;
}

size_t tub_stem_of(const char *path, const char **base)
{
    const char *slash = strrchr(path, '/');
    *base = slash ? slash + 1 : path;
    const char *dot = strrchr(*base, '.');
    return dot && dot != *base ? (size_t)(dot - *base) : strlen(*base);
}
