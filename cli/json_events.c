#include "json_events.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "console.h"

void cli_print_json(json_t *object)
{
    char *text = object ? json_dumps(object, JSON_COMPACT | JSON_REAL_PRECISION(10)) : NULL;
    if (text)
        cli_put(stdout, "%s", text);
    free(text);
    json_decref(object);
}

// The length of the UTF-8 sequence that jansson accepts at `at`, 0 if there is none.
static size_t sequence(const char *at)
{
    unsigned char first = (unsigned char)*at;
    size_t length = first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
    if (strnlen(at, length) < length)
        return 0;
    json_t *valid = json_stringn(at, length);
    json_decref(valid);
    return valid ? length : 0;
}

json_t *cli_json_text(const char *text)
{
    if (!text)
        return json_null();
    json_t *valid = json_string(text);
    if (valid)
        return valid;
    char *mended = malloc(3 * strlen(text) + 1);
    if (!mended)
        return NULL;
    size_t used = 0;
    while (*text) {
        size_t length = sequence(text);
        memcpy(mended + used, length ? text : "\xef\xbf\xbd", length ? length : 3);
        used += length ? length : 3;
        text += length ? length : 1;
    }
    json_t *out = json_stringn(mended, used);
    free(mended);
    return out;
}
