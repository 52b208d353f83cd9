// JSON on stdout, one object per line. New keys may be added at any time; no key changes its meaning.
#ifndef TUB_CLI_JSON_EVENTS_H
#define TUB_CLI_JSON_EVENTS_H

#include <jansson.h>

// Prints the object and frees it. NULL (out of memory) prints nothing.
void cli_print_json(json_t *object);
// A JSON string from any bytes: what isn't UTF-8 becomes U+FFFD. NULL gives null.
json_t *cli_json_text(const char *text);

#endif
