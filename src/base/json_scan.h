// Scans a line of JSON without building values: finds the wanted fields, and whether the whole line is an object.
//
// For files with very many lines. What scanning can't handle (an escaped character in a wanted text, a number that
// isn't an int64) is left to the parser: see json.h.
#ifndef TUB_JSON_SCAN_H
#define TUB_JSON_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum tub_field_kind {
    TUB_FIELD_NONE = 0,     // absent
    TUB_FIELD_TEXT = 1,
    TUB_FIELD_INTEGER = 2,
    TUB_FIELD_OTHER = 3,
} tub_field_kind;

typedef struct tub_field {
    tub_field_kind kind;
    const char *text;       // TEXT: in the line, not NUL-terminated; OTHER: the whole value
    size_t bytes;
    int64_t number;         // INTEGER
} tub_field;

typedef enum tub_scan {
    TUB_SCAN_OBJECT = 0,
    TUB_SCAN_NONE = 1,      // not an object, or not JSON
    TUB_SCAN_HARD = 2,      // use the parser
} tub_scan;

// `text`: NUL-terminated, `bytes` long. `fields[i]` is the value under `keys[i]` of the outermost object; if a key
// occurs several times, the last value, as in the parser.
tub_scan tub_json_scan(const char *text, size_t bytes, const char *const *keys, size_t count, tub_field *fields);

// Hands out the members of an object one by one. `text`: as above, or that of an OTHER. The result is HARD if a name is
// escaped or `each` returned false; neither stops the scan.
tub_scan tub_json_members(const char *text, size_t bytes,
                          bool (*each)(void *user, const tub_field *name, const tub_field *value), void *user);
// Likewise for the members of the object under `key` in it. NONE: there is no such object.
tub_scan tub_json_members_of(const char *text, size_t bytes, const char *key,
                             bool (*each)(void *user, const tub_field *name, const tub_field *value), void *user);

#endif
