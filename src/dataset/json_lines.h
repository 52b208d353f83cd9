// Files of one JSON object a line, as processes that get killed leave them: a torn line is skipped.
#ifndef TUB_JSON_LINES_H
#define TUB_JSON_LINES_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <tubelet/status.h>

#include "memory.h"

// Gets each line that is an object; false stops with TUB_ERROR_MEMORY.
typedef bool (*tub_json_line)(void *user, const json_t *object, const char *line);

// Errors: TUB_ERROR_OUTPUT (the file is there and can't be read), TUB_ERROR_MEMORY.
tub_status tub_json_lines_read(const char *path, tub_json_line each, void *user, tub_error *err);

// The paths of FOLDER/<prefix>.jsonl and <prefix>.<anything>.jsonl, in the order of their bytes. No folder, no paths.
typedef struct tub_paths {
    char **items;
    size_t count, capacity;
} tub_paths;
tub_status tub_json_lines_find(const char *folder, const char *prefix, tub_paths *out, tub_error *err);
void tub_paths_finish(tub_paths *paths);

#endif
