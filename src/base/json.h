// JSON through jansson, with errors that name the file and the key.
#ifndef TUB_JSON_H
#define TUB_JSON_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <tubelet/status.h>

// Parses a file (at most 64 MiB): rejects duplicate keys, checks UTF-8. *out is the caller's (json_decref).
// Errors: `status`, also if there is no such file, or if it is a pipe or a device, which might block forever.
tub_status tub_json_load(const char *path, tub_status status, json_t **out, tub_error *err);
// The same, with `unread` if the file can't be read (or is too large), and `wrong` if it isn't JSON.
tub_status tub_json_load_as(const char *path, tub_status unread, tub_status wrong, json_t **out, tub_error *err);
tub_status tub_json_parse(const char *text, size_t bytes, const char *name, tub_status status, json_t **out, tub_error *err);

// The text of a value, with jansson's flags; freed with tub_free(). NULL: out of memory.
char *tub_json_text(const json_t *value, size_t flags);

// A typed value of an object, or `fallback` if the key is absent or null. Errors: TUB_ERROR_MODEL "<where>: key …" if
// the value has another type or is outside [low, high].
tub_status tub_json_int(const json_t *object, const char *where, const char *key, int64_t fallback, int64_t low, int64_t high, int64_t *out, tub_error *err);
tub_status tub_json_double(const json_t *object, const char *where, const char *key, double fallback, double *out, tub_error *err);
tub_status tub_json_bool(const json_t *object, const char *where, const char *key, bool fallback, bool *out, tub_error *err);
// The string is borrowed from the object.
tub_status tub_json_string(const json_t *object, const char *where, const char *key, const char *fallback, const char **out, tub_error *err);

#endif
