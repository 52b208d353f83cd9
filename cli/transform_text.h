// A transform in words and numbers, and as JSON.
#ifndef TUB_CLI_TRANSFORM_TEXT_H
#define TUB_CLI_TRANSFORM_TEXT_H

#include <jansson.h>
#include <stddef.h>
#include <tubelet/transform.h>

// "shorter side to 256 (bicubic, antialiased, 8-bit), center crop 224x224, times 1/255, minus ..., over ..."
void cli_transform_text(const tub_transform *t, char *out, size_t bytes);
// New reference; NULL on failure.
json_t *cli_transform_json(const tub_transform *t);

#endif
