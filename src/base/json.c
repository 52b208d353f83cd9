#include "json.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "atomic_file.h"
#include "fail.h"
#include "memory.h"
#include "shortage.h"

enum { JSON_MOST = 64 << 20 };

// If an allocation failed for a moment, the value may lack a letter.
static bool is_doubtful(const json_t *value, const char *text, size_t bytes)
{
    if (!tub_shortage_may_be())
        return false;
    json_t *again = tub_shortage_is(bytes) ? NULL : json_loadb(text, bytes, JSON_REJECT_DUPLICATES, NULL);
    const bool same = again && json_equal(value, again);
    json_decref(again);
    errno = ENOMEM;
    return !same;
}

tub_status tub_json_parse(const char *text, size_t bytes, const char *name, tub_status status, json_t **out,
                          tub_error *err)
{
    json_error_t e;
    *out = NULL;
    // jansson ignores a NUL byte after a number.
    if (memchr(text, 0, bytes))
        return tub_fail(err, status, "%s: not valid JSON: a NUL byte in it", name);
    tub_shortage_watch();
    *out = json_loadb(text, bytes, JSON_REJECT_DUPLICATES, &e);
    // If memory is short, jansson says nothing, or that the text is wrong.
    if (*out && !is_doubtful(*out, text, bytes))
        return TUB_OK;
    if (*out || tub_shortage_may_be() || !e.text[0] || json_error_code(&e) == json_error_out_of_memory) {
        json_decref(*out);
        *out = NULL;
        return tub_fail_memory(err, name);
    }
    return tub_fail(err, status, "%s: not valid JSON: line %d, column %d: %s", name, e.line, e.column, e.text);
}

tub_status tub_json_load(const char *path, tub_status status, json_t **out, tub_error *err)
{
    return tub_json_load_as(path, status, status, out, err);
}

tub_status tub_json_load_as(const char *path, tub_status unread, tub_status wrong, json_t **out, tub_error *err)
{
    struct stat info;
    char *text = NULL;
    size_t bytes = 0;
    *out = NULL;
    if (stat(path, &info) == 0 && !S_ISREG(info.st_mode) && !S_ISDIR(info.st_mode)) // reading it reports a folder
        return tub_fail(err, wrong, "%s: isn't a file to be read: not a regular file", path);
    tub_status s = tub_read_file(path, JSON_MOST, &text, &bytes, err);
    if (s == TUB_ERROR_INPUT) {
        if (err)
            err->status = unread;
        return unread;
    }
    TUB_TRY(s);
    s = tub_json_parse(text, bytes, path, wrong, out, err);
    tub_free(text);
    return s;
}

char *tub_json_text(const json_t *value, size_t flags)
{
    tub_shortage_watch();
    char *text = json_dumps(value, flags);
    if (!text || !tub_shortage_may_be())
        return text;
    // jansson silently leaves out keys for which there is no memory.
    char *again = tub_shortage_is(strlen(text)) ? NULL : json_dumps(value, flags);
    const bool same = again && strcmp(text, again) == 0;
    free(again);
    if (same)
        return text;
    free(text);
    return NULL;
}

static const char *type_name(const json_t *value)
{
    static const char *const names[] = {"an object",     "an array", "a string", "an integer",
                                        "a real number", "true",     "false",    "null"};
    return names[json_typeof(value)];
}

// The value, or NULL if it is absent or null.
static const json_t *find(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    return value && !json_is_null(value) ? value : NULL;
}

static tub_status wrong(const json_t *value, const char *where, const char *key, const char *wanted, tub_error *err)
{
    return tub_fail(err, TUB_ERROR_MODEL, "%s: key \"%s\" must be %s, not %s", where, key, wanted, type_name(value));
}

tub_status tub_json_int(const json_t *object, const char *where, const char *key, int64_t fallback, int64_t low,
                        int64_t high, int64_t *out, tub_error *err)
{
    *out = fallback;
    const json_t *value = find(object, key);
    if (!value)
        return TUB_OK;
    if (!json_is_integer(value))
        return wrong(value, where, key, "an integer", err);
    int64_t number = json_integer_value(value);
    if (number < low || number > high)
        return tub_fail(err, TUB_ERROR_MODEL, "%s: key \"%s\" is %lld: it must be between %lld and %lld", where, key,
                        (long long)number, (long long)low, (long long)high);
    *out = number;
    return TUB_OK;
}

tub_status tub_json_double(const json_t *object, const char *where, const char *key, double fallback, double *out,
                           tub_error *err)
{
    *out = fallback;
    const json_t *value = find(object, key);
    if (!value)
        return TUB_OK;
    if (!json_is_number(value) || !isfinite(json_number_value(value)))
        return wrong(value, where, key, "a number", err);
    *out = json_number_value(value);
    return TUB_OK;
}

tub_status tub_json_bool(const json_t *object, const char *where, const char *key, bool fallback, bool *out,
                         tub_error *err)
{
    *out = fallback;
    const json_t *value = find(object, key);
    if (!value)
        return TUB_OK;
    if (!json_is_boolean(value))
        return wrong(value, where, key, "true or false", err);
    *out = json_is_true(value);
    return TUB_OK;
}

tub_status tub_json_string(const json_t *object, const char *where, const char *key, const char *fallback,
                           const char **out, tub_error *err)
{
    *out = fallback;
    const json_t *value = find(object, key);
    if (!value)
        return TUB_OK;
    if (!json_is_string(value))
        return wrong(value, where, key, "a string", err);
    *out = json_string_value(value);
    return TUB_OK;
}
