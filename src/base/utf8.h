// UTF-8, one character at a time.
#ifndef TUB_UTF8_H
#define TUB_UTF8_H

#include <stdbool.h>
#include <stddef.h>

// Bytes of the sequence that starts at `text`, 0 if it isn't valid (overlong forms and surrogates aren't). Doesn't read
// beyond a NUL.
size_t tub_utf8_sequence(const char *text);

// Whether the whole text is UTF-8.
bool tub_utf8_is(const char *text);

#endif
