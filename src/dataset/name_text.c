#include "name_text.h"

#include <string.h>

// Bytes of the UTF-8 sequence that starts at `s`, 0 where it isn't one (overlong forms and surrogates included).
static size_t sequence(const unsigned char *s)
{
    if (s[0] < 0x80)
        return 1;
    size_t length = s[0] >= 0xf0 ? 4 : s[0] >= 0xe0 ? 3 : 2;
    if (s[0] < 0xc2 || s[0] > 0xf4)
        return 0;
    for (size_t i = 1; i < length; i++)
        if ((s[i] & 0xc0) != 0x80)
            return 0;
    bool overlong = (s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xf0 && s[1] < 0x90);
    bool outside = (s[0] == 0xed && s[1] > 0x9f) || (s[0] == 0xf4 && s[1] > 0x8f);
    return overlong || outside ? 0 : length;
}

char *tub_name_text(tub_arena *arena, const char *name)
{
    static const char mark[] = "\xef\xbf\xbd", digits[] = "0123456789abcdef";
    size_t bytes = strlen(name);
    char *text = tub_arena_alloc(arena, bytes + 1, sizeof mark + 1);
    if (!text)
        return NULL;
    char *to = text;
    const unsigned char *from = (const unsigned char *)name;
    while (*from) {
        size_t length = sequence(from);
        if (length && memcmp(from, mark, length == 3 ? 3 : 1)) {
            memcpy(to, from, length);
            to += length;
            from += length;
            continue;
        }
        memcpy(to, mark, 3);
        to[3] = digits[*from >> 4];
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
