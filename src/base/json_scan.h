// A line of JSON looked through without building it: the fields that are wanted, and whether all of it is an object.
//
// For files of very many lines. What takes more than looking (an escaped character in a wanted text, a number that
// isn't an int64) is the parser's: see json.h.
#ifndef TUB_JSON_SCAN_H
#define TUB_JSON_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum tub_field_kind {
    TUB_FIELD_NONE = 0,     // not there
    TUB_FIELD_TEXT = 1,
    TUB_FIELD_INTEGER = 2,
    TUB_FIELD_OTHER = 3,
} tub_field_kind;

typedef struct tub_field {
    tub_field_kind kind;
    const char *text;       // of TEXT: in the line, not NUL-terminated; of OTHER: all of the value
    size_t bytes;
    int64_t number;         // of INTEGER
} tub_field;

typedef enum tub_scan {
    TUB_SCAN_OBJECT = 0,
    TUB_SCAN_NONE = 1,      // not an object, or not JSON
    TUB_SCAN_HARD = 2,      // let the parser look
} tub_scan;

// `text`: NUL-terminated, `bytes` long. `fields[i]` is the value under `keys[i]` of the outermost object; of several
// under one key the last, as the parser has it.
tub_scan tub_json_scan(const char *text, size_t bytes, const char *const *keys, size_t count, tub_field *fields);

// Hands out the members of an object one by one. `text`: as above, or an OTHER's. It turns out HARD where a name is
// escaped or `each` returned false, which doesn't stop it.
tub_scan tub_json_members(const char *text, size_t bytes,
                          bool (*each)(void *user, const tub_field *name, const tub_field *value), void *user);
// Likewise those of the object under `key` in it: NONE where there is none.
tub_scan tub_json_members_of(const char *text, size_t bytes, const char *key,
                             bool (*each)(void *user, const tub_field *name, const tub_field *value), void *user);

#endif
