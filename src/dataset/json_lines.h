// Files with one JSON object per line. A process may have been killed while writing: a torn line is skipped.
#ifndef TUB_JSON_LINES_H
#define TUB_JSON_LINES_H

#include <stdbool.h>
#include <stddef.h>
#include <tubelet/status.h>

#include "json_scan.h"

// Gets each line that is an object, with the requested fields. Lines and texts are valid during the call. False stops
// with TUB_ERROR_MEMORY.
typedef bool (*tub_json_line)(void *user, const tub_field *fields, const char *line, size_t bytes);

// Errors: TUB_ERROR_OUTPUT (the file exists but can't be read), TUB_ERROR_MEMORY.
tub_status tub_json_lines_read(const char *path, const char *const *keys, size_t count, tub_json_line each, void *user,
                               tub_error *err);

#endif
